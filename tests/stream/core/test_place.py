"""What the source calls what is on air: a certain cut, and a hint that leans gently and says so."""

from collections.abc import Callable
from typing import Any

import pytest
from answered import Show

from stream.core.commands import CommandError, SetPlace, read_command
from stream.core.events import Accepted, Cut, Event, Refused, Scene, Search, Steer, Suggestions
from stream.core.place import MOST, WORDS, Place, in_words, place_of

Fake = Callable[..., Any]


@pytest.fixture
def show(fake_runtime: Fake, features: Fake) -> Show:
    """One picture, which never changes."""
    return Show(fake_runtime(), lambda slot: features(1))


def leans(show: Show) -> list[tuple[float, ...]]:
    """Of every search so far."""
    return [asked.lean for asked in show.runtime.asked if isinstance(asked, Search)]


def facts(told: Suggestions) -> list[str]:
    return [fact.text for item in told.items for fact in item.facts if fact.kind == "place"]


def starts(events: list[Event]) -> list[float]:
    return [event.pts_s for event in events if isinstance(event, Scene)]


@pytest.mark.parametrize(
    ("name", "way"),
    [("BRB", "calmer"), ("brb_screen 2", "calmer"), ("Just Chatting", "more relaxed"), ("Boss fight!", "tenser"),
     ("01 - Starting Soon", "livelier"), ("RACE", "livelier"), ("Game", ""), ("Embrace", ""), ("", ""), ("休憩", "")],
)  # fmt: skip
def test_words_of_a_name_lean_somewhere(name: str, way: str) -> None:
    assert in_words(place_of(name).lean) == way


def test_no_name_leans_far() -> None:
    for word, lean in WORDS.items():
        assert place_of(word).lean == lean and 0 < max(map(abs, lean.lean)) <= MOST, word


def test_a_dial_that_viewers_turned_is_theirs() -> None:
    place = Place("x", Steer(energy=-0.3, tempo=-0.15))
    assert place.steer(Steer()) == Steer(energy=-0.3, tempo=-0.15)
    assert place.steer(Steer(energy=1.0, valence=0.5)) == Steer(energy=1.0, valence=0.5, tempo=-0.15)
    wished = Steer(energy=0.1, tempo=0.1)
    assert place.steer(wished) is wished and place.part(wished) == Steer()


def test_the_next_picture_begins_a_scene_and_the_window_is_what_came_since(show: Show) -> None:
    assert show.command(type="place", name="Game") == Accepted("place") and not starts(show.second())
    assert show.listed().window_s == 2.0
    show.command(type="place", name="Other")
    said = show.second()
    assert starts(said) == [2.0]
    assert [event for event in said if isinstance(event, Cut)] == [Cut(2.0, 1.0)]
    assert next(event for event in said if isinstance(event, Suggestions)).window_s == 1.0
    assert not starts(show.second())


def test_the_same_name_another_name_for_it_and_none_are_no_new_scene(show: Show) -> None:
    show.command(type="place", name="Game")
    show.second()
    for name, fields in (("Game", {}), ("Spiel", {"cut": False}), ("", {})):
        show.command(type="place", name=name, **fields)
        assert not starts(show.second())
    show.command(type="place", name="Game")
    assert starts(show.second()) == [4.0]


def test_it_leans_the_search_and_a_fact_says_so_until_it_is_forgotten(show: Show) -> None:
    plain = show.listed()
    assert not facts(plain)
    told = show.command(type="place", name="BRB", cut=False)
    assert told == Accepted("place")  # without an effect, which viewers could undo
    leant = show.listed()
    assert leans(show) == [(), (-0.3, 0.0, 0.0, -0.15)]
    assert facts(leant) and set(facts(leant)) == {"scene 'BRB': calmer"}
    assert [item.track for item in leant.items] != [item.track for item in plain.items]
    assert leant.asked is not None and leant.asked.steer == Steer() and leant.asked.undo == 0
    show.session.command({"type": "steer", "energy": 0.5, "tempo": 0.5})
    assert not facts(show.listed()) and leans(show)[-1] == (0.5, 0.0, 0.0, 0.5)
    show.session.command({"type": "undo"})
    show.command(type="place", name="")
    assert not facts(show.listed()) and leans(show)[-1] == ()


def test_it_outlives_a_jump_of_time(show: Show) -> None:
    show.command(type="place", name="BRB")
    show.second()
    show.session.reset("time jumped")
    show.slot = 0
    show.second()
    assert leans(show)[-1] == (-0.3, 0.0, 0.0, -0.15)


@pytest.mark.parametrize(
    "fields", [{}, {"name": None}, {"name": 3}, {"name": "x" * 81}, {"name": "x", "cut": 1}, {"name": "x", "by": "me"}]
)
def test_what_is_no_place_is_refused(fields: dict[str, Any], show: Show) -> None:
    with pytest.raises(CommandError):
        read_command({"type": "place", **fields})
    (answer,) = show.session.command({"type": "place", **fields})
    assert isinstance(answer, Refused)


def test_a_name_loses_the_space_around_it() -> None:
    assert read_command({"v": 1, "type": "place", "name": " BRB "}) == SetPlace("BRB")
