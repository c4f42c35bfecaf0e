"""Segments -> tracks, against sorting everything in Python."""

import numpy as np
import pytest

from catalog.index.grouping import best_of_each


@pytest.mark.parametrize("seed", range(10))
def test_the_best_segment_of_each_of_the_best_owners(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 60))
    owners, places = rng.integers(0, 12, count), rng.permutation(count)
    scores = rng.integers(0, 6, count).astype(np.float32)  # many are equal
    wanted: dict[int, int] = {}
    for i in sorted(range(count), key=lambda i: (-scores[i], places[i])):
        wanted.setdefault(int(owners[i]), i)
    for n in (-1, 0, 1, 5, 50):
        assert best_of_each(owners, scores, places, n).tolist() == list(wanted.values())[: max(n, 0)]
