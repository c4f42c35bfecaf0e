"""What keys do: each says what is to be, so pressing it again changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from stream.core.commands import CommandError
from stream.server.hands import ACTIONS, COMING_S, ActionError, Hands
from stream.server.player import NOBODY

KIT = {"filters": {"instrumental": True}, "steer": {"energy": -0.5}}


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def on(stage: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    """``on(rows=5)``: a stage, and its keys."""

    def make(**options: Any) -> tuple[Any, Hands]:
        made = stage(**options)
        return made, Hands(made.session, clock)

    return make


def test_without_a_player_it_is_said_what_to_do(on: Callable[..., Any]) -> None:
    stage, keys = on()
    for action in ("play", "next", "take", "duck"):
        with pytest.raises(CommandError, match="nobody plays; start a track where it is to be heard"):
            keys.do(action, {"on": "1"})
    for action in ("pause", "stop"):  # it is silent as it is
        assert keys.do(action, {}) is False
    assert stage.live.commands == [] and NOBODY.startswith("nobody plays")


def test_play_starts_goes_on_and_lets_be(on: Callable[..., Any]) -> None:
    stage, keys = on()
    stage.plays(1)
    stage.plays(None)
    assert keys.do("play", {}) and stage.asked() == [{"do": "play", "track": f"{1:016x}", "start_s": 10.0}]
    stage.plays(1)
    assert keys.do("play", {}) is False and stage.asked() == []
    stage.plays(1, 30.0, paused=True)
    assert keys.do("play", {}) and stage.asked() == [{"do": "resume"}]


def test_pause_and_stop(on: Callable[..., Any]) -> None:
    stage, keys = on()
    stage.plays(1)
    assert keys.do("pause", {}) and stage.asked() == [{"do": "pause"}]
    stage.plays(1, paused=True)
    assert keys.do("pause", {}) is False and stage.asked() == []
    assert keys.do("stop", {}) and stage.asked() == [{"do": "stop"}]
    stage.plays(None)
    assert keys.do("stop", {}) is False and stage.asked() == []


def test_next_is_the_best_one_that_is_not_on_air(on: Callable[..., Any], clock: Clock) -> None:
    stage, keys = on()
    stage.plays(2)
    assert keys.do("next", {}) and stage.asked()[0]["track"] == f"{1:016x}"
    assert keys.do("next", {}) is False and stage.asked() == []  # pressed twice: it is on its way
    stage.plays(1)
    assert keys.do("next", {}) and stage.asked()[0]["track"] == f"{2:016x}"
    clock.now_s += COMING_S + 0.1  # the player did nothing: it may be asked again
    assert keys.do("next", {}) and stage.asked()[0]["track"] == f"{2:016x}"


def test_take_a_row(on: Callable[..., Any]) -> None:
    stage, keys = on()
    stage.plays(1)
    assert keys.do("take", {"n": "3"}) and stage.asked() == [{"do": "play", "track": f"{3:016x}", "start_s": 30.0}]
    assert keys.do("take", {"n": "3"}) is False
    assert keys.do("take", {"n": "2"}) and stage.asked()[0]["track"] == f"{2:016x}"  # another one, though 3 is coming
    assert keys.do("take", {}) is False and stage.asked() == []  # 1, which is on air
    stage.plays(1, paused=True)
    assert keys.do("take", {}) and stage.asked() == [{"do": "resume"}]
    with pytest.raises(CommandError, match="no row 6: the list has 5"):
        keys.do("take", {"n": "6"})


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "one", "²", "9999", "1 ", "1e2"])
def test_rows_that_are_none(on: Callable[..., Any], text: str) -> None:
    _, keys = on()
    for action in ("take", "pin", "like", "skip"):
        with pytest.raises(ActionError, match="n is the number of a row"):
            keys.do(action, {"n": text})


def test_before_the_first_list(on: Callable[..., Any]) -> None:
    stage, keys = on(rows=0)
    stage.plays(1)
    for action in ("next", "take", "pin"):
        with pytest.raises(CommandError, match="no list yet"):
            keys.do(action, {})
    stage, keys = on(rows=1)
    stage.plays(1)
    with pytest.raises(CommandError, match="no other track"):
        keys.do("next", {})


def test_wishes_are_made_once(on: Callable[..., Any]) -> None:
    stage, keys = on()
    assert keys.do("pin", {"n": "2"}) and stage.state.pinned == f"{2:016x}"
    assert keys.do("pin", {"n": "2"}) is False and keys.do("unpin", {}) and keys.do("unpin", {}) is False
    assert stage.state.pinned is None
    with pytest.raises(CommandError, match="nothing is on air"):
        keys.do("like", {})
    stage.plays(4)
    assert keys.do("like", {}) and keys.do("like", {}) is False
    assert [each.track for each in stage.state.liked] == [f"{4:016x}"]
    undone = [keys.do("undo", {}) for _ in range(5)]
    assert undone == [True, True, True, False, False] and stage.state.undo == 0


def test_skip_leaves_out_and_goes_on(on: Callable[..., Any]) -> None:
    stage, keys = on()
    stage.plays(1)
    assert keys.do("skip", {}) and stage.asked() == [{"do": "play", "track": f"{2:016x}", "start_s": 20.0}]
    assert keys.do("skip", {}) is False and stage.asked() == []  # the next one is on its way, and is kept
    assert [each.track for each in stage.state.skipped] == [f"{1:016x}"]
    assert keys.do("skip", {"n": "5"}) and stage.asked() == []
    assert keys.do("skip", {"n": "5"}) is False
    alone, its_keys = on(rows=1)
    alone.plays(1)
    assert its_keys.do("skip", {}) and alone.asked() == [{"do": "stop"}]


def test_what_the_core_refuses_is_refused(on: Callable[..., Any]) -> None:
    stage, keys = on()
    keys.do("skip", {"n": "2"})
    with pytest.raises(CommandError, match="unskip it first"):
        keys.do("pin", {"n": "2"})
    assert len(stage.session.viewers) == 0  # no hand is left among the viewers


def test_duck_and_auto(on: Callable[..., Any]) -> None:
    stage, keys = on()
    stage.plays(1)
    assert keys.do("duck", {"on": "auto"}) is False  # as the player decides: so it is
    for text, value in (("1", True), ("0", False), ("auto", None), ("TRUE", True)):
        assert keys.do("duck", {"on": text}) and stage.asked() == [{"do": "duck", "on": value}]
        assert keys.do("duck", {"on": text}) is False and stage.asked() == []
    another = stage.session.join()
    stage.session.command(another, {"type": "player", "take": True})
    assert stage.session.role.duck is None  # a player begins with its own judgement
    for wrong in ({"on": "2"}, {"on": ""}, {}):
        with pytest.raises(ActionError, match="1, 0 or auto"):
            keys.do("duck", wrong)
    assert keys.do("auto", {"on": "1"}) and stage.session.role.auto and keys.do("auto", {"on": "1"}) is False
    for options in ({}, {"on": "auto"}):
        with pytest.raises(ActionError):
            keys.do("auto", options)


def test_a_kit_is_one_step(on: Callable[..., Any]) -> None:
    stage, keys = on()
    assert keys.apply(KIT) and keys.apply(KIT) is False
    assert stage.state.filters.instrumental and stage.state.steer.energy == -0.5 and stage.state.undo == 1
    assert keys.apply({"steer": {"energy": 0.5}}) and stage.state.filters.instrumental  # what is left out stays
    with pytest.raises(CommandError, match="does not fit this version"):
        keys.apply({"filters": {"of_another_version": True}})


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - {"undo"}))
def test_every_action_twice_acts_once(on: Callable[..., Any], action: str) -> None:
    stage, keys = on()
    stage.plays(1, paused=action == "play")
    keys.do("pin", {"n": "4"})
    before = len(stage.live.commands)
    options = {"duck": {"on": "1"}, "auto": {"on": "1"}, "take": {"n": "3"}}.get(action, {})
    assert keys.do(action, options)
    once = (len(stage.live.commands) - before, stage.asked())
    stage.plays({"next": 2, "skip": 2, "take": 3}.get(action, 1), paused=action == "pause")
    if action == "stop":
        stage.plays(None)
    if action not in ("next", "skip"):  # these go one further once the first has come
        assert keys.do(action, options) is False and stage.asked() == []
    assert once[0] + len(once[1]) == {"skip": 2, "auto": 0}.get(action, 1)  # Auto is the session's own
