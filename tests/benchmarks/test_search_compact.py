"""The measurement of the compact index: the data's shape, and that every figure comes out."""

import math

import numpy as np
import pytest

from benchmarks import search_compact
from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.search_data import catalogue_queries, catalogue_rows, queries_of, shape_of, tracks_of


def test_the_data_are_shaped_as_real_ones() -> None:
    shape, rng = shape_of(128), np.random.default_rng(0)
    parts = list(tracks_of(shape, rng, 20_000))
    counts, vectors = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    assert counts.sum() == len(vectors) == 20_000 and 40 < counts.mean() < 50
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    owners = np.repeat(np.arange(len(counts)), counts)
    together = np.flatnonzero(owners[1:] == owners[:-1])
    following = (vectors[together] * vectors[together + 1]).sum(axis=1).mean()
    pairs = rng.integers(0, len(vectors), (2, 20_000))
    cosines = (vectors[pairs[0]] * vectors[pairs[1]]).sum(axis=1)
    within = np.mean([(vectors[owners == track] @ vectors[owners == track].T).mean() for track in range(50)])
    spectrum = np.cumsum(np.linalg.eigvalsh(np.cov(vectors.T))[::-1])
    directions = [int(np.searchsorted(spectrum, share * spectrum[-1])) + 1 for share in (0.5, 0.9, 0.99)]
    assert 0.86 < following < 0.89 and 0.70 < within < 0.76 and 0.22 < cosines.mean() < 0.28
    assert 0.20 < cosines.std() < 0.26
    assert all(abs(found - real) <= 3 for found, real in zip(directions, (4, 16, 36), strict=True))
    queries = queries_of(shape, rng, vectors, 100)
    assert 0.78 < (queries @ vectors.T).max(axis=1).mean() < 0.84


def test_with_what_a_catalogue_adds() -> None:
    shape, rng = shape_of(16), np.random.default_rng(0)
    parts = list(tracks_of(shape, rng, 300))
    counts, vectors = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    rows = catalogue_rows(vectors, counts, rng)
    queries = catalogue_queries(queries_of(shape, rng, vectors, 8), rng)
    assert rows.shape == (300, 21) and queries.shape == (8, 21) and rows.dtype == queries.dtype == np.float32
    assert (queries[:, 16] == 1.0).all() and np.count_nonzero(queries[:, 17:]) == 4


def test_every_figure_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "QUERIES": 16,
        "FILTERED": 8,
        "ROUNDS": 1,
        "CHANGED": 5,
        "OPENED": 1,
        "SHARES": (0.5, 0.1),
    }.items():
        monkeypatch.setattr(search_compact, name, value)
    rows = list(search_compact.measure_compact(20_000, 16, True, lambda _: None))
    assert {row.metric for row in rows} >= {
        "speedup_flat", "speedup_flat_warm", "track_recall32", "p50_ms", "p99_ms", "bytes_per_segment", "open_s",
        "searchable_s", "slowest_cpu", "slowest_wall", "build_s",
    }  # fmt: skip
    assert all(math.isfinite(row.value) and row.labels["vectors"] == 20_000 for row in rows)
    assert {row.labels.get("passing") for row in rows} == {None, 0.5, 0.1}
    assert min(row.value for row in rows if row.metric == "track_recall32") > 0.97


def test_too_few_vectors_are_refused() -> None:
    with pytest.raises(BenchError, match="at least 20000"):
        main("bench", ["search", "--vectors", "100"])
