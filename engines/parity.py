"""Do two engines give the same outputs? Over batch sizes, masks and extreme inputs, with NumPy alone.

``compare`` runs both and gives a row for each case; ``fault`` says what is wrong with a row. In float32 two engines
may differ by 1e-4. In another precision an embedding keeps its direction
(cosine at least .999), a score or mood its value within .02, and a search its answers: at least 9 of the first 10.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .base import Arrays
from .errors import EngineFailed
from .graphs import Graphs
from .manifest import PRECISIONS, GraphSpec, TensorSpec

TOLERANCE: Final = 1e-4
COSINE: Final = 0.999
SCORE_TOLERANCE: Final = 0.02
TOP: Final = 10
OVERLAP: Final = 9.0  # of the first TOP, the mean over the queries

BATCHES: Final = (1, 2, 3, 7, 32)
EXTREME_BATCHES: Final = (1, 7)  # the effect of a value on a row does not depend on the number of rows
MASKS: Final = ("full", "single", "ragged")
EXTREMES: Final = ("zeros", "saturated", "denormal")
DENORMAL: Final = 1e-40  # below the smallest normal float32, 1.2e-38

UNIT_RANGE: Final = ("score", "mood")  # outputs

Ranges = Mapping[str, tuple[float, float]]


class Answers(Protocol):
    """The part of an engine that is needed here; torch itself may stand behind it."""

    @property
    def name(self) -> str: ...
    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Row:
    """One output of a graph in one case. ``cosine``: the least of any row, 1 where an output is one number a row;
    ``scale``: the largest absolute value of the reference; ``problem``: what made the numbers meaningless, or empty."""

    graph: str
    output: str
    reference: str
    engine: str
    precision: str
    batch: int
    pattern: str
    difference: float
    cosine: float
    scale: float
    problem: str = ""


def compare(
    reference: Answers,
    engine: Answers,
    specs: Sequence[GraphSpec],
    precision: str = PRECISIONS[0],
    ranges: Ranges | None = None,
    batches: Sequence[int] = BATCHES,
    seed: int = 0,
) -> list[Row]:
    """Rows for every graph of ``specs``, batch size, mask and extreme.

    ``ranges``: lowest and highest value of float inputs by name, (-1, 1) for the others. An ``EngineFailed`` of
    ``engine`` becomes the rows' ``problem``; any other exception of either passes through.
    """
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for spec in specs:
        for batch, pattern in cases(spec, batches):
            inputs = draw_inputs(spec, batch, pattern, rng, ranges or {})
            rows += compare_case(reference, engine, spec, inputs, precision, pattern)
    return rows


def compare_case(
    reference: Answers, engine: Answers, spec: GraphSpec, inputs: Arrays, precision: str, pattern: str
) -> list[Row]:
    """One case for both engines: a row for each output."""
    expected = reference.run(spec.name, inputs)
    try:
        outputs: Mapping[str, NDArray[Any]] = engine.run(spec.name, inputs)
        problem = ""
    except EngineFailed as error:
        outputs, problem = {}, str(error)
    batch = len(next(iter(inputs.values())))
    return [
        Row(
            spec.name,
            output,
            reference.name,
            engine.name,
            precision,
            batch,
            pattern,
            **numbers(outputs.get(output), value, problem),
        )
        for output, value in expected.items()
    ]


def numbers(actual: NDArray[Any] | None, expected: NDArray[Any], failed: str = "") -> dict[str, Any]:
    """``difference``, ``cosine``, ``scale`` and ``problem`` of a row."""
    problem = failed
    if actual is None:
        problem = failed or "is missing"
    elif actual.shape != expected.shape or actual.dtype != expected.dtype:
        problem = f"is {actual.dtype} {actual.shape}, must be {expected.dtype} {expected.shape}"
    elif not (np.isfinite(actual).all() and np.isfinite(expected).all()):
        problem = "holds NaN or infinity"
    if problem or actual is None:
        return {"difference": float("inf"), "cosine": -1.0, "scale": 0.0, "problem": problem}
    return {
        "difference": float(np.abs(actual - expected).max()),
        "cosine": cosine(actual, expected),
        "scale": float(np.abs(expected).max()),
    }


def fault(row: Row) -> str | None:
    """What is wrong with a row, in words that name its graph, batch and pattern; None where nothing is."""
    where = f"graph {row.graph}, batch {row.batch}, {row.pattern}: output {row.output}"
    if row.problem:
        return f"{where} {row.problem}"
    if row.precision == PRECISIONS[0]:
        if row.difference > TOLERANCE:
            return f"{where} differs from {row.reference} by {row.difference:.2e}, may differ by {TOLERANCE:.0e}"
        return None
    if row.output in UNIT_RANGE:
        if row.difference > SCORE_TOLERANCE:
            return f"{where} differs from {row.reference} by {row.difference:.3f}, may differ by {SCORE_TOLERANCE}"
    elif row.cosine < COSINE:
        return f"{where} has cosine {row.cosine:.5f} to {row.reference}, must have {COSINE}"
    return None


def contract_fault(graphs: Graphs, graph: str, value: NDArray[Any], inputs: Arrays) -> str | None:
    """What is wrong with an output by itself: queries and segments must have unit norm, score and mood be in [0, 1];
    None where nothing is.

    A window of nothing but zeros has no direction in a linear system, and its embedding no length.
    """
    if graphs[graph] in graphs.ends.values() and not empty(inputs):
        norms = np.linalg.norm(value, axis=-1)
        if np.abs(norms - 1).max() > TOLERANCE * 10:
            return f"has norms from {norms.min():.4f} to {norms.max():.4f}, must be 1"
    if graphs[graph].output in UNIT_RANGE and not (value.min() >= 0 and value.max() <= 1):
        return f"ranges from {value.min():.4f} to {value.max():.4f}, must be in [0, 1]"
    return None


def empty(inputs: Arrays) -> bool:
    """Whether every float of ``inputs`` is zero or denormal."""
    return all(np.abs(array).max() <= DENORMAL for array in inputs.values() if array.dtype == np.float32)


def worst(rows: Sequence[Row]) -> list[Row]:
    """Of each graph, engine and precision the row furthest from its reference: a report's summary."""
    chosen: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = (row.graph, row.engine, row.precision)
        if key not in chosen or row.difference > chosen[key].difference:
            chosen[key] = row
    return list(chosen.values())


