"""Fixtures that several folders' tests share."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """A file beside this one; tests are not packages, so a plain import would not find it."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def write_tiny_bundle() -> Callable[..., Path]:
    """``write_tiny_bundle(folder, name="tiny", seed=0)``: another bundle of one's own, free to be damaged."""
    function: Callable[..., Path] = _load("tiny_bundle").write_tiny_bundle
    return function


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Callable[..., Path]) -> Path:
    """Folder of a valid bundle with all six graphs (C = 16, E = 32). Shared: do not change it."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
