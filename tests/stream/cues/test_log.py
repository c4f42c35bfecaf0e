"""What a session's notices become, with clocks in the test's hands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stream.core.events import (
    Accepted,
    Aired,
    End,
    Fact,
    Item,
    Notice,
    OnAirNow,
    Opened,
    Reasons,
    Reset,
    Scene,
    Steer,
    Suggestions,
    ViewerState,
    Weights,
    Wished,
)
from stream.cues import lines
from stream.cues import log as logs
from stream.cues.log import CueLog
from stream.cues.model import Cue, Session
from stream.cues.timecodes import Timecodes

BEGAN = datetime(2026, 11, 30, 18, 0, tzinfo=UTC)


def item(track: str, score: float = 0.8) -> Item:
    fact = Fact("pulse", 118.0, "bpm", "118 bpm on the pulse")
    return Item(1, track, track.title(), "Ann", 48.2, 181.3, score, Reasons(0.8, 0.8, 0.8), 118.0, "CC0", facts=(fact,))


class Played:
    """A log, and the clocks: ``at`` sets media time, and time of day and the driver's clock with it."""

    def __init__(self, live: bool = True) -> None:
        self.s = 0.0
        self.media_from = 0.0
        self.codes = Timecodes()
        self.kept: list[dict[str, Any]] = []
        self.log = CueLog(
            "20261130T180000Z-01234567",
            lambda: BEGAN + timedelta(seconds=self.s),
            lambda: self.s,
            media_s=(lambda: self.s - self.media_from) if live else None,
            timecodes=lambda: self.codes,
            keep=lambda value, end=False: self.kept.append(value),
        )

    def at(self, seconds: float, *notices: Notice) -> None:
        self.s = seconds
        for notice in notices:
            self.log.put(notice)

    def listed(self, seconds: float, *tracks: str, advice: str = "stay", on_air: str = "", next: str = "") -> None:
        """A list for the second that is over 40 ms ago."""
        now = OnAirNow(on_air, next=next or None) if on_air else None
        one = Suggestions(seconds - self.media_from, 4.0, advice, tuple(map(item, tracks)), late_ms=40.0, on_air=now)
        self.at(seconds + 0.04, one)

    @property
    def cues(self) -> list[Cue]:
        return [*self.log.session.cues]

    def words(self, *kinds: str) -> list[tuple[Any, ...]]:
        return [
            (cue.kind, cue.track, cue.start.pts_s, cue.end and cue.end.pts_s, cue.outcome or cue.how)
            for cue in self.cues
            if cue.kind in (kinds or (cue.kind,))
        ]

    @property
    def read(self) -> Session:
        """The session as its file tells it."""
        return lines.read(self.log.session.id, [lines.line(value) for value in self.kept])


def test_a_proposal_is_one_cue_until_another_takes_its_place() -> None:
    played = Played()
    for second in range(1, 6):
        played.listed(second, "a", "b")
    played.listed(6, "b", "a")
    played.at(7, End(0, 0, 0, 0))
    assert played.words() == [("proposed", "a", 1, 6, "ignored"), ("proposed", "b", 6, 7, "ignored")]
    first = played.cues[0]
    assert (first.from_s, first.title, first.licence, first.score) == (48.2, "A", "CC0", 0.8)
    assert first.why == "118 bpm on the pulse" and first.start.wall == "2026-11-30T18:00:01.000Z"


def test_with_music_on_air_only_advice_proposes() -> None:
    played = Played()
    played.listed(1, "a", on_air="a")
    played.listed(2, "b", "a", advice="could switch", on_air="a")
    assert played.cues == []
    played.listed(3, "b", "a", advice="switch", on_air="a")
    played.listed(4, "a", "b", on_air="a")
    played.listed(5, "a", "b", on_air="a", next="b")
    assert played.words() == [("proposed", "b", 3, 4, "ignored"), ("proposed", "b", 5, None, "")]


def test_taken_at_the_moment_and_the_place_that_the_player_says() -> None:
    played = Played()
    played.listed(1, "a")
    played.codes = Timecodes(100.25, 50.5)
    played.at(3.25, Aired("a", 48.2))
    played.at(8.3, Aired("a", 53.3))  # it repeats itself, a little off
    played.listed(9, "a", on_air="a")
    played.at(13.25, Aired("b", 0.0))
    played.at(20, Aired(None))
    assert played.words() == [
        ("proposed", "a", 1, 3.25, "taken"), ("taken", "a", 3.25, 13.25, ""), ("taken", "b", 13.25, 20, "")
    ]  # fmt: skip
    taken, other = played.cues[1:]
    assert (taken.from_s, taken.to_s) == (48.2, 58.25) and (other.from_s, other.to_s) == (0.0, 6.75)
    assert (taken.start.stream_s, taken.start.record_s) == (100.25, 50.5) and taken.title == "A" and other.title == ""
    assert taken.start.wall == "2026-11-30T18:00:03.250Z"


