"""Writes ``faiss_gpu_api.json``: what the installed FAISS with GPUs offers of what ``catalog/index/gpu.py`` may use.

Run by hand, in an environment with faiss-gpu-cu12, which imports without a GPU too.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import faiss

CLASSES = ("StandardGpuResources", "GpuIndexFlatConfig", "GpuIndexFlatIP")
FUNCTIONS = ("get_num_gpus",)


def prototypes(name: str) -> list[str]:
    """The constructor's C++ prototypes, as SWIG lists them when none fits."""
    try:
        getattr(faiss, name)(*[object()] * 9)
    except TypeError as error:
        return [line.strip() for line in str(error).splitlines() if line.strip().startswith("faiss::")]
    raise SystemExit(f"faiss.{name} takes nine objects")


def recorded() -> dict[str, Any]:
    classes = {
        name: {
            "prototypes": prototypes(name),
            "names": sorted(key for key in dir(getattr(faiss, name)) if not key.startswith("_") and key != "thisown"),
        }
        for name in CLASSES
    }
    signatures = {name: str(inspect.signature(getattr(faiss, name))) for name in FUNCTIONS}
    for method in ("add", "search"):
        signatures[f"GpuIndexFlatIP.{method}"] = str(inspect.signature(getattr(faiss.GpuIndexFlatIP, method)))
    return {"version": faiss.__version__, "classes": classes, "signatures": signatures}


if __name__ == "__main__":
    target = Path(__file__).with_name("faiss_gpu_api.json")
    target.write_text(json.dumps(recorded(), indent=1) + "\n")
