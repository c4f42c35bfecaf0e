"""Preferences are values: each makes a new one, and undo puts the one before back, exactly."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Filters
from stream.core.commands import CommandError, Playing, Undo, read_command
from stream.core.events import Steer, Suggestions, ViewerState, Weights, Wished
from stream.core.preferences import LISTED, MAX_LIKED, MAX_UNDO, Preferences, UndoStack
from stream.messages import encode

TRACKS = st.sampled_from(["a", "b", "c"])
LEANS = st.one_of(st.none(), st.floats(-1, 1))
MESSAGES = st.one_of(
    st.builds(
        lambda kind, track: {"type": kind, "track": track},
        st.sampled_from(["like", "unlike", "skip", "unskip"]),
        TRACKS,
    ),
    st.builds(lambda what: {"type": "reset", "what": what}, st.sampled_from([None, "liked", ["skipped", "steer"]])),
    st.builds(
        lambda track, other: {"type": "wishes", "liked": [track], "pinned": other, "skipped": [{"track": other}]},
        TRACKS,
        TRACKS,
    ),
    st.builds(lambda track: {"type": "pin", "track": track}, st.one_of(st.none(), TRACKS)),
    st.builds(lambda e, t: {"type": "steer", "energy": e, "tempo": t}, LEANS, LEANS),
    st.builds(lambda c, m: {"type": "weights", "content": c, "mood": m}, st.floats(0, 4), st.floats(0, 4)),
    st.builds(lambda low: {"type": "filters", "min_bpm": low}, st.floats(0, 200)),
)


def take(memory: UndoStack, **message: Any) -> str | None:
    command = read_command(message)
    assert not isinstance(command, Playing)
    return memory.take(command)


def test_each_wish_and_back() -> None:
    memory = UndoStack(Preferences())
    assert take(memory, type="like", track="a") == "a" and memory.wishes.liked == ("a",)
    assert take(memory, type="pin", track="a") == "a" and memory.wishes.pinned == "a"
    assert take(memory, type="steer", energy=-0.5) is None
    take(memory, type="steer", valence=0.5, energy=None)
    assert memory.wishes.steer == Steer(energy=-0.5, valence=0.5)
    take(memory, type="weights", rhythm=4)
    assert memory.wishes.weights == Weights(0.5, 4.0, 0.25)
    take(memory, type="filters", min_bpm=90)
    assert memory.wishes.filters == Filters(min_bpm=90.0)
    take(memory, type="skip", track="a")
    assert memory.wishes.skipped == ("a",) and memory.wishes.pinned is None and memory.wishes.liked == ()
    assert memory.state() == ViewerState(
        Steer(-0.5, 0.5), Weights(0.5, 4.0, 0.25), None, 7, skipped=(Wished("a"),), filters=Filters(min_bpm=90.0)
    )
    assert take(memory, type="undo") == "a"
    assert memory.wishes.pinned == "a" and memory.wishes.liked == ("a",) and memory.wishes.skipped == ()
    for _ in range(4):
        assert take(memory, type="undo") is None
    assert take(memory, type="undo") == "a" == take(memory, type="undo")
    assert memory.wishes == Preferences()
    with pytest.raises(CommandError, match="nothing to undo"):
        take(memory, type="undo")


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=60))
def test_undoing_everything_is_the_beginning(messages: list[dict[str, Any]]) -> None:
    memory = UndoStack(Preferences())
    before = [memory.wishes]
    for message in messages:
        try:
            memory.take(_wish(message))
        except CommandError:
            assert memory.wishes == before[-1]
        else:
            if memory.wishes != before[-1]:  # else there is nothing to take back
                before.append(memory.wishes)
        assert not set(memory.wishes.liked) & set(memory.wishes.skipped)
        assert memory.wishes.pinned not in memory.wishes.skipped
    assert memory.state().undo == min(len(before) - 1, MAX_UNDO)
    for wishes in before[:-1][::-1][:MAX_UNDO]:
        memory.take(Undo())
        assert memory.wishes == wishes
    assert memory.state().undo == 0


def _wish(message: dict[str, Any]) -> Any:
    return read_command(message)


def test_the_way_back_has_an_end() -> None:
    memory = UndoStack(Preferences())
    for number in range(MAX_UNDO + 10):
        take(memory, type="like", track=str(number))
    for _ in range(MAX_UNDO):
        take(memory, type="undo")
    assert memory.wishes.liked == tuple(str(number) for number in range(10))
    with pytest.raises(CommandError):
        take(memory, type="undo")


def test_likes_have_a_bound() -> None:
    memory = UndoStack(Preferences(liked=tuple(str(number) for number in range(MAX_LIKED))))
    take(memory, type="like", track="7")
    with pytest.raises(CommandError, match="unlike some"):
        take(memory, type="like", track="one more")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "like", "track": None}, "like needs a track"),
        ({"type": "unlike"}, "missing"),
        ({"type": "steer"}, "at least one of energy"),
        ({"type": "steer", "energy": 1.5}, "energy must be a number from -1 to 1"),
        ({"type": "steer", "tempo": float("nan")}, "tempo must be"),
        ({"type": "steer", "warmth": 1}, "unknown field 'warmth'"),
        ({"type": "weights", "mood": -1}, "mood must be a number from 0 to 4"),
        ({"type": "weights", "content": 0, "rhythm": 0, "mood": 0}, "not all 0"),
        ({"type": "undo", "track": "a"}, "there are none"),
        ({"type": "playing", "track": "a", "position_s": -1}, "position_s must be a number from 0"),
        ({"type": "playing", "track": None, "position_s": 1}, "need a track"),
        ({"type": "playing", "track": None, "paused": True}, "need a track"),
        ({"type": "playing", "track": "a", "paused": 1}, "paused must be"),
        ({"type": "skip", "track": "a", "for_s": 0}, "for_s must be a number from 1"),
        ({"type": "unskip"}, "missing"),
        ({"type": "reset", "what": "mood"}, "one or a list of filters, liked"),
        ({"type": "reset", "what": []}, "or null for all"),
        ({"type": "wishes", "liked": ["a"] * 201}, "at most 200"),
        ({"type": "wishes", "skipped": ["a"]}, "must hold objects"),
        ({"type": "wishes", "steer": 1}, "steer must be an object"),
        ({"type": "wishes", "pinned": 7}, "track must be an id"),
        ({"type": "dance"}, "there are filters, like, pin, playing, reset, skip, steer, undo, unlike, unskip, weights"),
    ],
)
def test_what_cannot_be_had_is_refused_and_changes_nothing(message: dict[str, Any], reason: str) -> None:
    memory = UndoStack(Preferences())
    with pytest.raises(CommandError, match=reason):
        memory.take(_wish(message))
    assert memory.wishes == Preferences() and memory.state().undo == 0


def test_a_skip_for_a_while_is_over_after_it_and_undo_knows() -> None:
    memory = UndoStack(Preferences())
    memory.take(_wish({"type": "skip", "track": "a", "for_s": 600}), 100.0)
    memory.take(_wish({"type": "like", "track": "b"}), 150.0)
    memory.take(_wish({"type": "skip", "track": "c"}), 160.0)
    assert [(each.track, each.left_s) for each in memory.state(400.0).skipped] == [("a", 300.0), ("c", None)]
    memory.pass_time(699.9)
    assert memory.wishes.skipped == ("a", "c")
    memory.pass_time(700.0)
    assert memory.wishes.skipped == ("c",) and memory.wishes.liked == ("b",)
    assert memory.state(700.0).undo == 2  # to take back the skip that is over would do nothing
    memory.take(Undo(), 701.0)
    memory.take(Undo(), 702.0)
    assert memory.wishes == Preferences() and memory.state(702.0).undo == 0


def test_another_time_for_a_skip_replaces_the_one_before() -> None:
    memory = UndoStack(Preferences())
    take(memory, type="skip", track="a")
    take(memory, type="skip", track="a", for_s=60)
    assert [each.left_s for each in memory.state(10.0).skipped] == [50.0]
    take(memory, type="undo")
    assert [each.left_s for each in memory.state(10.0).skipped] == [None]
    take(memory, type="unskip", track="a")
    assert memory.wishes == Preferences() and take(memory, type="undo") == "a" and memory.wishes.skipped == ("a",)


def test_each_kind_of_wish_is_set_back_to_what_the_session_began_with() -> None:
    began = Preferences(weights=Weights(1.0, 0.0, 1.0))
    memory = UndoStack(began)
    for message in (
        {"type": "like", "track": "a"},
        {"type": "skip", "track": "b", "for_s": 60},
        {"type": "pin", "track": "a"},
        {"type": "steer", "energy": 1},
        {"type": "weights", "rhythm": 2},
        {"type": "filters", "min_bpm": 90},
    ):
        memory.take(_wish(message))
    take(memory, type="reset", what="weights")
    assert memory.wishes.weights == began.weights and memory.wishes.liked == ("a",)
    take(memory, type="reset", what=["skipped", "steer"])
    assert memory.wishes.until == () and memory.wishes.steer == Steer() and memory.wishes.pinned == "a"
    take(memory, type="reset")
    assert memory.wishes == began
    take(memory, type="undo")
    assert memory.wishes.liked == ("a",)


def test_what_was_told_of_the_wishes_gives_them_back() -> None:
    lost = UndoStack(Preferences())
    for message in (
        {"type": "like", "track": "a"},
        {"type": "pin", "track": "a"},
        {"type": "skip", "track": "b", "for_s": 60},
        {"type": "skip", "track": "c"},
        {"type": "steer", "energy": 0.5, "tempo": -1},
        {"type": "weights", "rhythm": 2},
        {
            "type": "filters",
            "min_bpm": 90,
            "licences": ["CC0"],
            "tags": ["calm"],
            "live_ok": True,
            "moods": ["dark"],
            "playlists": ["Sets/Friday"],
            "keys": ["8A", "f#m"],
            "near_keys": True,
            "max_energy": 0.5,
        },
    ):
        lost.take(_wish(message), 10.0)
    told = encode(Suggestions(1.0, 1.0, "stay", (), asked=lost.state(30.0)))["asked"]
    told["skipped"] = [{name: each[name] for name in ("track", "left_s")} for each in told["skipped"]]
    message = {name: told[name] for name in ("filters", "pinned", "skipped", "steer", "weights")}
    message["liked"] = [each["track"] for each in told["liked"]]
    memory = UndoStack(Preferences())
    memory.take(_wish({"type": "wishes", **message}), 5.0)
    assert memory.wishes == replace(lost.wishes, until=(("b", 45.0),))
    assert memory.state(5.0).undo == 1
    memory.take(Undo(), 6.0)
    assert memory.wishes == Preferences()


def test_of_many_the_newest_are_told_and_the_others_counted() -> None:
    memory = UndoStack(Preferences())
    for number in range(LISTED + 5):
        take(memory, type="skip", track=str(number))
    told = memory.state()
    assert [each.track for each in told.skipped] == [str(number) for number in range(5, LISTED + 5)]
    assert told.unlisted == 5
