"""What the engines' tests share: files beside this one (tests are not packages), and inputs of any graph."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.bundle import Bundle, load_bundle
from features.spec import FEATURES

Draw = Callable[..., dict[str, NDArray[Any]]]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load_beside() -> Callable[[str], ModuleType]:
    """``load_beside("fake_ort")``: a file of this folder, as a module."""
    return load


@pytest.fixture(scope="session")
def fake_ort_module() -> ModuleType:
    return load("fake_ort")


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    """The tiny bundle, loaded. Shared: do not change its folder."""
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture(scope="session")
def draw() -> Draw:
    """``draw(bundle, graph, rows, seed=0)``: random valid input, masks with the valid clips first."""

    def make(bundle: Bundle, graph: str, rows: int, seed: int = 0) -> dict[str, NDArray[Any]]:
        rng = np.random.default_rng([seed, rows])
        arrays: dict[str, NDArray[Any]] = {}
        for tensor in bundle.spec(graph).inputs:
            shape = (rows, *(int(size) for size in tensor.shape[1:]))
            if tensor.dtype == "bool":
                arrays[tensor.name] = np.arange(shape[1]) < rng.integers(1, shape[1] + 1, (rows, 1))
            elif tensor.dtype == "uint8":
                arrays[tensor.name] = rng.integers(0, 256, shape, np.uint8)
            else:
                arrays[tensor.name] = rng.normal(size=shape).astype(np.float32)
        return arrays

    return make
