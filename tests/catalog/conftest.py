"""Bundle and engine of the catalogue's tests."""

from pathlib import Path

import pytest

from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture(scope="session")
def engine(bundle: Bundle) -> OnnxEngine:
    return OnnxEngine(bundle)