def test_a_pause_and_a_jump_end_a_stretch() -> None:
    played = Played()
    played.at(1, Aired("a", 10.0))
    played.at(5, Aired("a", 14.0, paused=True))
    played.at(9, Aired("a", 14.0))
    played.at(11, Aired("a", 90.0))
    played.at(12, Aired("a", 91.3))  # within half a second: goes on
    played.at(14, End(0, 0, 0, 0))
    assert played.words() == [
        ("taken", "a", 1, 5, ""), ("taken", "a", 9, 11, "resumed"), ("taken", "a", 11, 14, "jumped")
    ]  # fmt: skip
    assert [(cue.from_s, cue.to_s) for cue in played.cues] == [(10, 14), (14, 16), (90, 93.3)]


def test_a_player_that_does_not_say_where_it_is() -> None:
    played = Played()
    played.at(1, Aired("a", None))
    played.at(3, Aired("a", 12.0))
    played.at(5, Aired(None))
    [cue] = played.cues
    assert (cue.from_s, cue.to_s) == (10.0, 14.0) == (played.read.cues[0].from_s, played.read.cues[0].to_s)


def test_a_skipped_proposal_and_a_like() -> None:
    played = Played()
    played.listed(1, "a", "b")
    played.at(2, Accepted("like", "b"), Accepted("skip", "a"), Accepted("unlike", "b"), Accepted("undo", None))
    assert played.words() == [
        ("proposed", "a", 1, 2, "skipped"), ("liked", "b", 2, None, ""), ("skipped", "a", 2, None, "")
    ]  # fmt: skip
    assert played.cues[0].name == "ignored" and played.cues[1].title == "B"


def asked(liked: str = "", skipped: str = "", unlisted: int = 0) -> ViewerState:
    wished = (tuple(Wished(track) for track in tracks.split()) for tracks in (liked, skipped))
    return ViewerState(Steer(), Weights(), None, 1, *wished, unlisted)


def test_what_is_taken_back_is_no_like_any_more() -> None:
    played = Played()

    def listed(seconds: float, state: ViewerState) -> None:
        played.at(seconds, Suggestions(seconds, 4.0, "stay", (), asked=state))

    played.at(1, Accepted("like", "a"), Accepted("like", "b"), Accepted("skip", "c"), Accepted("skip", "d"))
    played.at(1.5, Accepted("like", "a"))  # it is liked already
    listed(2, asked("a b", "c d"))
    played.at(2.5, Accepted("pin", "a"), Accepted("undo", "a"))  # of the pin
    listed(3, asked("a b", "c d"))
    assert played.words() == [
        (kind, track, 1, None, "") for kind, track in zip(("liked",) * 2 + ("skipped",) * 2, "abcd", strict=True)
    ]
    played.at(3.5, Accepted("undo", "b"), Accepted("unskip", "d"))
    listed(4, asked("a", ""))  # the time of c is over
    back = "taken back"
    assert played.words("liked") == [("liked", "a", 1, None, ""), ("liked", "b", 1, 3.5, back)]
    assert played.words("skipped") == [("skipped", "c", 1, None, ""), ("skipped", "d", 1, 3.5, back)]
    played.at(5, Accepted("reset"))
    listed(6, asked(""))
    played.at(7, Accepted("undo"))
    listed(8, asked("a"))
    played.at(9, Accepted("like", "b"))
    played.at(10, End(0, 0, 0, 0))
    assert played.words("liked") == [
        ("liked", "a", 1, None, ""),
        ("liked", "b", 1, 3.5, back),
        ("liked", "b", 9, None, ""),
    ]
    session = played.log.session
    assert session == played.read and session.summary()["liked"] == 2 and session.summary()["skipped"] == 1
    assert [cue.track for cue in session.of("liked", "skipped")] == ["a", "c", "b"]


