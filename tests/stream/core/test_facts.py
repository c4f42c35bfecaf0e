"""Facts: true, at most two, steady, and rows told from one another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.motion import VisualTempo
from stream.core.events import Reasons
from stream.core.facts import Facts, Setting
from stream.core.ranking import Pictures, Ranked

Fake = Callable[..., Any]
STILL = Pictures(VisualTempo(0.0, 0.0), 0.002, 0.2, 0.3, 0.3, 0.5, np.array([0.2, 0.3, 0.8], np.float32))
RUSH = replace(STILL, speed=2.0, brightness=0.7, mood=np.array([0.9, 0.8, 0.5], np.float32))
NOWHERE = Setting()


@pytest.fixture(scope="session")
def row(candidate: Fake, outline: Fake) -> Fake:
    """``row(number=1, bpm=96.0, lufs=-14.0, mood=None, content=0.5, fit=0.5, adjust=0.0)``."""

    def made(number: int = 1, bpm: float = 96.0, lufs: float = -14.0, **given: Any) -> Ranked:
        one = replace(candidate(number, tempo_bpm=bpm, mood=given.get("mood")), outline=outline(lufs=lufs))
        reasons = Reasons(given.get("content", 0.5), 0.5, given.get("fit", 0.5))
        return Ranked(one, 0.6, reasons, given.get("adjust", 0.0))

    return made


def texts(facts: Facts, rows: list[Ranked], now: Pictures, setting: Setting = NOWHERE) -> list[list[str]]:
    return [[fact.text for fact in each] for each in facts.of(rows, now, setting)]


def test_a_pulse_of_the_cuts_that_the_tempo_fits(row: Fake) -> None:
    even = Setting(cuts_s=(1.25, 1.25, 1.3, 1.2, 1.25))
    assert "96 bpm on the pulse of the cuts (every 1.2 s)" in texts(Facts(), [row()], STILL, even)[0]
    for other in (Setting(cuts_s=(0.5, 2.0, 1.0, 1.5)), Setting(cuts_s=(1.25, 1.25)), Setting(cuts_s=(1.75,) * 5)):
        assert "cuts" not in str(texts(Facts(), [row()], STILL, other))


def test_a_pulse_of_the_picture_must_be_sure_and_fit(row: Fake) -> None:
    for bpm, confidence, told in ((96.0, 0.8, True), (192.0, 0.8, True), (96.0, 0.2, False), (135.0, 0.8, False)):
        now = replace(STILL, tempo=VisualTempo(bpm, confidence))
        assert ("pulse of the picture" in str(texts(Facts(), [row()], now))) is told


@pytest.mark.parametrize(
    ("now", "lufs", "words"),
    [
        (STILL, -23.0, "almost still, soft music (-23 LUFS)"),
        (RUSH, -9.0, "fast movement, loud music (-9 LUFS)"),
    ],
)
def test_motion_and_loudness(row: Fake, now: Pictures, lufs: float, words: str) -> None:
    assert words in texts(Facts(), [row(lufs=lufs)], now)[0]
    assert words not in texts(Facts(), [row(lufs=-16.0)], now)[0]


def test_a_mood_that_both_have(row: Fake) -> None:
    alike = row(mood=(0.25, 0.3, 0.85), fit=0.9)
    assert "calm and tense, like the dark picture" in texts(Facts(), [alike], STILL)[0]
    unlike = row(mood=(0.9, 0.9, 0.1), fit=0.1)
    assert "like the" not in str(texts(Facts(), [unlike], STILL))


def test_what_is_like_a_liked_track_says_so(row: Fake) -> None:
    setting = Setting(like={row().candidate.track.id: "Aria"})
    assert texts(Facts(), [row(adjust=0.05)], STILL, setting)[0][0] == "liked: sounds like Aria"


def test_figures_hold_still_until_they_move(row: Fake) -> None:
    facts = Facts()
    said = [texts(facts, [row()], replace(STILL, tempo=VisualTempo(bpm, 0.9)))[0][0] for bpm in (96, 97, 95, 96)]
    assert len(set(said)) == 1


def test_a_fact_stays_against_one_a_little_stronger(row: Fake) -> None:
    facts = Facts()
    now, mood = replace(RUSH, speed=0.09), (0.9, 0.8, 0.5)
    first, second = (texts(facts, [row(mood=mood, fit=fit, lufs=-16.0)], now) for fit in (0.14, 0.25))
    assert "beats" in first[0][0] and second == first
    assert "picture" in texts(Facts(), [row(mood=mood, fit=0.25, lufs=-16.0)], now)[0][0]
    assert "beats" not in texts(facts, [row(mood=mood, fit=0.9, lufs=-16.0)], now)[0][0]


def test_the_row_that_is_ahead_of_all_in_a_part_says_so(row: Fake) -> None:
    said = texts(Facts(), [row(1, content=0.7), row(2, content=0.8), row(3, content=0.6)], STILL)
    assert ["nearest to the picture of these" in each for each in said] == [False, True, False]
    close = texts(Facts(), [row(1, content=0.79), row(2, content=0.8)], STILL)
    assert "nearest" not in str(close)


def test_motion_and_beats_that_agree(row: Fake) -> None:
    assert "lively movement, 2.0 beats a second" in str(texts(Facts(), [row(lufs=-16.0)], replace(RUSH, speed=0.07)))
    assert "beats a second" not in str(texts(Facts(), [row(lufs=-16.0)], STILL))


def test_rows_are_told_from_one_another(row: Fake) -> None:
    rows = [row(number, bpm=100.0 + number, lufs=-14.0 - number) for number in range(5)]
    said = texts(Facts(), rows, STILL)
    assert len({frozenset(each) for each in said}) == 5 and all(len(each) == 2 for each in said)


def test_what_is_remembered_is_bounded(row: Fake) -> None:
    facts = Facts()
    for number in range(300):
        facts.of([row(number)], STILL, NOWHERE)
    assert len(facts._previous) <= 64
