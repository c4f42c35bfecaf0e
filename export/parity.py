"""Compares an exported graph with torch, over batch sizes that were not traced, masks, and extreme inputs."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.base import Arrays, Engine
from engines.errors import EngineFailed
from engines.manifest import BATCH, GraphSpec, TensorSpec
from engines.parity import Ranges, compare, contract_fault, fault

from .errors import ExportError


class Exportable(Protocol):
    """What parity needs of a graph: the module, example inputs, the order of its outputs."""

    @property
    def module(self) -> nn.Module: ...
    @property
    def inputs(self) -> Mapping[str, Tensor]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...


class Torch:
    """The modules themselves as the reference that engines are compared with."""

    name = "torch"

    def __init__(self, graphs: Mapping[str, Exportable]) -> None:
        self._graphs = graphs

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        exported = self._graphs[graph]
        with torch.inference_mode():
            result = exported.module(*(torch.from_numpy(inputs[name]) for name in exported.inputs))
        values = result if isinstance(result, tuple | list) else (result,)
        return {name: value.numpy() for name, value in zip(exported.outputs, values, strict=True)}


class Checked:
    """An engine whose every output must keep its contract: ``EngineFailed`` for one that does not."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        outputs = self._engine.run(graph, inputs)
        for value in outputs.values():
            if np.isfinite(value).all() and (
                problem := contract_fault(self._engine.bundle.graphs, graph, value, inputs)
            ):
                raise EngineFailed(problem)
        return outputs


def check_parity(engine: Engine, graphs: Mapping[str, Exportable], seed: int = 0) -> dict[str, float]:
    """The largest absolute difference between torch and ``engine``, for each graph.

    Raises ``ExportError`` that names graph, output, batch and pattern where ``engines.parity.fault`` finds one in
    float32, or where an output breaks its contract (unit norm of the window embeddings, [0, 1] of score and mood).
    """
    reference, checked = Torch(graphs), Checked(engine)
    worst: dict[str, float] = {}
    for name, graph in graphs.items():
        rows = compare(reference, checked, [spec_of(name, graph)], ranges=ranges_of(graph), seed=seed)
        if faults := [text for row in rows if (text := fault(row))]:
            raise ExportError(f"{faults[0]}; the run has diverged or the exporter errs: train or export again")
        worst[name] = max(row.difference for row in rows)
    return worst


def spec_of(name: str, graph: Exportable) -> GraphSpec:
    """The graph's inputs as they stand in a manifest; the file's name and hash are empty."""
    tensors = tuple(
        TensorSpec(key, str(value.dtype).removeprefix("torch."), (BATCH, *value.shape[1:]))
        for key, value in graph.inputs.items()
    )
    return GraphSpec(name=name, file="", sha256="", inputs=tensors, outputs=())


def ranges_of(graph: Exportable) -> Ranges:
    """Lowest and highest value of each float input among the examples."""
    floats = {name: value for name, value in graph.inputs.items() if value.dtype == torch.float32}
    return {name: (float(value.min()), float(value.max())) for name, value in floats.items()}
