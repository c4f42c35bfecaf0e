"""A catalogue of any size, drawn from the distribution of a real one, to show what happens when a library grows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from catalog.catalog import Catalog
from catalog.index.base import IndexOptions, SearchState, Segments, Where
from catalog.index.flat import FlatIndex
from catalog.records import Candidate, Filters, Floats

SEGMENTS = 6  # of a drawn track


class DrawnCatalog:
    """A ``stream.driver.runtime.Library`` of ``tracks`` drawn tracks. Vectors are normal with the mean and the
    covariance of the real ones, those of one track near one another; the fields that ranking reads
    come from real tracks."""

    def __init__(self, real: Catalog, tracks: int, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self._real = real
        vectors = np.stack([real.vector(track.id) for track in real.tracks()])
        models = [_model(real, track.id, vector) for track, vector in zip(real.tracks(), vectors, strict=True)]
        centres = rng.multivariate_normal(vectors.mean(axis=0), np.cov(vectors.T), tracks).astype(np.float32)
        spread = 0.5 * float(vectors.std())
        drawn = np.repeat(centres, SEGMENTS, axis=0) + rng.normal(0, spread, (tracks * SEGMENTS, len(vectors[0])))
        drawn = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        candidates = [self._named(models[int(rng.integers(len(models)))], n) for n in range(tracks)]
        self._candidates = {candidate.track.id: candidate for candidate in candidates}
        self._index = FlatIndex(IndexOptions(real.folder, drawn.shape[1]))
        counts = np.full(tracks, SEGMENTS, np.int64)
        self._index.upsert(Segments([candidate.track for candidate in candidates], counts, drawn))

    def search(
        self,
        query: Floats,
        n: int,
        filters: Filters,
        keep: frozenset[str] = frozenset(),
        lean: Sequence[float] = (),
    ) -> list[Candidate]:
        """As ``Catalog.search``, but without filters and without ``lean``."""
        hits = self._index.search(query, n)
        if missing := keep - {hit.track for hit in hits}:
            hits += self._index.search(query, len(missing), Where(only=missing))
        return [replace(self._candidates[hit.track], similarity=hit.score, zscore=None) for hit in hits]

    def beats(self, id: str) -> Floats:
        return np.empty(0, np.float32)

    @property
    def search_state(self) -> SearchState:
        return self._real.search_state

    def _named(self, model: Candidate, number: int) -> Candidate:
        return replace(model, track=replace(model.track, id=f"{number:016x}", title=f"drawn {number}"))


def _model(real: Catalog, track: str, vector: Floats) -> Candidate:
    hits: Sequence[Candidate] = real.search(vector, 1, Filters(only=frozenset({track})))
    return hits[0]
