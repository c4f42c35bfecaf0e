"""The loudness that tracks are brought to, and how."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.gain import CEILING_DB, FLOOR_LUFS, LEAST_DB, MOST_DB, TARGET_LUFS, common_lufs, gain_db
from catalog.records import Outline

NONE = np.empty(0, np.float32)


def outline(lufs: float, peak_db: float) -> Outline:
    return Outline(lufs, 5.0, peak_db, NONE, NONE.astype(np.uint8), ((0.0, 9.0),), 0.0, 9.0, NONE, NONE, ())


LEVELS = st.tuples(st.floats(-60, 0), st.floats(-40, 3))


@given(LEVELS, st.floats(-30, -8))
def test_a_gain_is_bounded_and_leaves_the_peak_its_room(level: tuple[float, float], target: float) -> None:
    lufs, peak = level
    gain = gain_db(outline(lufs, peak), target)
    assert LEAST_DB <= gain <= MOST_DB
    assert gain == LEAST_DB or peak + gain <= CEILING_DB + 1e-9
    assert lufs + gain <= target + 1e-9 or gain == LEAST_DB


@pytest.mark.parametrize(
    ("levels", "common"),
    [
        ([], TARGET_LUFS),
        ([(-14.0, -1.0)] * 5, TARGET_LUFS),
        ([(-14.0, -1.0)] * 5 + [(-20.0, -3.0)], -16.0),  # two below: near enough
        ([(-14.0, -1.0)] * 5 + [(-20.0, -1.5)], -17.5),
        ([(-14.0, -1.0)] * 5 + [(-40.0, -1.0)], FLOOR_LUFS),
        ([(-14.0, -1.0)] * 30 + [(-40.0, -1.0)], TARGET_LUFS),  # one of thirty
        ([(float("-inf"), -90.0)], TARGET_LUFS),
    ],
)
def test_the_common_loudness_is_one_that_most_tracks_reach(levels: list[tuple[float, float]], common: float) -> None:
    assert common_lufs(outline(*level) for level in levels) == pytest.approx(common)


def test_a_track_too_soft_to_be_measured_is_left_as_it_is() -> None:
    assert gain_db(outline(float("-inf"), -90.0)) == 0.0
