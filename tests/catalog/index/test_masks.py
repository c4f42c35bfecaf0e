"""Which rows of a flat index a search looks at."""

from pathlib import Path

import numpy as np
import pytest

from catalog.index.base import Where
from catalog.index.masks import EXACT_SHARE, Few, Masks
from catalog.records import Filters, Track


@pytest.mark.parametrize("seed", range(20))
def test_the_rows_are_those_of_the_tracks_that_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracks = [Track(f"{i}", "", "", Path("a"), 60.0, float(rng.integers(60, 180)), "", ()) for i in range(30)]
    counts = rng.integers(0, 5, 30)
    owners = np.repeat(np.arange(30), counts)
    masks = Masks(tracks, [0, *np.cumsum(counts).tolist()], {f"{i}": i for i in range(30)})
    assert masks.rows(Where()) is None
    for _ in range(20):
        exclude = frozenset(str(i) for i in rng.choice(35, rng.integers(0, 12), replace=False))
        only = frozenset(str(i) for i in rng.choice(35, 8)) if rng.random() < 0.4 else None
        condition = Filters(min_bpm=float(rng.choice([0.0, 120.0, 170.0])) or None)
        expected = {
            i
            for i, track in enumerate(tracks)
            if condition.passes(track) and track.id not in exclude and (only is None or track.id in only)
        }
        rows = masks.rows(Where(only, exclude, condition))
        assert rows is not None
        taken = rows.rows if isinstance(rows, Few) else np.flatnonzero(rows)
        assert taken.tolist() == [row for row, owner in enumerate(owners) if owner in expected]
        assert isinstance(rows, Few) == (only is not None or len(taken) < EXACT_SHARE * len(owners))


def test_what_a_condition_says_is_kept() -> None:
    tracks = [Track(f"{i}", "", "", Path("a"), 60.0, 100.0 + i, "", ()) for i in range(10)]
    masks = Masks(tracks, list(range(11)), {f"{i}": i for i in range(10)})
    first = masks.rows(Where(condition=Filters(min_bpm=104.0)))
    assert masks.rows(Where(condition=Filters(min_bpm=104.0))) is first
    assert masks.rows(Where(exclude=frozenset({"9"}), condition=Filters(min_bpm=104.0))) is not first
    again = masks.rows(Where(condition=Filters(min_bpm=104.0)))
    assert isinstance(again, np.ndarray) and again[9]
