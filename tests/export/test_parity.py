"""Parity must find what it is there for: the tests plant one difference each in an engine that is otherwise right."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engines.bundle import default_bundle, load_bundle
from engines.manifest import TensorSpec
from engines.parity import BATCHES, EXTREME_BATCHES, EXTREMES, MASKS, TOLERANCE, draw
from export.errors import ExportError
from export.parity import check_parity
from features.spec import FEATURES

Change = Callable[[dict[str, NDArray[Any]], Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]


class TorchEngine:
    """Runs the very modules that parity compares with, and then ``change(outputs, inputs)``."""

    name = "twin"

    def __init__(self, graphs: Mapping[str, Any], change: Change | None = None) -> None:
        self.graphs, self.change = graphs, change
        self.bundle = SimpleNamespace(graphs=load_bundle(default_bundle(), FEATURES).graphs)
        self.seen: list[tuple[str, int, tuple[int, ...]]] = []

    def run(self, graph: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        lengths = tuple(inputs["mask"].sum(axis=1).tolist()) if "mask" in inputs else ()
        self.seen.append((graph, len(next(iter(inputs.values()))), lengths))
        with torch.inference_mode():
            value = self.graphs[graph].module(*(torch.from_numpy(inputs[key]) for key in self.graphs[graph].inputs))
        outputs = {self.graphs[graph].outputs[0]: value.numpy().copy()}
        return self.change(outputs, inputs) if self.change else outputs


@pytest.fixture
def graphs(small_run: Callable[..., Any]) -> dict[str, Any]:
    graphs: dict[str, Any] = small_run().graphs()
    return graphs


def test_equal_modules_differ_by_nothing(graphs: dict[str, Any]) -> None:
    engine: Any = TorchEngine(graphs)
    assert check_parity(engine, graphs) == dict.fromkeys(graphs, 0.0)
    for graph in graphs:
        masked = graph.endswith("sequence")
        batches = [rows for name, rows, _ in engine.seen if name == graph]
        expected = []
        for rows in BATCHES:
            patterns = (3 if masked else 1) + (len(EXTREMES) if rows in EXTREME_BATCHES else 0)
            expected += [rows] * patterns
        assert batches == expected and len(MASKS) == 3
    of_32 = [lengths for graph, rows, lengths in engine.seen if graph == "video_sequence" and rows == 32]
    assert set(of_32[0]) == {7} and set(of_32[1]) == {1} and len(set(of_32[2])) > 3 and min(of_32[2]) >= 1


def shifted(by: float) -> Change:
    return lambda outputs, inputs: {name: value + np.float32(by) for name, value in outputs.items()}


def only(condition: Callable[[Mapping[str, NDArray[Any]]], bool], change: Change) -> Change:
    return lambda outputs, inputs: change(outputs, inputs) if condition(inputs) else outputs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            shifted(TOLERANCE * 2),
            "graph video_clip, batch 1, full: output embedding differs from torch by 2.00e-04",
        ),
        (shifted(float("nan")), "output embedding holds NaN or infinity"),
        (only(lambda inputs: "mask" in inputs and not inputs["mask"].all(), shifted(0.01)), "batch 1, single"),
        (only(lambda inputs: len(next(iter(inputs.values()))) == 7, shifted(0.01)), "batch 7, full"),
        (
            lambda outputs, inputs: {name: value[:, :-1] for name, value in outputs.items()},
            "is float32 (1, 5), must be float32 (1, 6)",
        ),
        (
            lambda outputs, inputs: {name: value.astype(np.float64) for name, value in outputs.items()},
            "is float64 (1, 6), must be float32 (1, 6)",
        ),
    ],
)
def test_differences_are_found(graphs: dict[str, Any], change: Change, said: str) -> None:
    engine: Any = TorchEngine(graphs, change)
    with pytest.raises(ExportError) as caught:
        check_parity(engine, graphs)
    assert said in str(caught.value)


def test_a_difference_within_the_tolerance_is_reported(graphs: dict[str, Any]) -> None:
    engine: Any = TorchEngine({"music_clip": graphs["music_clip"]}, shifted(TOLERANCE / 2))
    worst = check_parity(engine, {"music_clip": graphs["music_clip"]})["music_clip"]
    assert worst == pytest.approx(TOLERANCE / 2, rel=0.01)


class Fixed(torch.nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return torch.full_like(embedding, self.value)


@pytest.mark.parametrize(
    ("graph", "value", "said"),
    [
        ("mood", 1.5, "ranges from 1.5000 to 1.5000, must be in [0, 1]"),
        ("matcher", -0.1, "ranges from -0.1000 to -0.1000, must be in [0, 1]"),
        ("video_sequence", 1.0, "has norms from 2.0000 to 2.0000, must be 1"),
    ],
)
def test_outputs_outside_their_contract(graph_of: Callable[..., Any], graph: str, value: float, said: str) -> None:
    graphs = {graph: graph_of(Fixed(value), {"embedding": torch.ones(3, 4)}, ("out",))}
    engine: Any = TorchEngine(graphs)
    with pytest.raises(ExportError) as caught:
        check_parity(engine, graphs)
    assert said in str(caught.value)


def test_drawn_inputs_stay_in_the_range_of_the_examples() -> None:
    rng = np.random.default_rng(0)
    wide = TensorSpec("x", "float32", ("batch", 2))
    drawn = draw(wide, 400, "full", rng, (2.0, 5.0))
    assert drawn.shape == (400, 2) and drawn.dtype == np.float32
    assert 2 <= drawn.min() < 2.1 and 4.9 < drawn.max() <= 5
    constant = draw(wide, 50, "full", rng, (0.0, 0.0))
    assert constant.min() < -0.5 and constant.max() > 0.5
    assert np.ptp(draw(TensorSpec("x", "uint8", ("batch", 3)), 200, "full", rng)) > 250
