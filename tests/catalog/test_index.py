"""The index against brute force."""

import numpy as np
import pytest

from catalog.index import EXACT_SHARE, SegmentIndex


def unit(rng: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    vectors = rng.normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def brute_force(vectors, owners, query, n, allowed):
    """(owner, row) of the best row of each of the n best owners."""
    best: dict[int, tuple[float, int]] = {}
    for row in range(len(vectors)):
        if allowed is not None and not allowed[row]:
            continue
        score = float(np.dot(vectors[row].astype(np.float64), query.astype(np.float64)))
        if owners[row] not in best or score > best[owners[row]][0]:
            best[owners[row]] = (score, row)
    ranked = sorted(best.values(), key=lambda pair: -pair[0])[:n]
    return [row for _, row in ranked], [score for score, _ in ranked]


@pytest.mark.parametrize("share", [None, 0.5, 0.9 * EXACT_SHARE, 0.01])
@pytest.mark.parametrize("n", [1, 7, 60, 1000])
def test_the_best_row_of_each_track_as_brute_force_finds_it(n: int, share: float | None) -> None:
    rng = np.random.default_rng(n)
    # Tracks of very unequal length: one owns half of all rows, so that fetching a few rows meets few tracks.
    owners = np.sort(np.concatenate([np.zeros(1000, np.int64), rng.integers(1, 60, 1000)]))
    vectors = unit(rng, 2000, 24)
    allowed = None if share is None else rng.random(2000) < share
    index = SegmentIndex(vectors, owners)
    for query in unit(rng, 20, 24):
        rows, scores = brute_force(vectors, owners, query, n, allowed)
        hits = index.search(query, n, allowed)
        assert [hit.row for hit in hits] == rows
        np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-5)


def test_a_track_that_crowds_the_top_hides_no_other() -> None:
    rng = np.random.default_rng(0)
    query = unit(rng, 1, 8)[0]
    crowd = query + 1e-3 * rng.normal(size=(500, 8)).astype(np.float32)
    vectors = np.concatenate([crowd, unit(rng, 5, 8)]).astype(np.float32)
    owners = np.array([0] * 500 + [1, 2, 3, 4, 5])
    assert {owners[hit.row] for hit in SegmentIndex(vectors, owners).search(query, 6)} == {0, 1, 2, 3, 4, 5}


def test_ties_break_by_row() -> None:
    same = np.tile(np.eye(4, dtype=np.float32)[0], (6, 1))
    hits = SegmentIndex(same, np.array([0, 0, 1, 1, 2, 2])).search(same[0], 3)
    assert [hit.row for hit in hits] == [0, 2, 4]


def test_nothing_to_find() -> None:
    empty = SegmentIndex(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    query = np.eye(4, dtype=np.float32)[0]
    assert empty.search(query, 3) == []
    one = SegmentIndex(query[None], np.zeros(1, np.int64))
    assert one.search(query, 0) == []
    assert one.search(query, 3, np.zeros(1, bool)) == []


@pytest.mark.parametrize(
    "query", [np.zeros(3, np.float32), np.zeros((1, 4), np.float32), np.full(4, np.nan, np.float32)]
)
def test_a_query_that_is_no_vector_of_the_index_is_refused(query: np.ndarray) -> None:
    index = SegmentIndex(np.eye(4, dtype=np.float32), np.arange(4))
    with pytest.raises(ValueError, match="query"):
        index.search(query, 1)


def test_owners_for_each_row() -> None:
    with pytest.raises(ValueError, match="owners"):
        SegmentIndex(np.eye(4, dtype=np.float32), np.arange(3))
