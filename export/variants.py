"""Which graphs of a bundle get another precision beside float32: those that stay right, and in int8 those that pay.

*Right*, on real inputs of a corpus: the cosine of every embedding to float32's is at least .999 (score and mood: within
.02), the first ten of a search share nine in the mean, both for each graph alone and for all kept graphs together; and
extreme inputs give finite numbers within the contract. Without a corpus float16 is judged on drawn inputs alone.

*Paying*, for int8: at least ``PAYS`` times as fast as float32 on one core of this machine, at batch 1 and at batch 8.
It depends on the processor's instructions, so export on a machine like those that serve.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engines.base import check_outputs
from engines.bundle import Bundle
from engines.errors import EngineFailed
from engines.manifest import PRECISIONS
from engines.onnx_engine import PROVIDER, session_options
from engines.parity import COSINE, OVERLAP, TOP, Answers, Ranges, Row, compare, contract_fault, fault, numbers, overlap

from .errors import ExportError
from .onnx_graph import convolutions
from .precision import to_float16, to_int8_dynamic, to_int8_static
from .probe import CALIBRATION_ROWS, Arrays, Probe, embeddings, graph_inputs, run_rows, thin_rows

CAN_MAKE: Final = ("float16", "int8")  # those of PRECISIONS that this program can make
PAYS: Final = 1.1
PAYING_BATCHES: Final = (1, 8)
MEASURED_S: Final = 0.3  # for each batch
MOST_LEFT_OUT: Final = 24  # convolutions to try, where one of them spoils a graph
FINALISTS: Final = 3  # of those, for the faster to be chosen

VariantFiles = dict[str, dict[str, bytes]]  # graph -> precision -> file


@dataclass(frozen=True)
class VariantOptions:
    """``precisions`` beside float32; ``probe`` to judge by and ``calibration``, of other pairs, to measure scales on.
    ``keep_slower``: an int8 graph that is right is kept whatever its speed here."""

    precisions: tuple[str, ...] = ()
    probe: Probe | None = None
    calibration: Probe | None = None
    keep_slower: bool = False


@dataclass(frozen=True)
class Verdict:
    """``reason``: why it was left out, empty where it is kept. ``difference`` and ``cosine`` to float32: the worst;
    ``shared``: how many of the first ten, in the mean; ``speeds``: float32's time over its own, by batch."""

    graph: str
    precision: str
    way: str
    size_bytes: int
    difference: float
    cosine: float
    shared: float | None = None
    speeds: Mapping[int, float] = field(default_factory=dict)
    reason: str = ""


def check_options(options: VariantOptions) -> None:
    for precision in options.precisions:
        if precision not in CAN_MAKE:
            raise ExportError(f"precision {precision}: cannot be made; choose of {', '.join(CAN_MAKE)}")
    if "int8" in options.precisions and (options.probe is None or options.calibration is None):
        raise ExportError("precision int8: its scales are measured and judged on real clips; name a --corpus")


def make_variants(
    bundle: Bundle,
    engine: Answers,
    options: VariantOptions,
    ranges: Mapping[str, Ranges],
    progress: Callable[[str], None],
) -> tuple[VariantFiles, tuple[Verdict, ...]]:
    """The files to add to ``bundle``, whose float32 ``engine`` runs, and a verdict on each graph and precision.

    ``ranges``: of each graph's float inputs, to draw from.
    """
    files: VariantFiles = {graph: {} for graph in bundle.manifest.graphs}
    verdicts: list[Verdict] = []
    judge = Judge(bundle, engine, options, ranges)
    for precision in options.precisions:
        kept: dict[str, tuple[Candidate, Verdict]] = {}
        for graph in bundle.manifest.graphs:
            progress(f"{graph} in {precision}")
            candidate, verdict = judge.best(graph, precision)
            if candidate is None:
                verdicts.append(verdict)
            else:
                kept[graph] = candidate, verdict
        verdicts += judge.together(kept)
        for graph, (candidate, verdict) in kept.items():
            files[graph][precision] = candidate.data
            verdicts.append(verdict)
    order = list(bundle.manifest.graphs)
    return files, tuple(sorted(verdicts, key=lambda v: (PRECISIONS.index(v.precision), order.index(v.graph))))


