"""Rules of OBS's scenes: how they are written, what they do, and what is undone when the scene is left."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from stream.errors import StreamError
from stream.obs.deck_parts import Held
from stream.obs.rules import SceneRule, parse_rules
from stream.obs.scene_rules import RuledScenes


def test_rules_are_read() -> None:
    table = {"BRB": {"music": "play", "steer": {"energy": -0.5}, "kit": "calm", "volume_db": -3}, "Game": {}}
    rules = parse_rules(table)
    assert rules == {"BRB": SceneRule("play", {"energy": -0.5}, "calm", -3.0), "Game": SceneRule()}
    assert rules["BRB"].text == "music plays, energy -0.5, kit calm, -3 dB" and rules["Game"].text == ""


@pytest.mark.parametrize(
    "table",
    [
        [],
        {"": {}},
        {"BRB": 1},
        {"BRB": {"musik": "play"}},
        {"BRB": {"music": "loud"}},
        {"BRB": {"steer": {"energie": 1}}},
        {"BRB": {"steer": {"energy": 1.5}}},
        {"BRB": {"steer": {"energy": True}}},
        {"BRB": {"volume_db": 3}},
        {"BRB": {"volume_db": float("nan")}},
        {"BRB": {"kit": 7}},
        {f"scene {number}": {} for number in range(65)},
    ],
)
def test_what_is_no_rule_is_refused(table: Any) -> None:
    with pytest.raises(ValueError):
        parse_rules(table)


@dataclass
class Deck:
    """A deck that does at once what it is told."""

    plays: str | None = None
    held: Any = None
    newest: dict[str, Any] | None = field(default_factory=lambda: {"asked": {"steer": STILL, "weights": WEIGHTS}})
    sent: list[dict[str, Any]] = field(default_factory=list)
    level_db: float = 0.0
    host: Any = None

    def __post_init__(self) -> None:
        self.host = self.sources = self.media = self

    @property
    def asked(self) -> dict[str, Any] | None:
        return None if self.newest is None else dict(self.newest["asked"])

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        assert self.newest is not None
        for name, value in message.items():
            if name != "type":
                self.newest["asked"][name] = {**(self.newest["asked"].get(name) or {}), **value}

    def level(self, part: str, db: float) -> None:
        assert part == "rule"
        self.level_db = db

    def pause(self) -> None:
        self.held, self.plays = Held(self.plays or "", 7.0), None

    def resume(self) -> None:
        self.plays, self.held = self.held.track, None

    def silence(self) -> None:
        self.plays = self.held = None

    def begin(self, track: str, start_s: float) -> None:
        self.plays = track

    def first(self) -> dict[str, Any] | None:
        return {"track": "best", "start_s": 4.0}


STILL = {"energy": 0.0, "valence": 0.25, "tension": 0.0, "tempo": 0.0}
WEIGHTS = {"content": 0.5, "rhythm": 0.25, "mood": 0.25}
KITS = {"calm": {"steer": {"energy": -0.2, "tempo": -0.5}, "weights": {"content": 1.0, "rhythm": 0, "mood": 0}}}


def kit(name: str) -> dict[str, Any]:
    if name not in KITS:
        raise StreamError(f"there is no kit {name!r}")
    return KITS[name]


def ruled(deck: Deck, **rules: dict[str, Any]) -> RuledScenes:
    return RuledScenes(deck, parse_rules(rules), kit)


def test_a_silent_scene_pauses_and_leaving_it_goes_on() -> None:
    deck = Deck(plays="a")
    scenes = ruled(deck, BRB={"music": "silent", "volume_db": -6}, Talk={"music": "silent"})
    scenes.enter("Game")
    assert deck.plays == "a" and not scenes.silent
    assert scenes.enter("BRB") and not scenes.enter("BRB")
    assert deck.plays is None and scenes.silent and deck.level_db == -6
    scenes.enter("Talk")
    assert deck.plays is None and deck.level_db == 0  # silent as well
    scenes.enter("Game")
    assert deck.plays == "a" and deck.held is None


def test_what_somebody_does_in_the_scene_is_not_undone() -> None:
    deck = Deck(plays="a")
    scenes = ruled(deck, BRB={"music": "silent"}, Chat={"music": "play", "steer": {"energy": 0.5}})
    scenes.enter("BRB")
    deck.silence()
    scenes.enter("Game")
    assert deck.plays is None
    scenes.enter("Chat")
    assert deck.plays == "best"
    deck.begin("mine", 0)
    deck.send({"type": "steer", "steer": {"energy": 0.1}})
    scenes.enter("Game")
    assert deck.plays == "mine" and deck.newest is not None and deck.newest["asked"]["steer"]["energy"] == 0.1


def test_music_that_a_scene_has_begun_ends_with_it() -> None:
    deck = Deck()
    scenes = ruled(deck, BRB={"music": "play"}, Talk={"music": "play"})
    scenes.enter("BRB")
    scenes.enter("Talk")
    assert deck.plays == "best"
    scenes.enter("Game")
    assert deck.plays is None
    deck.plays, deck.held = None, Held("before", 1.0)
    scenes.enter("BRB")
    assert deck.plays == "before"
    scenes.enter("Game")
    assert deck.plays is None and deck.held is not None


async def settled() -> None:
    """Wait until no kit is being read."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


