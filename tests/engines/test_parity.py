"""Two engines are compared; what differs is named, in the words of a report, and what does not is not."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engines.base import check_inputs
from engines.bundle import load_bundle
from engines.errors import EngineError, EngineFailed
from engines.manifest import GraphSpec, TensorSpec
from engines.onnx_engine import OnnxEngine
from engines.parity import (
    BATCHES,
    Row,
    cases,
    compare,
    contract_fault,
    cosine,
    draw_inputs,
    fault,
    flat,
    overlap,
    worst,
)
from features.spec import FEATURES


@pytest.fixture(scope="module")
def engine(tiny_bundle: Path) -> Iterator[OnnxEngine]:
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    yield engine
    engine.close()


class Twin:
    """The same engine behind another name, its answers changed."""

    name = "twin"

    def __init__(self, engine: OnnxEngine, change: Callable[[str, NDArray[Any]], NDArray[Any]]) -> None:
        self.engine, self.change = engine, change

    def run(self, graph: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {name: self.change(graph, value) for name, value in self.engine.run(graph, inputs).items()}


def specs(engine: OnnxEngine) -> list[GraphSpec]:
    return [engine.spec(graph) for graph in engine.bundle.manifest.graphs]


def test_an_engine_equals_itself_over_every_batch_mask_and_extreme(engine: OnnxEngine) -> None:
    rows = compare(engine, Twin(engine, lambda graph, value: value), specs(engine))
    assert {row.difference for row in rows} == {0.0} and not any(fault(row) for row in rows)
    assert min(row.cosine for row in rows) > 1 - 1e-9
    asked = {(row.batch, row.pattern) for row in rows if row.graph == "video_sequence"}
    assert asked == {(batch, mask) for batch in BATCHES for mask in ("full", "single", "ragged")} | {
        (batch, extreme) for batch in (1, 7) for extreme in ("zeros", "saturated", "denormal")
    }
    assert (32, "single") not in {(row.batch, row.pattern) for row in rows if row.graph == "video_clip"}


def test_every_question_is_valid_input_and_says_what_its_name_says(engine: OnnxEngine) -> None:
    rng = np.random.default_rng(0)
    for spec in specs(engine):
        for batch, pattern in cases(spec, (2, 7)):
            inputs = draw_inputs(spec, batch, pattern, rng, {"rhythm": (0.0, 8.0)})
            assert check_inputs(spec, inputs) == batch
            for name, value in inputs.items():
                if value.dtype == bool:
                    assert pattern in ("single", "ragged") or value.all()
                elif pattern == "zeros":
                    assert not value.any()
                elif pattern == "saturated":
                    full = 255 if value.dtype == np.uint8 else 80 if name == "rhythm" else 10
                    assert set(np.unique(value)) == {full}
                elif pattern == "denormal" and value.dtype == np.float32:
                    assert 0 < value.max() < np.finfo(np.float32).tiny


def test_nan_never_reaches_an_engine(engine: OnnxEngine) -> None:
    with pytest.raises(EngineError, match="holds NaN or infinity, must be finite"):
        engine.run("mood", {"embedding": np.full((1, 32), np.nan, np.float32)})


@pytest.mark.parametrize(
    ("graph", "change", "said"),
    [
        (
            "mood",
            lambda value: value + np.float32(2e-4),
            "graph mood, batch 1, full: output mood differs from onnx-cpu",
        ),
        ("mood", lambda value: value * np.nan, "output mood holds NaN or infinity"),
        ("video_clip", lambda value: value[:, 1:], "is float32 (1, 15), must be float32 (1, 16)"),
        ("video_clip", lambda value: value.astype(np.float64), "is float64 (1, 16), must be float32 (1, 16)"),
    ],
)
def test_what_differs_is_named(engine: OnnxEngine, graph: str, change: Any, said: str) -> None:
    rows = compare(engine, Twin(engine, lambda _, value: change(value)), [engine.spec(graph)], batches=(1,))
    assert said in (fault(rows[0]) or "")
    assert all(fault(row) for row in rows)
    json.dumps(flat(rows), allow_nan=False)


def test_a_failing_engine_is_a_row_and_no_end(engine: OnnxEngine) -> None:
    def fail(graph: str, value: NDArray[Any]) -> NDArray[Any]:
        if len(value) > 3:
            raise EngineFailed("no memory left")
        return value

    rows = compare(engine, Twin(engine, fail), [engine.spec("mood")])
    assert {row.batch for row in rows if row.problem} == {7, 32}
    (summary,) = worst(rows)
    assert fault(summary) == f"graph mood, batch {summary.batch}, full: output mood no memory left"
    assert {entry["value"] for entry in flat([summary])} == {None}


def row_of(**changes: Any) -> Row:
    plain = {"graph": "video_clip", "output": "embedding", "reference": "a", "engine": "b", "precision": "float32"}
    numbers = {"batch": 1, "pattern": "full", "difference": 0.0, "cosine": 1.0, "scale": 1.0}
    return Row(**{**plain, **numbers, **changes})


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"difference": 0.9e-4}, False),
        ({"difference": 1.1e-4}, True),
        ({"difference": 4e-4, "scale": 5.0}, True),  # large outputs get no larger tolerance
        ({"difference": 1.1e-4, "scale": 0.01}, True),  # small outputs get no larger tolerance
        ({"precision": "int8", "difference": 0.3, "cosine": 0.9991}, False),
        ({"precision": "int8", "difference": 0.3, "cosine": 0.9989}, True),
        ({"precision": "float16", "output": "score", "difference": 0.019}, False),
        ({"precision": "float16", "output": "score", "difference": 0.021}, True),
    ],
)
def test_the_bounds(changes: dict[str, Any], wrong: bool) -> None:
    assert (fault(row_of(**changes)) is not None) is wrong


def test_contracts(tiny_bundle: Path) -> None:
    said = partial(contract_fault, load_bundle(tiny_bundle, FEATURES).graphs)
    unit, real = np.eye(3, dtype=np.float32), {"clips": np.ones((3, 2), np.float32), "mask": np.ones((3, 1), bool)}
    assert said("video_sequence", unit, real) is None and said("video_clip", 9 * unit, real) is None
    assert said("video_sequence", 2 * unit, real) == "has norms from 2.0000 to 2.0000, must be 1"
    assert said("mood", unit - 1, real) == "ranges from -1.0000 to 0.0000, must be in [0, 1]"
    nothing = {**real, "clips": np.full((3, 2), 1e-40, np.float32)}
    assert said("music_sequence", 0 * unit, real) is not None
    assert said("music_sequence", 0 * unit, nothing) is None


floats = arrays(np.float32, (4, 6), elements=st.floats(-100, 100, width=32))


@given(floats, st.floats(0.01, 100))
def test_cosine_does_not_mind_length(values: NDArray[np.float32], factor: float) -> None:
    values = np.where(np.abs(values) < 0.01, 0, values)
    assert cosine(values, values * np.float32(factor)) == pytest.approx(1, abs=1e-5)
    if values.any(axis=1).any():
        assert cosine(values, -values) == pytest.approx(-1, abs=1e-5)


def test_cosine_is_that_of_the_worst_row() -> None:
    left = np.array([[1, 0], [1, 0], [0, 0]], np.float32)
    right = np.array([[2, 0], [1, 1], [0, 0]], np.float32)
    assert cosine(left, right) == pytest.approx(0.5**0.5)
    assert cosine(left, np.zeros_like(left)) == 0


@given(arrays(np.int64, (3, 30), elements=st.integers(0, 5)), st.integers(0, 29))
def test_overlap_is_counted_in_the_first_ten(scores: NDArray[np.int64], moved: int) -> None:
    assert (overlap(scores, scores) == 10).all()
    other = scores.copy()
    other[:, moved] = 99
    was_in = np.isin(moved, np.argsort(-scores, axis=1, kind="stable")[:, :10])
    assert (overlap(scores, other) >= 9).all() and overlap(scores, other).max() <= 10
    assert was_in or overlap(scores, other).min() == 9
    assert (overlap(np.arange(30)[None], -np.arange(30)[None]) == 0).all()


def test_drawing_follows_its_seed() -> None:
    spec = GraphSpec("g", "", "", (TensorSpec("x", "float32", ("batch", 3)),), ())
    one, two = (draw_inputs(spec, 2, "full", np.random.default_rng(5), {})["x"] for _ in range(2))
    np.testing.assert_array_equal(one, two)
