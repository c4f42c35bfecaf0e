"""Builds a bundle's graphs for real with TensorRT for RTX, which needs neither a GPU nor a driver.

``check_builds`` is what tests of systems call: every graph in float32 and, converted here, in float16, each for every
compute capability in one plan, and the network that is built against the ONNX file. It raises ``EngineUnavailable``
where a graph cannot be built, and ``AssertionError`` where another network came of it.
"""

import platform
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import onnx
import pytest

from engines.bundle import Bundle
from engines.manifest import BATCH, GraphSpec, TensorSpec
from engines.tensorrt_build import build
from engines.tensorrt_network import NetworkFacts
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_rtx import RTX
from engines.tensorrt_runtime import Libraries, load_builder
from export.precision import to_float16

# Where pyproject's markers install the package; there its absence is a failure.
HERE = sys.platform == "linux" and platform.machine() == "x86_64"
rtx_builds = pytest.mark.skipif(not HERE, reason="TensorRT for RTX is there for x86-64 alone")
PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose")


@dataclass(frozen=True)
class Built:
    """A plan that was really built."""

    graph: str
    precision: str
    plan: bytes
    facts: NetworkFacts


def builder() -> Libraries:
    return load_builder(RTX)


def build_graph(spec: GraphSpec, data: bytes, precision: str, recipe: Recipe | None = None) -> Built:
    """One graph, for every compute capability that there are plans for in this precision."""
    plan, timing, facts = build(builder(), spec, data, recipe or Recipe(), precision, b"", lambda step: None)
    assert timing == b""  # nothing is measured
    return Built(spec.name, precision, plan, facts)


def check_builds(bundle: Bundle, precisions: tuple[str, ...] = ("float32", "float16")) -> list[Built]:
    """Every graph of the bundle in each precision, built and compared with its file."""
    made = []
    for graph in bundle.manifest.graphs:
        for precision in precisions:
            data = bundle.read(graph)
            data = to_float16(data, graph) if precision == "float16" else data
            built = build_graph(bundle.spec(graph), data, precision)
            compare(built, data)
            made.append(built)
    return made


def compare(built: Built, data: bytes) -> None:
    """Inputs, outputs and the number of products are the file's; all products are in the plan's precision."""
    graph = onnx.load_from_string(data).graph
    assert sorted(map(str, built.facts.inputs)) == sorted(str(tensor(value)) for value in graph.input), built.graph
    assert sorted(map(str, built.facts.outputs)) == sorted(str(tensor(value)) for value in graph.output), built.graph
    kinds = Counter(node.op_type for node in graph.node)
    assert built.facts.products == nonzero({built.precision: sum(kinds[kind] for kind in PRODUCTS)}), built.graph
    assert len(built.plan) > sum(len(value.raw_data) for value in graph.initializer) // 2  # the weights are in it


def tensor(value: Any) -> TensorSpec:
    """An input or output of an ONNX file, as a manifest spells it."""
    kind = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    sizes = [BATCH if dim.dim_param else dim.dim_value for dim in kind.shape.dim]
    return TensorSpec(value.name, dtype, tuple(sizes))


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