class Candidate:
    """One graph's file in ONNX Runtime on one core, not yet part of any bundle."""

    def __init__(self, bundle: Bundle, graph: str, data: bytes, precision: str, way: str) -> None:
        self.spec, self.data, self.precision, self.way = bundle.spec(graph), data, precision, way
        self.graphs = bundle.graphs
        self.name = f"onnx-cpu-1-{precision}"
        self._outputs = [tensor.name for tensor in self.spec.outputs]
        self.session = ort.InferenceSession(data, session_options(1), providers=[PROVIDER])

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        values = self.session.run(self._outputs, dict(inputs))
        outputs: dict[str, NDArray[Any]] = dict(zip(self._outputs, values, strict=True))
        check_outputs(self.spec, outputs, len(next(iter(inputs.values()))))
        for value in outputs.values():
            if problem := contract_fault(self.graphs, graph, value, inputs):
                raise EngineFailed(problem)
        return outputs


class Mixed:
    """``candidates`` for their graphs, ``engine`` for the others."""

    name = "mixed"

    def __init__(self, engine: Answers, candidates: Mapping[str, Candidate]) -> None:
        self._engine, self._candidates = engine, candidates

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        return self._candidates.get(graph, self._engine).run(graph, inputs)


class Judge:
    """Makes candidates and decides. It keeps float32's outputs, so that they are computed once."""

    def __init__(self, bundle: Bundle, engine: Answers, options: VariantOptions, ranges: Mapping[str, Ranges]) -> None:
        self._bundle, self._engine, self._options, self._ranges = bundle, engine, options, ranges
        graphs = bundle.graphs
        self._inputs: dict[str, Arrays] = {}
        self._calibration: dict[str, Arrays] = {}
        self._expected: dict[str, dict[str, NDArray[Any]]] = {}
        self._sides: dict[str, NDArray[np.float32]] = {}
        if options.probe is not None:
            self._inputs = graph_inputs(options.probe, engine, graphs)
            self._expected = {graph.name: run_rows(engine, graph.name, self._inputs[graph.name]) for graph in graphs}
            self._sides = {side: self._expected[end.name][end.output] for side, end in graphs.ends.items()}
        if options.calibration is not None and "int8" in options.precisions:
            real = graph_inputs(options.calibration, engine, graphs)
            self._calibration = {graph: thin_rows(inputs, CALIBRATION_ROWS) for graph, inputs in real.items()}

    def best(self, graph: str, precision: str) -> tuple["Candidate | None", Verdict]:
        """The fastest candidate that is right and pays, or the least bad verdict with None."""
        verdicts = [(candidate, self._verdict(candidate)) for candidate in self._candidates(graph, precision)]
        if not verdicts:
            return None, Verdict(graph, precision, "", 0, 0.0, 1.0, reason="holds nothing that int8 could do")
        right = [(candidate, verdict) for candidate, verdict in verdicts if not verdict.reason]
        if right:
            return max(right, key=lambda pair: min(pair[1].speeds.values(), default=0.0))
        return None, max(
            (verdict for _, verdict in verdicts), key=lambda verdict: (bool(verdict.speeds), verdict.cosine)
        )

    def together(self, kept: dict[str, tuple[Candidate, Verdict]]) -> list[Verdict]:
        """Take the least alike graph out of ``kept`` until a search through all of them is right."""
        dropped: list[Verdict] = []
        while self._options.probe is not None and sum(map(self._is_searched, kept)) > 1:
            shared = self._measure_shared({graph: candidate for graph, (candidate, _) in kept.items()})
            if shared >= OVERLAP:
                break
            graph = min(filter(self._is_searched, kept), key=lambda graph: kept[graph][1].cosine)
            _, verdict = kept.pop(graph)
            reason = f"with the others shares {shared:.2f} of the first {TOP}, must share {OVERLAP:.0f}"
            dropped.append(with_reason(verdict, reason))
        return dropped

    def _candidates(self, graph: str, precision: str) -> Sequence["Candidate"]:
        data, candidate = self._bundle.read(graph), partial(Candidate, self._bundle, graph)
        if precision == "float16":
            return [candidate(to_float16(data, graph), precision, "converted")]
        candidates = []
        if dynamic := to_int8_dynamic(data, graph):
            candidates.append(candidate(dynamic, precision, "dynamic"))
        if static := to_int8_static(data, graph, self._calibration[graph]):
            whole = candidate(static, precision, "static")
            candidates.append(whole)
            if self._real_row(whole).cosine < COSINE and self._pays(self._speeds(whole)):
                candidates += self._without_one(graph, data)
        return candidates

    def _without_one(self, graph: str, data: bytes) -> list["Candidate"]:
        """Often one convolution spoils the graph: the best cosines of those graphs that leave one in float32."""
        tried = []
        for name in convolutions(data)[:MOST_LEFT_OUT]:
            spared = to_int8_static(data, graph, self._calibration[graph], left_out=name)
            if spared:
                tried.append(Candidate(self._bundle, graph, spared, "int8", f"static but {name}"))
        cosines = {id(candidate): self._real_row(candidate).cosine for candidate in tried}
        return sorted(tried, key=lambda candidate: -cosines[id(candidate)])[:FINALISTS]

    def _verdict(self, candidate: "Candidate") -> Verdict:
        row, reason = self._right(candidate)
        graph, shared = candidate.spec.name, None
        if not reason and self._options.probe is not None and self._is_searched(graph):
            shared = self._measure_shared({graph: candidate})
            if shared < OVERLAP:
                reason = f"shares {shared:.2f} of the first {TOP}, must share {OVERLAP:.0f}"
        speeds: Mapping[int, float] = {}
        if not reason and candidate.precision == "int8":
            speeds = self._speeds(candidate)
            if not self._pays(speeds):
                figures = ", ".join(f"{speed:.2f} at batch {batch}" for batch, speed in speeds.items())
                reason = f"does not pay here: {figures} times as fast as float32, must be {PAYS}"
        return Verdict(
            graph,
            candidate.precision,
            candidate.way,
            len(candidate.data),
            row.difference,
            row.cosine,
            shared,
            speeds,
            reason,
        )

    def _right(self, candidate: "Candidate") -> tuple[Row, str]:
        """The worst row, and the fault or an empty text. Drawn inputs are far from any clip. ``fault`` judges them only
        where there is no probe; otherwise they must only give finite numbers within the contract."""
        graph = candidate.spec.name
        drawn = compare(
            self._engine, candidate, [candidate.spec], candidate.precision, self._ranges.get(graph), batches=(1, 3, 7)
        )
        if broken := next((row for row in drawn if row.problem), None):
            return broken, fault(broken) or ""
        if self._options.probe is None:
            least = min(drawn, key=lambda row: row.cosine)
            return least, next((text for row in drawn if (text := fault(row))), "")
        row = self._real_row(candidate)
        return row, fault(row) or ""

    def _real_row(self, candidate: "Candidate") -> Row:
        graph = candidate.spec.name
        output = candidate.spec.outputs[0].name
        expected = self._expected[graph][output]
        try:
            figures = numbers(run_rows(candidate, graph, self._inputs[graph])[output], expected)
        except EngineFailed as error:
            figures = numbers(None, expected, str(error))
        return Row(
            graph, output, "float32", candidate.name, candidate.precision, len(expected), "real clips", **figures
        )

    def _is_searched(self, graph: str) -> bool:
        """Whether a search goes through the graph."""
        return bool(self._bundle.graphs[graph].kind.side)

    def _speeds(self, candidate: "Candidate") -> dict[int, float]:
        graph = candidate.spec.name
        plain = Candidate(self._bundle, graph, self._bundle.read(graph), PRECISIONS[0], "")
        return speedups(plain, candidate, self._rows)

    def _pays(self, speeds: Mapping[int, float]) -> bool:
        return self._options.keep_slower or min(speeds.values()) >= PAYS

    def _rows(self, graph: str, batch: int) -> Arrays:
        return {name: value[:batch] for name, value in self._inputs[graph].items()}

    def _measure_shared(self, candidates: Mapping[str, "Candidate"]) -> float:
        """Of the first ten of each search, how many float32 and the candidates share, in the mean."""
        if self._options.probe is None:
            raise ExportError("a search is judged on a corpus; name a --corpus")
        mixed, sides = Mixed(self._engine, candidates), dict(self._sides)
        for side in {self._bundle.graphs[graph].kind.side for graph in candidates} & set(sides):
            sides[side] = embeddings(self._options.probe, mixed, self._bundle.graphs, side)
        before = self._sides["video"] @ self._sides["music"].T
        return float(overlap(before, sides["video"] @ sides["music"].T).mean())


def with_reason(verdict: Verdict, reason: str) -> Verdict:
    return Verdict(**{**vars(verdict), "reason": reason})


def speedups(plain: Candidate, other: Candidate, rows: Callable[[str, int], Arrays]) -> dict[int, float]:
    """By batch, ``plain``'s median time over ``other``'s, run turn by turn. The thread's own time counts: one thread
    does all the work, and other work on this machine is not in it."""
    ratios = {}
    for batch in PAYING_BATCHES:
        feed = dict(rows(plain.spec.name, batch))
        times: tuple[list[float], list[float]] = ([], [])
        end = time.monotonic() + MEASURED_S
        while time.monotonic() < end or len(times[0]) < 5:
            for candidate, spent in zip((plain, other), times, strict=True):
                start = time.thread_time()
                candidate.session.run(None, feed)
                spent.append(time.thread_time() - start)
        ratios[batch] = statistics.median(times[0]) / max(statistics.median(times[1]), 1e-9)
    return ratios
