"""How far each engine's answers are from the reference's."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Row
from engines.base import Engine
from engines.errors import EngineError

from .contenders import Contender
from .material import draw_inputs
from .timing import OwnLabels

BATCHES: Final = (1, 2, 3, 7, 32)


def parity_rows(contender: Contender, reference: Engine) -> Iterator[Row]:
    """``difference``: the largest absolute one over the batches; ``cosine``: the lowest of a row. Same weights."""
    engine = contender.ready
    for graph, spec in reference.bundle.manifest.graphs.items():
        labels: OwnLabels = {
            "graph": graph,
            "engine": contender.name,
            "precision": contender.precision,
        }
        if not contender.runs(graph):
            continue
        worst, lowest, rng = 0.0, 1.0, np.random.default_rng(3)
        try:
            for batch in BATCHES:
                inputs = draw_inputs(spec, batch, rng)
                outputs, expected = engine.run(graph, inputs), reference.run(graph, inputs)
                for output in expected:
                    worst = max(worst, float(np.abs(outputs[output] - expected[output]).max()))
                    lowest = min(lowest, float(cosines(outputs[output], expected[output]).min()))
        except EngineError as error:
            yield Row("failed", 1.0, 1, "", {**labels, "reason": str(error).splitlines()[0]})
            continue
        yield Row("difference", worst, sum(BATCHES), "", labels)
        if reference.bundle.graphs[graph].width:
            yield Row("cosine", lowest, sum(BATCHES), "", labels)


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    a64, b64 = a.reshape(len(a), -1).astype(np.float64), b.reshape(len(b), -1).astype(np.float64)
    lengths = np.linalg.norm(a64, axis=1) * np.linalg.norm(b64, axis=1)
    return np.asarray((a64 * b64).sum(axis=1) / np.maximum(lengths, 1e-12))
