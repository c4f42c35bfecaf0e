"""Requests that a graph does not take are refused by naming both sides."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.base import Engine, check_inputs, example_inputs
from engines.bundle import load_bundle
from engines.errors import EngineError
from engines.manifest import GraphSpec
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES


@pytest.fixture(scope="module")
def spec(tiny_bundle: Path) -> GraphSpec:
    return load_bundle(tiny_bundle, FEATURES).spec("music_sequence")


@pytest.mark.parametrize("rows", [1, 2, 33])
def test_examples_are_valid(tiny_bundle: Path, rows: int) -> None:
    bundle = load_bundle(tiny_bundle, FEATURES)
    for graph in bundle.manifest.graphs:
        assert check_inputs(bundle.spec(graph), example_inputs(bundle.spec(graph), rows)) == rows


def changed(spec: GraphSpec, **arrays: Any) -> dict[str, Any]:
    return example_inputs(spec, 2) | arrays


def test_a_single_valid_clip_is_enough(spec: GraphSpec) -> None:
    mask = np.zeros((2, 7), bool)
    mask[:, 0] = True
    assert check_inputs(spec, changed(spec, mask=mask)) == 2


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"clips": [[0.0]]}, "input clips is list, must be a NumPy array clips float32 (batch, 7, 16)"),
        ({"clips": np.zeros((2, 7, 16))}, "input clips is float64, must be float32"),
        ({"mask": np.ones((2, 7), np.uint8)}, "input mask is uint8, must be bool"),
        ({"clips": np.zeros((2, 7, 8), np.float32)}, "input clips has shape (2, 7, 8), must be (batch, 7, 16)"),
        ({"clips": np.zeros((7, 16), np.float32)}, "input clips has shape (7, 16), must be (batch, 7, 16)"),
        ({"clips": np.zeros((0, 7, 16), np.float32)}, "input clips has batch 0, must have at least one row"),
        ({"rhythm": np.full((2, 7, 3), np.nan, np.float32)}, "input rhythm holds NaN or infinity, must be finite"),
        ({"rhythm": np.full((2, 7, 3), np.inf, np.float32)}, "input rhythm holds NaN or infinity, must be finite"),
        ({"mask": np.array([[True] * 7, [False] * 7])}, "input mask has no true value in row 1"),
        ({"mask": np.ones((3, 7), bool)}, "inputs differ in batch (clips 2, mask 3, rhythm 2)"),
        ({"extra": np.zeros(2)}, "takes clips, mask, rhythm, was given clips, extra, mask, rhythm"),
    ],
)
def test_refusals(spec: GraphSpec, arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError) as caught:
        check_inputs(spec, changed(spec, **arrays))
    assert said in str(caught.value)
    assert "graph music_sequence" in str(caught.value)


def test_missing_inputs(spec: GraphSpec) -> None:
    with pytest.raises(EngineError, match="takes clips, mask, rhythm, was given nothing"):
        check_inputs(spec, {})


def test_the_onnx_engine_is_an_engine(tiny_bundle: Path) -> None:
    assert isinstance(OnnxEngine(load_bundle(tiny_bundle, FEATURES)), Engine)