def flat(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For a JSON report: two objects a row, metric ``difference`` and ``cosine``, with ``fault`` where there is one.

    JSON has no infinity: a row without numbers has value null.
    """
    report = []
    for row in rows:
        labels = {key: value for key, value in asdict(row).items() if key not in ("difference", "cosine", "problem")}
        faults = {"fault": text} if (text := fault(row)) else {}
        for metric, value in (("difference", row.difference), ("cosine", row.cosine)):
            report.append({**labels, "metric": metric, "value": None if row.problem else value, **faults})
    return report


def cases(spec: GraphSpec, batches: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Batch size and pattern of every case of a graph."""
    masked = any(tensor.dtype == "bool" for tensor in spec.inputs)
    for batch in batches:
        for mask in MASKS if masked else MASKS[:1]:
            yield batch, mask
        if batch in EXTREME_BATCHES:
            for extreme in EXTREMES:
                yield batch, extreme


def draw_inputs(
    spec: GraphSpec, batch: int, pattern: str, rng: np.random.Generator, ranges: Ranges
) -> dict[str, NDArray[Any]]:
    return {tensor.name: draw(tensor, batch, pattern, rng, ranges.get(tensor.name)) for tensor in spec.inputs}


def draw(
    tensor: TensorSpec, batch: int, pattern: str, rng: np.random.Generator, limits: tuple[float, float] | None = None
) -> NDArray[Any]:
    """Random input of a tensor's kind: floats within ``limits``, all bytes, masks with the valid clips first.

    The extremes: ``zeros``; ``saturated``, bytes of 255 and floats ten times beyond the end of their limits that is
    further from 0; ``denormal``, floats that only a denormal number holds, and bytes of 1. Their masks are full.
    """
    shape = (batch, *(int(size) for size in tensor.shape[1:]))
    if tensor.dtype == "bool":
        lengths = {"single": np.ones(batch, int), "ragged": rng.integers(1, shape[1] + 1, batch)}
        valid = lengths.get(pattern, np.full(batch, shape[1]))
        return np.arange(shape[1]) < valid[:, None]
    if pattern == "zeros":
        return np.zeros(shape, tensor.dtype)
    low, high = limits if limits is not None and limits[0] < limits[1] else (-1.0, 1.0)
    if tensor.dtype == "uint8":
        fixed = {"saturated": 255, "denormal": 1}.get(pattern)
        return rng.integers(0, 256, shape, np.uint8) if fixed is None else np.full(shape, fixed, np.uint8)
    if pattern == "saturated":
        return np.full(shape, 10 * (low if -low > high else high), np.float32)
    if pattern == "denormal":
        return np.full(shape, DENORMAL, np.float32)
    return rng.uniform(low, high, shape).astype(np.float32)


def cosine(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    """The least cosine between rows of both, (n, d); 1 for (n,), and where both rows are zero."""
    if actual.ndim < 2:
        return 1.0
    left, right = (array.reshape(len(array), -1).astype(np.float64) for array in (actual, expected))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    products = (left * right).sum(axis=1)
    same = ~left.any(axis=1) & ~right.any(axis=1)
    return float(np.where(same, 1.0, products / np.where(norms > 0, norms, 1.0)).min())


def overlap(expected: NDArray[Any], actual: NDArray[Any], top: int = TOP) -> NDArray[np.int64]:
    """(n,) how many of the first ``top`` of a gallery both rankings share, for each query.

    ``expected`` and ``actual``: (n, gallery) similarities of the same queries to the same gallery, from two sources.
    """
    first, second = (np.argsort(-scores, axis=1, kind="stable")[:, :top] for scores in (expected, actual))
    return np.array([len(np.intersect1d(left, right)) for left, right in zip(first, second, strict=True)], np.int64)
