"""The writer of checkpoints, and one of a whole musicnn with random weights."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine: threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints() -> ModuleType:
    """The file beside this one; tests are not packages, so a plain import would not find it."""
    spec = importlib.util.spec_from_file_location("checkpoints", Path(__file__).with_name("checkpoints.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def musicnn_arrays() -> dict[str, Any]:
    """Random weights under TensorFlow's names and in its layouts, and what an optimiser leaves behind."""
    rng = np.random.default_rng(0)
    kernels = [(7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51),
               (7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]  # fmt: skip
    arrays: dict[str, Any] = {"beta1_power": np.array(0.9, np.float32)}
    widths = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
    for at, shape in enumerate(kernels):
        name = f"conv2d_{at}" if at else "conv2d"
        arrays[f"{name}/kernel"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[:3])), shape).astype(np.float32)
        arrays[f"{name}/bias"] = rng.normal(0, 0.1, shape[3]).astype(np.float32)
    for at, shape in enumerate([(1506, 200), (200, 50)]):
        name = f"dense_{at}" if at else "dense"
        arrays[f"{name}/kernel"] = rng.normal(0, 1 / np.sqrt(shape[0]), shape).astype(np.float32)
        arrays[f"{name}/bias"] = rng.normal(0, 0.1, shape[1]).astype(np.float32)
    for at, width in enumerate(widths):
        name = f"batch_normalization_{at}" if at else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean"):
            arrays[f"{name}/{part}"] = rng.normal(0, 0.5, width).astype(np.float32)
        arrays[f"{name}/moving_variance"] = rng.uniform(0.5, 2, width).astype(np.float32)
    return arrays


@pytest.fixture(scope="session")
def write_wheel() -> Callable[..., Any]:
    """``write_wheel(folder, members)`` -> (its ``Wheel``, its file)."""
    import hashlib
    import zipfile

    from towers.imports.wheels import Wheel

    def write(folder: Path, members: dict[str, bytes] | None = None, package: str = "theirs") -> tuple[Wheel, Path]:
        path = folder / f"{package}-1.0-py3-none-any.whl"
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (members or {"LICENSE": b"Do as you like."}).items():
                archive.writestr(name, data)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        wheel = Wheel(package, "1.0", path.name, digest, path.stat().st_size, "ISC", "LICENSE", "a network")
        return wheel, path

    return write
