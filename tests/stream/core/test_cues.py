"""Where to leave a track, where it may be repeated, and what is told of one on air."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from catalog.records import Loop
from stream.core.cues import LEAST_S, leave_at, loop_at, music_end
from stream.core.on_air import OnAir

Fake = Callable[..., Any]
NONE = np.empty(0, np.float32)


def test_music_ends_where_a_silence_begins(outline: Fake) -> None:
    hidden = outline(music_s=((0.0, 100.0), (280.0, 330.0)))
    assert [music_end(hidden, at) for at in (0.0, 99.9, 100.0, 300.0, 331.0)] == [100.0, 100.0, 330.0, 330.0, None]


def test_it_is_left_at_a_sections_end_before_the_outro(outline: Fake) -> None:
    assert leave_at(outline(sections_s=np.array([40.0, 160.0], np.float32)), 10.0) == 160.0


def test_else_at_the_last_bar_before_the_outro(outline: Fake) -> None:
    assert leave_at(outline(), 10.0) == 170.0 and leave_at(outline(outro_s=169.0), 10.0) == 168.0


def test_else_at_the_outro_and_else_at_the_end_of_the_music(outline: Fake) -> None:
    bare = outline(sections_s=NONE, downbeats_s=NONE)
    assert leave_at(bare, 10.0) == 170.0
    assert leave_at(bare, 175.0) == 180.0
    assert leave_at(bare, 181.0) is None


def test_no_place_to_leave_is_nearer_than_is_worth_it(outline: Fake) -> None:
    assert leave_at(outline(), 165.0) == 170.0  # the outro itself, not a bar before it
    assert leave_at(outline(sections_s=np.array([160.0], np.float32)), 160.0 - LEAST_S + 1) == 170.0


def test_the_best_loop_that_is_still_to_come(outline: Fake) -> None:
    loops = (Loop(8.0, 40.0, 0.9), Loop(40.0, 104.0, 0.8))
    assert loop_at(outline(loops=loops), 0.0) == (8.0, 40.0)
    assert loop_at(outline(loops=loops), 30.0) == (40.0, 104.0)
    assert loop_at(outline(loops=loops), 100.0) is None
    assert loop_at(outline(loops=loops), 100.0, 0.0) == (40.0, 104.0)  # of what plays: until it is reached


def test_the_next_track_is_told_when_the_end_is_near(outline: Fake) -> None:
    air = OnAir("a", outline=outline())
    assert air.now(["a", "b"], 5.0).position_s is None and air.now(["a", "b"], 5.0).next is None
    air.at(100.0, 5.0)
    far, near = air.now(["a", "b"], 10.0), air.now(["a", "b"], 60.0)
    assert (far.position_s, far.left_s, far.leave_s, far.next_in_s, far.next) == (105.0, 75.0, 170.0, 65.0, None)
    assert (near.next_in_s, near.next) == (pytest.approx(15.0), "b")
    assert air.now([], 60.0).next is None


def test_bars_are_the_known_downbeats(outline: Fake) -> None:
    air = OnAir("a", beats=np.arange(0.0, 60.0, 0.5, dtype=np.float32), outline=outline())
    air.at(10.5, 0.0)
    assert air.switch("b", 0.0).at_s == (12.0, 14.0, 16.0, 18.0)
    air.outline = outline(downbeats_s=np.arange(0.5, 60.0, 2.0, dtype=np.float32))
    assert air.switch("b", 0.0).at_s == (10.5, 12.5, 14.5, 16.5)