def test_of_likes_that_a_list_leaves_out_nothing_is_concluded() -> None:
    played = Played()
    played.at(1, Accepted("like", "a"), Accepted("like", "b"), Accepted("undo", None))
    played.at(2, Suggestions(2.0, 4.0, "stay", (), asked=asked("", unlisted=2)))
    assert [cue.outcome for cue in played.cues] == ["", ""]
    played.at(3, Accepted("unlike", "a"))
    played.at(4, Suggestions(4.0, 4.0, "stay", (), asked=asked("", unlisted=1)))
    assert [cue.outcome for cue in played.cues] == ["taken back", ""]


def test_where_a_recording_began_and_ended_is_kept() -> None:
    played = Played()
    played.codes = Timecodes(record_s=30.0)
    played.at(1, Aired("a", 10.0))
    played.codes = Timecodes(record_s=31.0)
    played.listed(1.96, "a", on_air="a")
    played.codes = Timecodes(record_ended_s=31.6)
    played.listed(2.96, "a", on_air="a")
    played.at(9, Aired(None))
    [run] = played.log.session.runs
    assert (run.output, run.take, run.pts_s, run.at_s, run.end_pts_s, run.end_at_s) == ("record", 1, 0, 29, 2.6, 31.6)
    played.at(10, End(0, 0, 0, 0))
    assert played.read == played.log.session


def test_a_recording_alone_makes_no_session() -> None:
    played = Played()
    played.codes = Timecodes(record_s=30.0)
    played.at(1, Aired(None), End(0, 0, 0, 0))
    assert played.kept == []


def test_a_scene_stands_where_it_began() -> None:
    played = Played()
    played.codes = Timecodes(None, 30.0)
    played.at(10.0, Scene(8.0))
    [cue] = played.cues
    assert (cue.start.pts_s, cue.start.record_s, cue.start.wall) == (8.0, 28.0, "2026-11-30T18:00:08.000Z")


def test_time_goes_on_over_a_reset() -> None:
    played = Played()
    played.listed(5, "a")
    played.at(6, Aired("a", 0.0))
    played.media_from = 7.0
    played.at(7, Reset("time stepped back by 40 s"))
    played.at(9, Aired("a", 3.0))
    played.listed(10, "a", on_air="a")
    played.at(12, Aired(None))
    assert played.words("taken") == [("taken", "a", 6, 12, "")]
    assert played.log.session.length_s == 12


def test_without_a_clock_time_is_that_of_the_lists() -> None:
    played = Played(live=False)
    for second in (1, 2, 3):
        played.at(100, replace(Suggestions(float(second), 4.0, "stay", (item("a"),))))
    played.at(100, End(0, 0, 0, 0))
    assert played.words() == [("proposed", "a", 1, 3, "ignored")] and played.log.session.ended


def test_a_list_that_repeats_an_older_one_proposes_nothing() -> None:
    played = Played()
    played.listed(1, "a")
    played.at(2.04, Suggestions(2.0, 4.0, "stay", (), late_ms=40.0, stale="no track passes the filters"))
    assert played.words() == [("proposed", "a", 1, None, "")]


def test_what_is_kept_is_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "CUES", 4)
    played = Played()
    played.at(0, Opened("abc", "Show \ud800"))
    played.listed(1, "a")
    played.at(2, Aired("a", 5.0), Accepted("like", "a"))
    for second in range(3, 30):
        played.listed(second, "a", on_air="a")
    played.at(30, Scene(29.0), Aired(None), Scene(29.5))
    played.at(31, End(0, 0, 0, 0))
    session = played.log.session
    assert session.left_out == 1 and len(session.cues) == 4 and session.ended and session.session == "abc"
    assert played.read == replace(session, label="Show ?")
    alive = [value["at"]["pts_s"] for value in played.kept if "at" in value]
    assert alive == [10.0, 20.0]
    played.at(40, Aired("b", 0.0), End(0, 0, 0, 0))
    assert played.log.session == session


def test_a_session_in_which_nothing_happened_keeps_nothing() -> None:
    played = Played()
    played.at(0, Opened("abc", "Show"))
    played.at(1, Reset("x"), End(0, 0, 0, 0))
    assert played.kept == [] and played.log.empty and played.log.over


def test_what_was_open_when_the_program_was_killed_ends_with_the_last_sign_of_life() -> None:
    played = Played()
    played.listed(1, "a")
    played.at(2, Aired("a", 5.0))
    for second in range(3, 36):
        played.listed(second, "a", on_air="a")
    assert not played.read.ended
    [taken] = played.read.closed().of("taken")
    assert taken.end is not None and taken.end.pts_s == 30 and taken.to_s == 33
