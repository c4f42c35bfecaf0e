"""Where the weights of a convolution over time go, by value: each part against the sum that it stands for."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.temporal_stacking import LANES, moments_per_picture, neighbours, part_of_window, runs, window


@pytest.mark.parametrize(
    ("channels", "moments", "held"),
    [(8, 16, 1), (24, 8, 1), (12, 16, 2), (6, 16, 4), (12, 5, 1), (3, 16, 8), (5, 7, 1)],
)
def test_the_fewest_moments_that_leave_no_lane_empty(channels: int, moments: int, held: int) -> None:
    assert moments_per_picture(channels, moments) == held


@given(channels=st.integers(1, 300), moments=st.integers(1, 40))
def test_what_is_held_makes_whole_pictures(channels: int, moments: int) -> None:
    held = moments_per_picture(channels, moments)
    assert moments % held == 0 and (held == 1 or held * channels % LANES == 0)


def test_one_moment_s_window_is_the_weight_itself() -> None:
    weight = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 1, 1)
    np.testing.assert_array_equal(
        part_of_window(weight, stride=1, held=1, first=0, count=3), weight.transpose(0, 2, 1, 3, 4).reshape(2, 9, 1, 1)
    )


def test_two_moments_of_one_channel() -> None:
    weight = np.array([1, 2, 3], np.float32).reshape(1, 1, 3, 1, 1)
    whole = part_of_window(weight, stride=1, held=2, first=0, count=4)
    assert whole[:, :, 0, 0].tolist() == [[1, 2, 3, 0], [0, 1, 2, 3]]
    beyond = part_of_window(weight, stride=2, held=2, first=-1, count=7)
    assert beyond[:, :, 0, 0].tolist() == [[0, 1, 2, 3, 0, 0, 0], [0, 0, 0, 1, 2, 3, 0]]


@given(
    channels=st.integers(1, 3),
    outputs=st.integers(1, 3),
    taps=st.integers(1, 5),
    stride=st.integers(1, 4),
    held=st.integers(1, 4),
    data=st.data(),
)
def test_any_parts_of_a_window_are_the_whole(
    channels: int, outputs: int, taps: int, stride: int, held: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(taps)
    length = window(stride, held, taps)
    weight = rng.integers(-9, 9, (outputs, channels, taps, 1, 1)).astype(np.float32)
    film = rng.integers(-9, 9, (length, channels)).astype(np.float32)
    expected = [
        sum(weight[:, :, tap, 0, 0] @ film[stride * moment + tap] for tap in range(taps)) for moment in range(held)
    ]
    cuts = sorted({0, length, *data.draw(st.lists(st.integers(0, length), max_size=3))})
    found = np.zeros(held * outputs, np.float32)
    for first, end in pairwise(cuts):
        part = part_of_window(weight, stride, held, first, end - first)
        found += part[:, :, 0, 0] @ film[first:end].ravel()
    np.testing.assert_array_equal(found, np.concatenate(expected))


@pytest.mark.parametrize(
    ("stride", "held", "taps", "before", "block", "around"),
    [
        (2, 1, 3, 1, 2, [-1, 0]),
        (2, 1, 3, 0, 2, [0, 1]),
        (1, 2, 1, 0, 2, [0]),
        (4, 1, 5, 2, 4, [-1, 0]),
        (2, 2, 7, 3, 4, [-1, 0, 1]),
    ],
)
def test_which_pictures_a_window_reaches(
    stride: int, held: int, taps: int, before: int, block: int, around: list[int]
) -> None:
    assert list(neighbours(stride, held, taps, before, block)) == around


@given(length=st.integers(1, 40), inputs=st.integers(1, 40))
def test_runs_cover_a_window_once(length: int, inputs: int) -> None:
    parts = runs(length, inputs)
    assert [moment for first, count in parts for moment in range(first, first + count)] == list(range(length))
    assert len(parts) == 1 or all(count * inputs < LANES for _, count in parts)


def test_few_channels_are_read_as_they_lie() -> None:
    assert runs(3, 3) == [(0, 2), (2, 1)]
    assert runs(4, 3) == [(0, 2), (2, 2)]
    assert runs(4, 4) == [(0, 4)], "full lanes"
    assert runs(5, 12) == [(0, 5)]
    assert runs(1, 3) == [(0, 1)]
