"""Wishes are values: each makes a new one, and undo puts the one before back, exactly."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Filters
from stream.core.commands import CommandError, Playing, Undo, read_command
from stream.core.events import Asked, Steer, Weights
from stream.core.wishes import MAX_LIKED, MAX_UNDO, Memory, Wishes

TRACKS = st.sampled_from(["a", "b", "c"])
LEANS = st.one_of(st.none(), st.floats(-1, 1))
MESSAGES = st.one_of(
    st.builds(lambda kind, track: {"type": kind, "track": track}, st.sampled_from(["like", "unlike", "skip"]), TRACKS),
    st.builds(lambda track: {"type": "pin", "track": track}, st.one_of(st.none(), TRACKS)),
    st.builds(lambda e, t: {"type": "steer", "energy": e, "tempo": t}, LEANS, LEANS),
    st.builds(lambda c, m: {"type": "weights", "content": c, "mood": m}, st.floats(0, 4), st.floats(0, 4)),
    st.builds(lambda low: {"type": "filters", "min_bpm": low}, st.floats(0, 200)),
)


def take(memory: Memory, **message: Any) -> str | None:
    command = read_command(message)
    assert not isinstance(command, Playing)
    return memory.take(command)


def test_each_wish_and_back() -> None:
    memory = Memory(Wishes())
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
    assert memory.asked() == Asked(Steer(-0.5, 0.5), Weights(0.5, 4.0, 0.25), None, 7)
    assert take(memory, type="undo") == "a"
    assert memory.wishes.pinned == "a" and memory.wishes.liked == ("a",) and memory.wishes.skipped == ()
    for _ in range(4):
        assert take(memory, type="undo") is None
    assert take(memory, type="undo") == "a" == take(memory, type="undo")
    assert memory.wishes == Wishes()
    with pytest.raises(CommandError, match="nothing to undo"):
        take(memory, type="undo")


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=60))
def test_undoing_everything_is_the_beginning(messages: list[dict[str, Any]]) -> None:
    memory = Memory(Wishes())
    before = [memory.wishes]
    for message in messages:
        try:
            memory.take(_wish(message))
        except CommandError:
            assert memory.wishes == before[-1]
        else:
            before.append(memory.wishes)
        assert not set(memory.wishes.liked) & set(memory.wishes.skipped)
        assert memory.wishes.pinned not in memory.wishes.skipped
    assert memory.asked().undo == min(len(before) - 1, MAX_UNDO)
    for wishes in before[:-1][::-1][:MAX_UNDO]:
        memory.take(Undo())
        assert memory.wishes == wishes
    assert memory.asked().undo == 0


def _wish(message: dict[str, Any]) -> Any:
    return read_command(message)


def test_the_way_back_has_an_end() -> None:
    memory = Memory(Wishes())
    for number in range(MAX_UNDO + 10):
        take(memory, type="like", track=str(number))
    for _ in range(MAX_UNDO):
        take(memory, type="undo")
    assert memory.wishes.liked == tuple(str(number) for number in range(10))
    with pytest.raises(CommandError):
        take(memory, type="undo")


def test_likes_have_a_bound() -> None:
    memory = Memory(Wishes(liked=tuple(str(number) for number in range(MAX_LIKED))))
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
        ({"type": "playing", "track": None, "position_s": 1}, "needs a track"),
        ({"type": "dance"}, "there are filters, like, pin, playing, skip, steer, undo, unlike and weights"),
    ],
)
def test_what_cannot_be_had_is_refused_and_changes_nothing(message: dict[str, Any], reason: str) -> None:
    memory = Memory(Wishes())
    with pytest.raises(CommandError, match=reason):
        memory.take(_wish(message))
    assert memory.wishes == Wishes() and memory.asked().undo == 0
