"""What the engines' tests share: files beside this one (tests are not packages), and inputs of any graph."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numpy.typing import NDArray

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
