"""How far each engine's answers are from the reference's, and whether that changes the tracks found."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Row
from catalog.catalog import Catalog
from engines.base import Engine
from engines.errors import EngineError

from .contenders import Contender
from .material import draw_inputs, draw_scenes, embeddings
from .timing import OwnLabels

BATCHES: Final = (1, 2, 3, 7, 32)
TOP: Final = 10


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


def overlap_rows(field: Sequence[Contender], reference: Engine, folder: Path, scenes: int) -> list[Row]:
    """``top10_overlap``: of the ten tracks that the reference finds in the catalogue for a scene of the studio, how
    many each other engine finds as well; the lowest of all scenes and the mean. Raises the errors of catalogues."""
    windows = draw_scenes(reference.bundle, scenes)
    rows: list[Row] = []
    with Catalog.open(folder, reference.bundle) as catalog:
        expected = [top_tracks(catalog, vector) for vector in embeddings(reference, windows)]
        for contender in field:
            vectors = embeddings(contender.ready, windows)
            shares = [len(top_tracks(catalog, vector) & ids) for vector, ids in zip(vectors, expected, strict=True)]
            labels: OwnLabels = {"engine": contender.name, "precision": contender.precision, "tracks": len(catalog)}
            rows += [
                Row("top10_overlap_lowest", float(min(shares)), scenes, f"of {TOP}", labels),
                Row("top10_overlap_mean", float(np.mean(shares)), scenes, f"of {TOP}", labels),
            ]
    return rows


def top_tracks(catalog: Catalog, vector: NDArray[np.float32]) -> set[str]:
    return {candidate.track.id for candidate in catalog.search(vector, TOP)}
