"""Key frames: shots, their scores, and which picture of each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features.errors import FeatureError
from features.keyframes import colour_emotion, differences, key_frame_indices, key_frames, shots

GREY, RED, BLUE = (90, 90, 90), (230, 20, 20), (20, 20, 230)


def strip(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array([np.full((8, 8, 3), colour, np.uint8) for colour in colours])


def test_a_shot_ends_where_the_colours_jump() -> None:
    steps = differences(strip(GREY, GREY, RED, RED, RED, BLUE))
    assert steps.tolist() == [0, 0, 1, 0, 0, 1]
    assert shots(steps) == [range(0, 2), range(2, 5), range(5, 6)]


def test_saturated_pictures_move_more_than_grey_ones() -> None:
    red, grey, black = (colour_emotion(strip(colour)[0]) for colour in (RED, GREY, (0, 0, 0)))
    assert red > grey > black == 0.0
    s, b = 210 / 230, 230 / 255  # of the red one, by HSV
    assert red == pytest.approx(np.hypot(0.69 * b + 0.22 * s, -0.31 * b + 0.6 * s), rel=0.01)


def test_the_best_shots_give_one_picture_each_in_the_order_of_time() -> None:
    pictures = strip(GREY, GREY, RED, RED, BLUE, BLUE)
    assert key_frame_indices(pictures, 2).tolist() == [3, 5]
    assert key_frame_indices(pictures, 3).tolist() == [1, 3, 5]
    assert (key_frames(pictures, 1)[0] == pictures[3]).all() or (key_frames(pictures, 1)[0] == pictures[5]).all()


def test_any_score_may_choose() -> None:
    darkest = key_frame_indices(strip(GREY, GREY, RED, RED), 1, score=lambda picture: -float(picture.sum()))
    assert darkest.tolist() in ([2], [3], [1])


@settings(max_examples=40, deadline=None)
@given(
    pictures=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.just(4), st.just(4), st.just(3))),
    count=st.integers(1, 16),
)
def test_as_many_as_asked_rising_and_each_once_while_there_are_enough(pictures: np.ndarray, count: int) -> None:
    found = key_frame_indices(pictures, count)
    assert len(found) == count and (np.diff(found) >= 0).all()
    assert len(set(found.tolist())) == min(count, len(pictures))


def test_nothing_has_no_key_frames() -> None:
    with pytest.raises(FeatureError, match="give at least one"):
        key_frame_indices(np.zeros((0, 4, 4, 3), np.uint8), 2)
