"""The machine that a figure was measured on: kind and clocks, never its name, its user or its folders."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

SMI: Final = ("name", "driver_version", "memory.total", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit")
SMI_S: Final = 10.0
PACKAGES: Final = (
    "segue", "numpy", "scipy", "av", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "faiss-cpu",
    "faiss-gpu-cu12", "aiortc", "torch", "tensorrt-cu13", "tensorrt-rtx-cu13-bindings", "librosa", "fastrtc",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """``system``, ``cpu``, ``cores`` that this process may use, ``ram_gb``, ``mhz`` of each core now (empty where the
    system does not tell), ``gpus``."""
    return {
        "system": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "ram_gb": ram_gb(),
        "mhz": clocks_mhz(),
        "gpus": gpus(),
    }


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def clocks_mhz() -> list[float]:
    """Of the cores that this process may use."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return []
    found = [float(line.partition(":")[2]) for line in info.read_text().splitlines() if line.startswith("cpu MHz")]
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(len(found)))
    return [round(mhz, 1) for core, mhz in enumerate(found) if core in allowed]


def ram_gb() -> float:
    """Of the machine, or of the container where that is less; 0 where the system does not tell."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0.0
    limit = Path("/sys/fs/cgroup/memory.max")
    with suppress(OSError, ValueError):  # no such file, or "max"
        whole = min(whole, int(limit.read_text()))
    return round(whole / 1e9, 1)


def gpus() -> list[dict[str, str]]:
    """As NVIDIA's own tool tells; empty without it."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return []
    command = [smi, f"--query-gpu={','.join(SMI)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SMI_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    lines = [line.split(",") for line in done.stdout.strip().splitlines()]
    return [dict(zip(SMI, map(str.strip, line), strict=False)) for line in lines]


def versions() -> dict[str, str]:
    """Python's and those of the packages that figures depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
