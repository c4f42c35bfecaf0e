"""A new scene, a new shot, a flash, a conversation, a drift: told apart by value."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.appearance import ColourStats
from features.frame import FrameFeatures
from stream.core.scene import DIFFERENT, Change, SceneMeter, look, nearest

NIGHT, BEACH, WOOD = (40, 0.1, 0.3, 0.1), (200, 0.6, 0.8, 0.5), (110, 0.9, 0.2, 1.5)


def frame(grey: float, colourful: float, warmth: float, speed: float, seed: int = 0, cut: float = 0.0) -> FrameFeatures:
    noise = np.random.default_rng(seed).normal(0, 6, (64, 64))
    thumb = np.clip(grey + noise, 0, 255).astype(np.uint8)
    return FrameFeatures(thumb, ColourStats(grey / 255, 0.3, colourful, warmth), speed, 0, 0, 0, cut)


def changes(shots: list[tuple[Any, float]], cut: float = 0.9, step: int = 1) -> list[tuple[int, Change]]:
    """Shots (look, seconds), a cut between each two -> what the meter said, and in which slot."""
    meter, slot, said = SceneMeter(), 0, []
    for number, (what, seconds) in enumerate(shots):
        first = slot
        for slot in range(first, first + round(8 * seconds), step):
            change = meter.push(slot, frame(*what, seed=slot, cut=cut if slot == first and number else 0.0))
            if change is not None:
                said.append((slot, change))
        slot += step
    return said


@pytest.mark.parametrize("after", [BEACH, WOOD])
def test_a_lasting_change_begins_at_its_cut_and_is_told_two_seconds_later(after: Any) -> None:
    assert changes([(NIGHT, 6), (after, 6)]) == [(63, Change(48, True))]


def test_at_one_picture_a_second_too() -> None:
    assert changes([(NIGHT, 6), (BEACH, 6)], step=8) == [(64, Change(48, True))]


def test_another_shot_of_the_same_scene_is_none() -> None:
    assert changes([(NIGHT, 6), ((46, 0.15, 0.34, 0.12), 6)]) == []


def test_a_flash_is_none() -> None:
    assert changes([(NIGHT, 5), ((255, 0.0, 0.5, 0.1), 0.25), (NIGHT, 5)]) == []


@pytest.mark.parametrize("shot_s", [1.0, 1.5])
def test_a_quick_conversation_is_one_scene(shot_s: float) -> None:
    assert changes([(NIGHT, shot_s), (BEACH, shot_s)] * 8) == []


@pytest.mark.parametrize("shot_s", [3.0, 4.0, 6.0])
def test_a_slow_conversation_is_one_scene_once_the_first_shot_is_back(shot_s: float) -> None:
    shot = round(8 * shot_s)
    said = changes([(NIGHT, shot_s), (BEACH, shot_s)] * 5)
    assert said == [(shot + 15, Change(shot, True)), (2 * shot + 15, Change(0, False))]


def test_a_place_left_for_long_is_left_for_good() -> None:
    said = [change for _, change in changes([(NIGHT, 10), (BEACH, 10), (NIGHT, 10)])]
    assert said == [Change(80, True), Change(160, True)]


def test_a_drift_is_none_even_with_cuts_in_it() -> None:
    def at(share: float) -> tuple[float, ...]:
        return tuple(a + share * (b - a) for a, b in zip(NIGHT, BEACH, strict=True))

    meter = SceneMeter()
    said = [meter.push(s, frame(*at(s / 320), seed=s, cut=0.8 if s % 80 == 40 else 0.0)) for s in range(320)]
    assert said == [None] * 320


def test_without_a_cut_there_is_no_change() -> None:
    assert changes([(NIGHT, 6), (BEACH, 6)], cut=0.49) == []


def test_the_first_second_is_nothing_to_compare_with() -> None:
    assert changes([(NIGHT, 0.5), (BEACH, 8)]) == []


def test_a_change_soon_after_another_belongs_to_it() -> None:
    said = [change for _, change in changes([(NIGHT, 8), (BEACH, 3), (WOOD, 8)])]
    assert said == [Change(64, True)]


def test_looks_do_not_depend_on_where_things_stand() -> None:
    one = frame(*WOOD)
    turned = FrameFeatures(one.thumb[::-1, ::-1].copy(), one.colour, one.speed, 0, 0, 0, 0)
    assert look(one) == pytest.approx(look(turned))
    rows = np.stack([look(frame(*what)) for what in (NIGHT, BEACH, WOOD)])
    assert nearest(rows, rows) == pytest.approx(np.zeros(3))
    assert (nearest(rows[:1], rows[1:]) > 2 * DIFFERENT).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([NIGHT, BEACH, WOOD]), st.floats(0.25, 9)), min_size=1, max_size=12))
def test_whatever_is_cut_changes_are_apart_and_memory_is_bounded(shots: list[tuple[Any, float]]) -> None:
    said = changes(shots)
    new = [change.start for _, change in said if change.lasting]
    assert all(second - first >= 32 for first, second in pairwise(new))
    assert all(change.start <= slot - 15 for slot, change in said)
    assert said == changes(shots)


def test_memory_is_bounded() -> None:
    meter = SceneMeter()
    for slot in range(1000):
        meter.push(slot, frame(*NIGHT, cut=0.9))
    assert len(meter._looks) == 224 and len(meter._cuts) <= 2