def test_dials_and_kits_are_turned_back() -> None:
    async def scene() -> None:
        deck = Deck()
        scenes = ruled(deck, BRB={"kit": "calm", "steer": {"energy": -0.5}})
        scenes.enter("BRB")
        await settled()
        assert deck.sent == [
            {"type": "wishes", "steer": {"energy": -0.5, "tempo": -0.5}, "weights": KITS["calm"]["weights"]}
        ]
        deck.send({"type": "steer", "steer": {"energy": 0.25, "valence": 1.0}})  # somebody does
        scenes.enter("Game")
        assert deck.sent[2:] == [{"type": "wishes", "steer": {"tempo": 0.0}, "weights": WEIGHTS}]
        assert deck.asked is not None and deck.asked["steer"] == {**STILL, "energy": 0.25, "valence": 1.0}

    asyncio.run(scene())


def test_wishes_wait_for_the_first_list_and_a_kit_that_is_gone_does_no_harm() -> None:
    async def scene() -> None:
        deck = Deck(newest=None)
        scenes = ruled(deck, BRB={"kit": "gone", "steer": {"energy": -0.5}})
        scenes.enter("BRB")
        scenes.listed()
        await settled()
        assert deck.sent == []
        deck.newest = {"asked": {"steer": STILL}}
        scenes.listed()
        scenes.listed()
        await settled()
        assert deck.sent == [{"type": "wishes", "steer": {"energy": -0.5}}]

    asyncio.run(scene())


def test_a_kit_is_read_beside_the_event_loop_and_not_wished_for_once_its_scene_is_left() -> None:
    read, go = list[int](), threading.Event()

    def slow(name: str) -> dict[str, Any]:
        read.append(threading.get_ident())
        assert go.wait(20)
        return {**KITS["calm"], "filters": "of a file that somebody has edited"}

    async def scene() -> None:
        deck = Deck()
        scenes = RuledScenes(deck, parse_rules({"BRB": {"kit": "calm"}, "Game": {}}), slow)
        scenes.enter("BRB")
        assert deck.sent == []
        scenes.enter("Game")
        go.set()
        await settled()
        assert read and threading.get_ident() not in read and deck.sent == []
        scenes.enter("BRB")
        await settled()
        assert deck.sent == [{"type": "wishes", **KITS["calm"]}]

    asyncio.run(scene())


def test_without_a_session_only_the_level_counts() -> None:
    deck = Deck(plays="a")
    deck.host = None
    scenes = ruled(deck, BRB={"music": "silent", "volume_db": -6})
    scenes.enter("BRB")
    assert (deck.plays, deck.level_db) == ("a", -6)
    deck.host = deck
    scenes.sat()
    assert deck.plays is None
