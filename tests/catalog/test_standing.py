"""Where segments stand among the others, by value and by property; what a lean of the search brings."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Outline
from catalog.standing import Order, Scale, raw_of

NOTHING = np.zeros(0, np.float32)


def outline(lufs: float, onsets: int, seconds: int = 40) -> Outline:
    """As loud and as dense from its begin to its end."""
    loudness, dense = np.full(seconds, lufs, np.float32), np.full(seconds, onsets, np.uint8)
    return Outline(lufs, 5.0, -1.0, loudness, NOTHING.astype(np.uint8), ((0.0, 40.0),), 0.0, 40.0, NOTHING, NOTHING, (),
                   (), dense)  # fmt: skip


def standings(*of: Any) -> np.ndarray:
    """Of segments as all that a catalogue has."""
    raw = raw_of(*of)
    return Order(raw).standings(raw)


def stand(outlines: list[Outline | None], bpm: list[float], moods: np.ndarray | None = None) -> np.ndarray:
    count = len(outlines)
    spans = np.stack([np.arange(count), np.arange(1, count + 1)], axis=1)
    return standings(outlines, spans, np.zeros(count, np.int64), bpm, moods)


@given(st.lists(st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)), max_size=40))
def test_places_rise_with_the_values_and_are_centred(values: list[float]) -> None:
    array = np.array(values, np.float64)
    found, known = Scale(array).places(array), ~np.isnan(array)
    assert (np.isnan(found) == ~known).all()
    assert (np.abs(found[known]) <= 1.0).all() and (not known.any() or abs(found[known].mean()) < 1e-9)
    for one in np.flatnonzero(known):
        assert ((found[known] < found[one]) == (array[known] < array[one])).all()


def test_loud_and_dense_is_energetic() -> None:
    found = stand([outline(-10, 8), outline(-16, 4), outline(-24, 1)], [120.0, 100.0, 0.0])
    assert found.dtype == np.float32 and found.shape == (3, 4)
    assert found[:, 0].tolist() == pytest.approx([2 / 3, 0.0, -2 / 3])
    assert (found[:, 1:3] == 0.0).all()  # no mood is known
    assert found[0, 3] > found[1, 3] and found[2, 3] == 0.0  # no pulse: in the middle


def test_the_course_counts_and_not_the_whole_track() -> None:
    swelling = replace(outline(-20, 2), loudness=np.repeat(np.float32([-30, -10]), 28))
    spans, firsts = np.array([[0, 2]]), np.array([0, 7])
    soft, loud = standings([swelling], spans, firsts, [0.0], None)[:, 0]
    assert soft < 0 < loud
    behind = standings([replace(swelling, onsets=np.zeros(0, np.uint8))], spans, firsts, [0.0], None)[:, 0]
    assert behind.tolist() == [soft, loud]  # what is not there says nothing


def test_moods_have_axes_of_their_own() -> None:
    moods = np.array([[0.9, 0.1, 0.5], [0.1, 0.9, 0.4]], np.float32)
    found = stand([None, None], [0.0, 0.0], moods)
    assert found[:, :3].tolist() == [[0.5, -0.5, 0.5], [-0.5, 0.5, -0.5]]


def test_an_empty_catalogue_has_none() -> None:
    assert standings([], np.zeros((0, 2), np.int64), np.zeros(0, np.int64), [], None).shape == (0, 4)
