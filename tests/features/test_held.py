"""Slots that a held picture fills."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.appearance import ColourStats
from features.frame import FrameFeatures
from features.held import filled, held
from features.slots import is_held

COLOUR = ColourStats(0.5, 0.5, 0.5, 0.5)


def frame(number: int) -> FrameFeatures:
    return FrameFeatures(thumb=number, colour=COLOUR, speed=1.0, dx=0.5, dy=0.2, onset=2.0, cut=0.9)


def test_held_keeps_the_looks_and_nothing_moves():
    still = held(frame(3))
    assert still.thumb == 3 and still.colour is COLOUR
    assert (still.speed, still.dx, still.dy, still.onset, still.cut) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(("before", "slot", "was"), [(0, 8, False), (0, 9, True), (7, 15, False), (7, 16, True)])
def test_a_second_is_not_held_and_more_is(before, slot, was):
    assert is_held(before, slot) is was


@given(st.lists(st.booleans(), max_size=60))
def test_holes_of_more_than_a_second_are_filled_and_others_stay(there):
    slots = [frame(n) if each else None for n, each in enumerate(there)]
    found, given_ = filled(slots), [n for n, each in enumerate(there) if each]
    assert len(found) == len(slots) and all(found[n] is slots[n] for n in given_)
    assert all(found[n] is None for n in range(given_[0] if given_ else len(slots)))
    for before, after in itertools.pairwise([*given_, len(slots)]):
        for n in range(before + 1, after):
            assert found[n] == (held(slots[before]) if after - before > 8 else None)
