"""Timecode: every frame has one, and it leads back to the frame."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.cues.errors import CueError
from stream.cues.timecode import DROPPED, RATES, Rate, exactly, read_rate

ALL = [*(Rate(fps) for fps in RATES), *(Rate(fps, drop=True) for fps in DROPPED)]


@pytest.mark.parametrize("rate", ALL, ids=str)
def test_a_frame_its_text_and_the_frame_again(rate: Rate) -> None:
    @settings(deadline=None)
    @given(st.integers(0, rate.day - 1))
    def check(frame: int) -> None:
        text = rate.text(frame)
        assert rate.parse(text) == frame
        assert (";" in text) == rate.drop and len(text) == 11

    check()


@pytest.mark.parametrize("rate", ALL, ids=str)
def test_a_frame_when_it_begins_and_the_frame_again(rate: Rate) -> None:
    @settings(deadline=None)
    @given(st.integers(0, rate.day - 1))
    def check(frame: int) -> None:
        assert rate.frame(rate.seconds(frame)) == frame

    check()


@pytest.mark.parametrize("rate", [rate for rate in ALL if rate.drop], ids=str)
def test_drop_frame_counts_every_frame_of_ten_minutes_once(rate: Rate) -> None:
    texts = [rate.text(frame) for frame in range(600 * rate.nominal - 9 * DROPPED[rate.fps] + 1)]
    assert len(set(texts)) == len(texts) and texts == sorted(texts)
    assert texts[-1] == "00:10:00;00" and texts[60 * rate.nominal] == f"00:01:00;{DROPPED[rate.fps]:02}"
    assert not {"00:01:00;00", "00:09:00;01"} & set(texts) and "00:10:00;00" in texts


def test_drop_frame_stays_with_the_clock() -> None:
    """An hour is 107,892 frames at 29.97; without drop-frame the text is 3.6 s behind."""
    hour = Rate(Fraction(30000, 1001), drop=True).frame(Fraction(3600))
    assert hour == 107892 and Rate(Fraction(30000, 1001), drop=True).text(hour) == "01:00:00;00"
    assert Rate(Fraction(30000, 1001)).text(hour) == "00:59:56:12"
    assert Rate(Fraction(24000, 1001)).text(Rate(Fraction(24000, 1001)).frame(Fraction(3600))) == "00:59:56:10"
    assert Rate(Fraction(60000, 1001), drop=True).text(215784) == "01:00:00;00"


def test_after_a_day_it_begins_anew() -> None:
    for rate in ALL:
        assert rate.text(rate.day) == rate.text(0) and rate.text(rate.day - 1)[:8] == "23:59:59"


def test_names_of_rates() -> None:
    assert read_rate("29.97") == read_rate("30000/1001") == read_rate("29.97DF") == Rate(Fraction(30000, 1001), True)
    assert read_rate("29.97ndf") == read_rate("29.97", drop=False) == Rate(Fraction(30000, 1001))
    assert read_rate("23.976") == read_rate("23.98") == Rate(Fraction(24000, 1001))
    assert read_rate("59.94").drop and not read_rate("25").drop


@pytest.mark.parametrize(
    "text", ["29", "0", "-25", "1/0", "x", "", "1e9", "29.970", "nan", "25df", "2.5e1", "٢٥", "2_5"]
)
def test_what_is_no_rate_is_said(text: str) -> None:
    with pytest.raises(CueError, match=r"give one of|drop-frame"):
        read_rate(text)


@pytest.mark.parametrize("text", ["01:01:00;00", "01:09:00;01", "24:00:00;00", "00:60:00;00", "00:00:00;30", "1", ""])
def test_timecodes_that_do_not_exist(text: str) -> None:
    with pytest.raises(CueError, match="timecode"):
        read_rate("29.97").parse(text)


def test_milliseconds_are_exact() -> None:
    assert exactly(0.1) == Fraction(1, 10) and exactly(48.2) == Fraction(482, 10)
    assert Rate(Fraction(50)).frame(Fraction(1, 100)) == 1  # half a frame: the later one
