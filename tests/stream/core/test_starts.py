"""Where a track is to be started: chosen once, kept, and moved only by a lead that lasts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from catalog.records import Candidate, Places
from stream.core.starts import BORDER_GAIN, DWELL_S, KEPT, MARGIN, Starts

Fake = Callable[..., Any]


def placed(candidate: Candidate, *fits: float, border: int | None = None) -> Candidate:
    """Places every 10 s, with these cosines."""
    borders = np.zeros(len(fits), np.float32)
    if border is not None:
        borders[border] = 1.0
    starts = 10.0 * np.arange(len(fits), dtype=np.float32)
    return replace(candidate, places=Places(starts, np.array(fits, np.float32), borders))


def test_the_best_place_is_chosen_once(candidate: Fake) -> None:
    starts, one = Starts(), candidate(1)
    assert starts.choose(placed(one, 0.1, 0.5, 0.3), 1.0) == (10.0, False)
    for _ in range(60):
        assert starts.choose(placed(one, 0.1, 0.5, 0.5 + 0.9 * MARGIN), 1.0) == (10.0, False)


def test_another_takes_over_when_it_has_led_for_long(candidate: Fake) -> None:
    starts, one = Starts(), candidate(1)
    starts.choose(placed(one, 0.5, 0.3), 1.0)
    led = [starts.choose(placed(one, 0.5, 0.5 + 2 * MARGIN), 1.0) for _ in range(int(DWELL_S) + 1)]
    assert led[:-2] == [(0.0, False)] * (int(DWELL_S) - 1)
    assert led[-2:] == [(10.0, True), (10.0, False)]


def test_a_lead_that_breaks_off_begins_again(candidate: Fake) -> None:
    starts, one = Starts(), candidate(1)
    starts.choose(placed(one, 0.5, 0.3), 1.0)
    for turn in range(90):
        assert starts.choose(placed(one, 0.5, 0.3 if turn % 10 == 9 else 0.9), 1.0)[0] == 0.0


def test_what_is_on_air_keeps_its_start(candidate: Fake) -> None:
    starts, one = Starts(), candidate(1)
    starts.choose(placed(one, 0.5, 0.3), 1.0)
    assert {starts.choose(placed(one, 0.1, 0.9), 1.0, on_air=True) for _ in range(60)} == {(0.0, False)}


def test_a_section_is_worth_a_little(candidate: Fake) -> None:
    near = placed(candidate(1), 0.5, 0.5 - 0.9 * BORDER_GAIN, border=1)
    far = placed(candidate(2), 0.5, 0.5 - 1.1 * BORDER_GAIN, border=1)
    assert Starts().choose(near, 1.0)[0] == 10.0 and Starts().choose(far, 1.0)[0] == 0.0


def test_a_place_that_is_gone_is_chosen_anew(candidate: Fake) -> None:
    starts, one = Starts(), candidate(1)
    starts.choose(placed(one, 0.1, 0.2, 0.9), 1.0)
    assert starts.choose(placed(one, 0.1, 0.2), 1.0) == (10.0, True)


def test_without_places_the_candidates_own_start_counts(candidate: Fake) -> None:
    assert Starts().choose(candidate(3), 1.0) == (6.0, False)


def test_what_is_remembered_is_bounded(candidate: Fake) -> None:
    starts = Starts()
    for number in range(3 * KEPT):
        starts.choose(placed(candidate(number), 0.5, 0.1), 1.0)
    assert len(starts._starts) == KEPT
