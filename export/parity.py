"""Does the exported graph say what torch says? Over batch sizes that were not traced, and every kind of mask."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.base import Engine

from .errors import ExportError

TOLERANCE: Final = 1e-4
BATCHES: Final = (1, 2, 3, 7, 32)
MASKS: Final = ("full", "single", "ragged")
UNIT_NORM: Final = ("video_sequence", "music_sequence")
UNIT_RANGE: Final = ("matcher", "mood")


class Exportable(Protocol):
    """What parity needs of a graph: the module, example inputs, the order of its outputs."""

    @property
    def module(self) -> nn.Module: ...
    @property
    def inputs(self) -> Mapping[str, Tensor]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...


def check_parity(engine: Engine, graphs: Mapping[str, Exportable], seed: int = 0) -> dict[str, float]:
    """The largest absolute difference between torch and ``engine``, for each graph.

    Raises ``ExportError`` that names graph, output, batch and mask where it exceeds ``TOLERANCE``, or where an output
    breaks its contract (unit norm of the window embeddings, [0, 1] of score and mood, finite numbers everywhere).
    """
    rng = np.random.default_rng(seed)
    return {name: graph_parity(engine, name, graph, rng) for name, graph in graphs.items()}


def graph_parity(engine: Engine, name: str, graph: Exportable, rng: np.random.Generator) -> float:
    masked = any(tensor.dtype == torch.bool for tensor in graph.inputs.values())
    worst = 0.0
    for rows in BATCHES:
        for pattern in MASKS if masked else MASKS[:1]:
            inputs = {key: draw(example, rows, pattern, rng) for key, example in graph.inputs.items()}
            expected = torch_outputs(graph, inputs)
            found = engine.run(name, inputs)
            where = f"graph {name}, batch {rows}, mask {pattern}"
            for output, value in expected.items():
                worst = max(worst, difference(found[output], value, f"{where}: output {output}"))
                check_contract(name, found[output], f"{where}: output {output}")
    return worst


def torch_outputs(graph: Exportable, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    with torch.inference_mode():
        result = graph.module(*(torch.from_numpy(inputs[key]) for key in graph.inputs))
    values = result if isinstance(result, tuple | list) else (result,)
    return {key: value.numpy() for key, value in zip(graph.outputs, values, strict=True)}


def difference(found: NDArray[Any], expected: NDArray[Any], where: str) -> float:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ExportError(f"{where} is {found.dtype} {found.shape}, torch gives {expected.dtype} {expected.shape}")
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        raise ExportError(f"{where} holds NaN or infinity; the run has diverged or a mask is mishandled: train again")
    worst = float(np.abs(found - expected).max())
    if worst > TOLERANCE:
        raise ExportError(f"{where} differs from torch by {worst:.2e}, may differ by {TOLERANCE:.0e}")
    return worst


def check_contract(name: str, value: NDArray[Any], where: str) -> None:
    if name in UNIT_NORM:
        norms = np.linalg.norm(value, axis=-1)
        if np.abs(norms - 1).max() > TOLERANCE * 10:
            raise ExportError(f"{where} has norms from {norms.min():.4f} to {norms.max():.4f}, must be 1")
    if name in UNIT_RANGE and not (value.min() >= 0 and value.max() <= 1):
        raise ExportError(f"{where} ranges from {value.min():.4f} to {value.max():.4f}, must be in [0, 1]")


def draw(example: Tensor, rows: int, pattern: str, rng: np.random.Generator) -> NDArray[Any]:
    """Random input of the example's kind: floats over its range, all bytes, masks with the valid clips first."""
    shape = (rows, *example.shape[1:])
    if example.dtype == torch.bool:
        lengths = {"full": np.full(rows, shape[1]), "single": np.ones(rows, int)}
        valid = lengths.get(pattern, rng.integers(1, shape[1] + 1, rows))
        return np.arange(shape[1]) < valid[:, None]
    if example.dtype == torch.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    low, high = float(example.min()), float(example.max())
    if low == high:
        low, high = low - 1, high + 1
    return rng.uniform(low, high, shape).astype(np.float32)
