"""Same calls, same events: hops, one at a time, with questions answered late, never, or twice."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from answered import answered
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Filters
from stream.core.events import Accepted, Cut, End, Event, Infer, Refused, Reset, Scene, Suggestions
from stream.core.hysteresis import HysteresisOptions
from stream.core.session import Session, SessionOptions

Fake = Callable[..., Any]


def play(runtime: Any, features: Fake, slots: list[int], every: int = 0, **options: Any) -> list[Event]:
    """``every``: time is told to pass so many half slots apart, and with each second."""
    session = Session(runtime.model, SessionOptions(**options))
    said: list[Event] = []
    for i, slot in enumerate(slots):
        said += answered(session, runtime, session.push(features(slot), slot))
        following = slots[i + 1] if i + 1 < len(slots) else slot + 1
        if every:
            for half in range(2 * slot + 2, 2 * following + 1):
                if half % every == 0 or half % 16 == 0:
                    said += answered(session, runtime, session.tick(half / 16))
    return said + answered(session, runtime, session.finish(len(slots), 0))


def scores(event: Event) -> dict[str, float]:
    assert isinstance(event, Suggestions)
    return {item.track: item.score - item.lift for item in event.items}


def test_a_list_a_second_from_the_first(fake_runtime: Fake, features: Fake) -> None:
    said = play(fake_runtime(), features, list(range(80)))
    lists = [event for event in said if isinstance(event, Suggestions)]
    assert [event.pts_s for event in lists] == [float(k) for k in range(1, 11)]
    assert [event.window_s for event in lists] == [float(k) for k in range(1, 11)]
    for event in lists:
        assert len({item.track for item in event.items}) == len(event.items) == 5
        assert [item.rank for item in event.items] == [1, 2, 3, 4, 5]
        for item in event.items:
            parts = (item.reasons.content, item.reasons.rhythm, item.reasons.mood)
            assert all(0 <= part <= 1 for part in (*parts, item.score))
            assert item.score - item.lift == pytest.approx(0.5 * parts[0] + 0.25 * parts[1] + 0.25 * parts[2])
    assert said[-1] == End(80, 80, 0, 10, 0)


def test_the_clip_tower_is_asked_for_each_clip_once(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    play(runtime, features, list(range(40 * 8)))
    rows = [len(q.inputs["clip_image"]) for q in runtime.asked if isinstance(q, Infer) and q.graph == "video_clip"]
    assert rows == [1] * 40
    masks = [q.inputs["mask"][0] for q in runtime.asked if isinstance(q, Infer) and q.graph == "video_sequence"]
    assert [int(mask.sum()) for mask in masks] == [min(7, -(-k // 4)) for k in range(1, 41)]
    assert all((np.sort(mask)[::-1] == mask).all() for mask in masks)


@pytest.mark.parametrize(("matcher", "mood"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_bundle_need_not_have_every_graph(fake_runtime: Fake, features: Fake, matcher: bool, mood: bool) -> None:
    runtime = fake_runtime(matcher=matcher, mood=mood)
    said = play(runtime, features, list(range(16)))
    assert sum(isinstance(event, Suggestions) for event in said) == 2
    graphs = {question.graph for question in runtime.asked if isinstance(question, Infer)}
    assert ("matcher" in graphs, "mood" in graphs) == (matcher, mood)


@settings(max_examples=30, deadline=None)
@given(slots=st.sets(st.integers(0, 120), min_size=1, max_size=60))
def test_ticks_between_seconds_change_nothing(fake_runtime: Fake, features: Fake, slots: set[int]) -> None:
    ordered = sorted(slots)
    plain, ticked = (play(fake_runtime(), features, ordered, every=every) for every in (16, 1))
    if isinstance(plain[-2], Suggestions) and plain[-2].pts_s != round(plain[-2].pts_s):
        # With finer ticks the last second may be over before the end is told; it covers the same frames.
        assert plain[:-2] == ticked[: len(plain) - 2]
    else:
        assert plain == ticked


def test_a_list_a_second_while_a_picture_is_held(fake_runtime: Fake, features: Fake) -> None:
    slots = [0, 1, 2, 43, 44, 60]
    said = play(fake_runtime(), features, slots, every=16)
    assert [event.pts_s for event in said if isinstance(event, Suggestions)] == [1, 2, 3, 4, 5, 6, 7, 7.625]
    untold = play(fake_runtime(), features, slots)  # nobody tells of the time between
    assert [event.pts_s for event in untold if isinstance(event, Suggestions)] == [5, 7, 7.625]


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.one_of(st.integers(1, 8), st.integers(9, 40)), min_size=1, max_size=12),
    cuts=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_a_held_picture_is_one_that_comes_again(
    fake_runtime: Fake, features: Fake, gaps: list[int], cuts: list[bool]
) -> None:
    """The same pictures, cuts and scenes, at the same times, as where it was sent in every slot, standing still."""
    pictures = {0: features(0)}
    for gap, cut in zip(gaps, cuts, strict=False):
        slot = max(pictures) + gap
        pictures[slot] = features(slot, cut=0.9 if cut else 0.0)
    again, end = dict(pictures), max(pictures) + 16
    for before, slot in itertools.pairwise([*sorted(pictures), end]):
        if slot - before > 8:
            still = replace(pictures[before], speed=0.0, dx=0.0, dy=0.0, onset=0.0, cut=0.0)
            again |= dict.fromkeys(range(before + 1, slot), still)
    said, windows = [], []
    for shown in (pictures, again):
        runtime = fake_runtime()
        session = Session(runtime.model)
        told: list[Event] = []
        for slot in range(end):
            told += answered(session, runtime, session.tick(slot / 8))
            if slot in shown:
                told += answered(session, runtime, session.push(shown[slot], slot))
        told += answered(session, runtime, session.tick(end / 8))
        said.append([(type(event), event.pts_s) for event in told])  # type: ignore[union-attr]
        windows.append({slot: (f.thumb.tobytes(), f.colour, f.speed) for slot, f in session._window._frames.items()})
    assert windows[0] == windows[1]
    assert [each for each in said[0] if each[0] is not Scene] == [each for each in said[1] if each[0] is not Scene]
    assert sorted(each[1] for each in said[0] if each[0] is Scene) == [e[1] for e in said[1] if e[0] is Scene]


def test_a_picture_that_comes_later_than_the_time_takes_its_place(fake_runtime: Fake, features: Fake) -> None:
    """What a network held back is looked at all the same, and tells no second twice."""
    runtime = fake_runtime()
    session = Session(runtime.model)
    said = answered(session, runtime, session.push(features(0), 0))
    for second in range(1, 5):
        said += answered(session, runtime, session.tick(float(second)))
    late = features(50)
    said += answered(session, runtime, session.push(late, 9))
    assert session._window._frames[9] is late and session._window._frames[10].speed == 0.0
    for slot in range(32, 41):
        said += answered(session, runtime, session.push(features(slot), slot))
    assert [event.pts_s for event in said if isinstance(event, Suggestions)] == [1, 2, 3, 4, 5]


def test_nothing_is_held_once_it_is_not_seen_any_more(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    said = answered(session, runtime, session.push(features(0), 0))
    for half in range(1, 20):
        said += answered(session, runtime, session.tick(half / 2, seen=half < 5))
    assert [event.pts_s for event in said if isinstance(event, Suggestions)] == [1, 2]


def test_a_late_hop_waits_and_an_overtaken_one_is_skipped(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    unsmoothed = HysteresisOptions(past=0.0)
    session = Session(runtime.model, SessionOptions(suggestions=12, hysteresis=unsmoothed))
    held: list[Event] = []
    for slot in range(8 * 5):
        held += session.push(features(slot), slot)
    assert [type(event) for event in held] == [Infer]  # hop 1 is under way; 2, 3 and 4 were overtaken, 5 waits
    said = answered(session, runtime, held)
    assert [event.pts_s for event in said if isinstance(event, Suggestions)] == [1.0, 5.0]
    assert session.skipped_hops == 3
    for slot in range(40, 48):
        said += answered(session, runtime, session.push(features(slot), slot))
    unhurried = play(fake_runtime(), features, list(range(48)), suggestions=12, hysteresis=unsmoothed)[5]
    # The embeddings that the skipped hops left out were made up for.
    assert scores(said[-1]) == pytest.approx(scores(unhurried), abs=1e-6)


def test_a_longer_hop_says_the_same_less_often(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    unsmoothed = HysteresisOptions(past=0.0)
    session = Session(runtime.model, SessionOptions(suggestions=12, hysteresis=unsmoothed))
    said: list[Event] = []
    for slot in range(8 * 12):
        if slot == 36:
            assert session.follow(2) == []
        if slot == 76:
            session.follow(1)
        said += answered(session, runtime, session.push(features(slot), slot))
    lists = {event.pts_s: event for event in said if isinstance(event, Suggestions)}
    assert list(lists) == [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 11.0, 12.0]
    assert session.skipped_hops == 0
    close = play(fake_runtime(), features, list(range(8 * 12)), suggestions=12, hysteresis=unsmoothed)
    every = {event.pts_s: event for event in close if isinstance(event, Suggestions)}
    for pts_s, event in lists.items():  # what a list says does not depend on those that were left out
        assert scores(event) == pytest.approx(scores(every[pts_s]), abs=1e-6)
    for words in ((0,), (2, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            session.follow(*words)


def test_a_hop_does_not_wait_for_a_slot_that_no_frame_will_fill(fake_runtime: Fake, features: Fake) -> None:
    """Of every two slots one is filled: the second is over with slot 6, or with slot 7 where 6 was missed."""
    runtime = fake_runtime()
    session = Session(runtime.model, SessionOptions())
    session.follow(1, 2)
    begun = []
    for slot in (0, 2, 4, 6, 8, 11, 12, 15, 16, 18, 20, 24):  # of the third second the end is missing
        said = answered(session, runtime, session.push(features(slot), slot))
        begun += [(slot, event.pts_s) for event in said if isinstance(event, Suggestions)]
    assert begun == [(6, 1.0), (15, 2.0), (24, 3.0)]


def test_only_open_questions_are_answered(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    (asked,) = [event for slot in range(8) for event in session.push(features(slot), slot)]
    assert isinstance(asked, Infer)
    outputs = runtime.answer(asked)
    assert session.result(asked.id + 99, outputs) == []
    assert len(session.result(asked.id, outputs)) == 1
    assert session.result(asked.id, outputs) == []
    assert session.stale_answers == 2


@pytest.mark.parametrize("stages", range(4))
def test_a_hop_that_gets_no_answer_is_skipped_and_made_up_for(fake_runtime: Fake, features: Fake, stages: int) -> None:
    """Given up at any stage, the one that waits begins; the lists after it are as if nothing had been lost."""
    runtime = fake_runtime()
    unsmoothed = HysteresisOptions(past=0.0)
    session = Session(runtime.model, SessionOptions(suggestions=12, hysteresis=unsmoothed))
    open_ = [event for slot in range(8) for event in session.push(features(slot), slot)]
    for _ in range(stages):  # clip, sequence, mood or search, the other of them
        asked = open_.pop(0)
        open_ += session.result(asked.id, runtime.answer(asked))
    lost = open_.pop(0)
    assert session.give_up(lost.id) == [] and session.skipped_hops == 1
    assert session.give_up(lost.id) == [] == session.give_up(99) and session.skipped_hops == 1  # once
    assert all(session.result(left.id, runtime.answer(left)) == [] for left in open_)
    said = [e for slot in range(8, 48) for e in answered(session, runtime, session.push(features(slot), slot))]
    assert [event.pts_s for event in said if isinstance(event, Suggestions)] == [2.0, 3.0, 4.0, 5.0, 6.0]
    unhurried = play(fake_runtime(), features, list(range(48)), suggestions=12, hysteresis=unsmoothed)[5]
    assert scores(said[-1]) == pytest.approx(scores(unhurried), abs=1e-6)


def test_giving_up_lets_the_one_that_waits_begin_and_the_session_end(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    (asked,) = [event for slot in range(16) for event in session.push(features(slot), slot)]
    (following,) = session.give_up(asked.id)
    assert isinstance(following, Infer) and following.id > asked.id
    assert session.finish(16, 0) == []
    assert session.give_up(following.id) == [End(16, 16, 0, 0, 2)] and session.ended


def test_a_reset_forgets_the_pictures_and_what_was_asked(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    (asked,) = [event for slot in range(8) for event in session.push(features(slot + 50), slot)]
    assert session.reset("time stepped back by 9 s") == [Reset("time stepped back by 9 s")]
    assert session.result(asked.id, runtime.answer(asked)) == [] and session.stale_answers == 1
    said = [event for slot in range(16) for event in answered(session, runtime, session.push(features(slot), slot))]
    assert said == play(fake_runtime(), features, list(range(16)))[:-1]


def test_slots_must_increase(fake_runtime: Fake, features: Fake) -> None:
    session = Session(fake_runtime().model)
    session.push(features(0), 3)
    with pytest.raises(ValueError, match="slot 3 after slot 3"):
        session.push(features(1), 3)


def test_a_cut_is_said_once(fake_runtime: Fake, features: Fake) -> None:
    session = Session(fake_runtime().model)
    said = [
        e for slot, cut in enumerate((0, 0.6, 0.9, 0.2, 0.49, 0.7)) for e in session.push(features(0, cut=cut), slot)
    ]
    assert said == [Cut(0.125, 0.6), Cut(0.625, 0.7)]


def test_the_end_waits_for_answers_and_covers_the_last_frames(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    held = [event for slot in range(11) for event in session.push(features(slot), slot)]
    assert session.finish(30, 2) == [] and not session.ended
    assert session.push(features(0), 11) == [] == session.finish()
    said = answered(session, runtime, held)
    assert [event.pts_s for event in said if isinstance(event, Suggestions)] == [1.0, 1.375]
    assert said[-1] == End(30, 11, 2, 2, 0) and session.ended


def test_the_end_need_not_wait(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    (asked,) = [event for slot in range(8) for event in session.push(features(slot), slot)]
    assert session.finish(8, 0, flush=False) == [End(8, 8, 0, 0, 0)]
    assert session.result(asked.id, runtime.answer(asked)) == [] == session.finish(flush=False)


def test_nothing_in_nothing_out(fake_runtime: Fake) -> None:
    assert Session(fake_runtime().model).finish() == [End(0, 0, 0, 0, 0)]


def test_commands_take_effect(fake_runtime: Fake, features: Fake) -> None:
    runtime = fake_runtime()
    session = Session(runtime.model)
    slot = -1

    def hop() -> Suggestions:
        nonlocal slot
        said: list[Event] = []
        for _ in range(8):
            slot += 1
            said += answered(session, runtime, session.push(features(slot), slot))
        (event,) = [event for event in said if isinstance(event, Suggestions)]
        return event

    first = hop()
    top, last = first.items[0].track, f"{11:016x}"
    assert first.advice == "switch"
    begun = session.command({"type": "playing", "track": top})
    assert answered(session, runtime, begun) == [Accepted("playing", top)]
    assert hop().advice == "stay"
    assert session.command({"v": 1, "type": "pin", "track": last}) == [Accepted("pin", last)]
    pinned = hop()
    assert pinned.items[0].track == last and pinned.advice == "switch"
    (skipped,) = session.command({"type": "skip", "track": last})
    assert isinstance(skipped, Accepted) and (skipped.command, skipped.track) == ("skip", last)
    assert skipped.effect is not None and skipped.effect.text.startswith("left out for the rest of this stream")
    assert last not in {item.track for item in hop().items}
    assert session.command({"type": "pin", "track": last}) == [
        Refused("pin", "this track is skipped in this session; unskip it first")
    ]
    assert session.command({"type": "filters", "max_bpm": 100, "tags": ["CALM"]}) == [Accepted("filters")]
    slow = hop()
    assert {item.tempo_bpm <= 100 or item.track == top for item in slow.items} == {True}
    assert session.command({"type": "playing", "track": None}) == [Accepted("playing", None)]
    assert session.command({"type": "filters", "tags": ["loud"]}) == [Accepted("filters")]
    none, before = hop(), slow.items
    assert none.stale == "no track passes the filter tag loud; the list is the one before"
    assert [item.track for item in none.items] == [item.track for item in before]
    told = session.command({"type": "filters", "tags": ["calm"], "min_bpm": 999})
    assert told == [Accepted("filters")] and "filter at least 999 bpm;" in hop().stale
    session.command({"type": "filters", "max_bpm": 60, "min_duration_s": 59})
    assert hop().stale  # nothing as slow as that
    assert session.command({"type": "filters", "vod_ok": True, "moods": ["calm"]}) == [Accepted("filters")]
    asked = hop()  # nobody has said what is allowed, or what mood it is
    assert asked.stale.startswith("no track passes the filter mood calm nor VOD allowed;")
    assert asked.asked is not None and asked.asked.filters == Filters(vod_ok=True, moods=frozenset({"calm"}))
    session.command({"type": "filters"})
    assert hop().stale == ""


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({}, "unknown command"),
        ({"type": "jump"}, "unknown command"),
        ({"type": 7}, "unknown command"),
        ({"type": "skip"}, "missing"),
        ({"type": "skip", "track": None}, "needs a track"),
        ({"type": "skip", "track": 5}, "must be an id"),
        ({"type": "pin", "track": "x" * 81}, "at most 80"),
        ({"type": "pin", "track": "x", "more": 1}, "unknown field 'more'"),
        ({"type": "filters", "min_bpm": "fast"}, "min_bpm must be a number"),
        ({"type": "filters", "min_bpm": True}, "min_bpm must be a number"),
        ({"type": "filters", "max_bpm": float("nan")}, "max_bpm must be a number"),
        ({"type": "filters", "min_bpm": 120, "max_bpm": 100}, "min_bpm 120 is above max_bpm 100"),
        ({"type": "filters", "tags": "rock"}, "tags must be a list"),
        ({"type": "filters", "licences": ["x"] * 33}, "at most 32"),
        ({"type": "filters", "tags": [""]}, "1 to 80"),
        ({"type": "filters", "min_duration_s": -1}, "min_duration_s must be"),
        ({"type": "filters", "keys": ["Am", "X"]}, "keys: 'X' is no key"),
        ({"type": "filters", "min_energy": 1.5}, "min_energy must be a number from 0 to 1"),
        ({"type": "filters", "min_energy": 0.8, "max_energy": 0.2}, "min_energy 0.8 is above max_energy 0.2"),
    ],
)
def test_what_is_no_command_is_refused_by_name(fake_runtime: Fake, message: dict[str, Any], reason: str) -> None:
    (refused,) = Session(fake_runtime().model).command(message)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


def test_skipping_has_a_bound(fake_runtime: Fake) -> None:
    session = Session(fake_runtime().model)
    for number in range(1000):
        assert isinstance(session.command({"type": "skip", "track": str(number)})[0], Accepted)
    assert isinstance(session.command({"type": "skip", "track": "7"})[0], Accepted)
    assert isinstance(session.command({"type": "skip", "track": "one more"})[0], Refused)
