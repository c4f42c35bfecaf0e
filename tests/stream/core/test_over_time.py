"""What fades, what lasts, and what comes at the next bar: history, speech, bars, the track on air."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.bars import switch_points
from stream.core.events import Switch
from stream.core.history import FADE_S, KEPT, PENALTY, History
from stream.core.on_air import OnAir
from stream.core.speech import Speech


def test_a_track_that_was_on_air_comes_back_over_half_an_hour() -> None:
    history = History()
    assert history.penalty("a", 0) == 0
    history.left("a", 100)
    said = [history.penalty("a", 100 + age) for age in (0, FADE_S / 2, FADE_S, 2 * FADE_S)]
    assert said == pytest.approx([PENALTY, PENALTY / 2, 0, 0])
    history.left("a", 500)
    assert history.penalty("a", 500) == PENALTY


def test_history_forgets_what_left_first() -> None:
    history = History()
    for number in range(KEPT):
        history.left(str(number), number)
    history.left("0", KEPT)
    history.left("new", KEPT + 1)
    assert len(history) == KEPT
    assert history.penalty("1", KEPT) == 0 < history.penalty("0", KEPT)


def test_speech_must_last_to_count_and_outlasts_a_breath() -> None:
    speech, said = Speech(), []
    for second, share in enumerate([1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0]):
        speech.hear(share, second)
        said.append(speech.lasts(second + 1))
    assert said == [False] * 4 + [True] * 5 + [False] * 3


def test_music_is_lowered_while_somebody_speaks() -> None:
    speech = Speech()
    assert speech.duck_db(0) is None
    speech.hear(0.0, 0)
    assert speech.duck_db(1) == 0.0 and str(speech.duck_db(1)) == "0.0"
    for second in range(1, 30):
        speech.hear(1.0, second)
    assert speech.duck_db(30) == pytest.approx(-18, abs=0.01)
    speech.hear(0.0, 30)
    assert speech.duck_db(31) == pytest.approx(-18 * 0.6, abs=0.01)


def test_silence_that_nobody_tells_of_is_silence() -> None:
    speech, told = Speech(), Speech()
    for one in (speech, told):
        for second in range(10):
            one.hear(1.0, second)
    for second in range(10, 14):
        told.hear(0.0, second)
    speech.hear(0.0, 13)
    assert speech.duck_db(14) == pytest.approx(told.duck_db(14) or 0.0)
    assert Speech().lasts(0) is False
    for second in range(20, 26):
        speech.hear(1.0, second)
    assert speech.lasts(26) and speech.lasts(31) and not speech.lasts(32)
    assert speech.duck_db(32) == 0.0


def test_a_second_counts_once() -> None:
    speech = Speech()
    for _ in range(20):
        speech.hear(1.0, 3)
    speech.hear(1.0, 2)
    assert not speech.lasts(4)


@pytest.mark.parametrize(("share", "second"), [(-0.1, 0), (1.1, 0), (float("nan"), 0), (0.5, -1)])
def test_what_is_no_share_is_an_error(share: float, second: int) -> None:
    with pytest.raises(ValueError, match="give a share from 0 to 1"):
        Speech().hear(share, second)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 90)), max_size=60), st.floats(0, 100))
def test_the_level_stays_in_bounds(told: list[tuple[float, int]], now_s: float) -> None:
    speech = Speech()
    for share, second in told:
        speech.hear(share, second)
    level = speech.duck_db(now_s)
    assert level is None if not told else -18.0 <= (level or 0.0) <= 0.0


def test_every_fourth_beat_from_the_first_is_a_bar() -> None:
    beats = np.arange(0.5, 20, 0.5, np.float32)  # 0.5, 1.0, ... 19.5: bars at 0.5, 2.5, 4.5, ...
    assert switch_points(beats, 0.0) == (0.5, 2.5, 4.5, 6.5)
    assert switch_points(beats, 2.5) == (2.5, 4.5, 6.5, 8.5)
    assert switch_points(beats, 14.6) == (16.5, 18.5)
    assert switch_points(beats, 18.6) == () == switch_points([], 0.0)


@settings(deadline=None)
@given(st.lists(st.floats(0.2, 1.0), max_size=60), st.floats(0, 60))
def test_points_are_beats_ahead_in_order(gaps: list[float], position_s: float) -> None:
    beats = np.cumsum(gaps)
    points = switch_points(beats, position_s)
    assert len(points) <= 4 and list(points) == sorted(points)
    assert all(point >= position_s and point in beats for point in points)


def test_when_to_switch_is_known_with_beats_and_a_position() -> None:
    on_air = OnAir("a")
    assert on_air.switch("b", 10.0) == Switch("b", (), None)
    on_air.at(30.0, 8.0)
    assert on_air.switch(None, 10.0) == Switch(None, (), None)
    on_air.beats = np.arange(0, 60, 0.5, np.float32)
    assert on_air.switch("b", 10.5) == Switch("b", (34.0, 36.0, 38.0, 40.0), 1.5)
    on_air.restart(11.0)
    assert on_air.switch("b", 0.0) == Switch("b", (34.0, 36.0, 38.0, 40.0), 1.0)
    assert on_air.switch("b", 40.0) == Switch("b", (), None)
