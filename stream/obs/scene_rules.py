"""Carrying out the rules of OBS's scenes, and undoing them when the scene is left.

What a person does while a rule holds wins: only what still stands as the rule has put it is undone, dial by dial.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from stream.errors import StreamError

from .rules import KEEP, SceneRule

log = logging.getLogger(__name__)

WISHES = ("filters", "steer", "weights")


class Ruled(Protocol):
    """What the rules move; see `ObsDeck`."""

    host: Any
    held: Any
    sources: Any

    @property
    def plays(self) -> str | None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def silence(self) -> None: ...
    def begin(self, track: str, start_s: float) -> None: ...
    def first(self) -> Mapping[str, Any] | None: ...


class RuledScenes:
    """``rule``: of the scene that is on air. ``silent``: it keeps the music silent.

    ``kit`` may read a file: it is called in a thread, in work that ``spawn`` begins on the event loop."""

    def __init__(
        self,
        deck: Ruled,
        rules: Mapping[str, SceneRule],
        kit: Callable[[str], Mapping[str, Any]] | None = None,
        spawn: Callable[[Coroutine[Any, Any, None]], object] = asyncio.create_task,
    ) -> None:
        self.rule = KEEP
        self.scene = ""
        self._deck, self._rules, self._kit, self._spawn = deck, rules, kit, spawn
        self._held: Any = None  # what a rule has paused
        self._begun: str | None = None  # the track that a rule has started
        self._turned: dict[str, tuple[Any, Any]] = {}  # wishes before the rule, and as it has put them
        self._waits = False  # for a list, to know what there was
        self._visit = 0  # counts scenes and sessions: a kit that comes too late is not wished for

    @property
    def silent(self) -> bool:
        return self.rule.music == "silent"

    def enter(self, scene: str) -> bool:
        """A scene is on air; returns whether that changes anything."""
        if scene == self.scene:
            return False
        rule = self._rules.get(scene, KEEP)
        self._leave(rule)
        self.scene, self.rule = scene, rule
        self._carry_out()
        return True

    def sat(self) -> None:
        """The deck has become a session's player: the rule of the scene on air counts there."""
        self._held = self._begun = None
        self._turned = {}
        self._visit += 1
        self._carry_out()

    def keep(self, held: Any) -> None:
        """What was to sound waits until the silent scene is left."""
        self._held = held

    def listed(self) -> None:
        """A list came: wishes that waited for the first one are made."""
        if self._waits:
            self._wish(self.rule)

    def _carry_out(self) -> None:
        deck, rule = self._deck, self.rule
        deck.sources.media.level("rule", rule.volume_db)
        if deck.host is None:
            return
        self._wish(rule)
        if rule.music == "silent" and deck.plays is not None:
            deck.pause()
            self._held = deck.held
        elif rule.music == "play" and deck.plays is None:
            if deck.held is not None:
                self._begun = deck.held.track
                deck.resume()
            elif (item := deck.first()) is not None:
                deck.begin(item["track"], item["start_s"])
                self._begun = item["track"]

    def _leave(self, following: SceneRule) -> None:
        deck = self._deck
        if following.music != "silent":
            if self._held is not None and deck.held is self._held:
                deck.resume()
            self._held = None
        if following.music != "play":
            if self._begun is not None and deck.plays == self._begun:
                deck.pause()
            self._begun = None
        self._unwish()

    def _wish(self, rule: SceneRule) -> None:
        """Ask for the rule's dials and kit, and note what there was before."""
        kit = self._kit if rule.kit else None
        self._waits = bool(rule.steer or kit) and self._asked() is None
        if self._waits:
            return
        if kit is None:
            self._ask_for(rule, {})
        else:
            self._spawn(self._wish_for_kit(rule, kit, self._visit))

    async def _wish_for_kit(self, rule: SceneRule, kit: Callable[[str], Mapping[str, Any]], visit: int) -> None:
        found: Mapping[str, Any] = {}
        try:
            found = await asyncio.to_thread(kit, rule.kit)
        except StreamError as error:
            log.warning("the rule of the scene %r: %s", self.scene, error)
        if visit == self._visit:
            self._ask_for(rule, {name: found[name] for name in WISHES if isinstance(found.get(name), Mapping)})

    def _ask_for(self, rule: SceneRule, wishes: dict[str, Any]) -> None:
        asked = self._asked()
        if rule.steer:
            wishes["steer"] = {**wishes.get("steer", {}), **rule.steer}
        if not wishes or asked is None:
            return
        self._deck.host.send({"type": "wishes", **wishes})
        since = self._asked() or {}
        self._turned = {name: (asked[name], since[name]) for name in wishes if name in asked and name in since}

    def _unwish(self) -> None:
        turned, self._turned = self._turned, {}
        self._waits = False
        self._visit += 1
        asked = self._asked()
        if asked is None:
            return
        undone: dict[str, Any] = {}
        for name, (before, since) in turned.items():
            if name == "filters":  # they are one wish
                dials = before if asked[name] == since != before else {}
            else:
                dials = {dial: before[dial] for dial in since if asked[name][dial] == since[dial] != before[dial]}
            if dials:
                undone[name] = dials
        if undone:
            self._deck.host.send({"type": "wishes", **undone})

    def _asked(self) -> Mapping[str, Any] | None:
        host = self._deck.host
        return None if host is None else host.asked
