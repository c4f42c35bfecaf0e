"""What the tests of keys and overlays share: a session with a real core, a list of its own and a player that obeys."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from catalog.errors import UnknownTrackError
from catalog.records import Track
from stream.core.events import Item, Reasons, Suggestions, ViewerState
from stream.core.quality_level import QualityLevel
from stream.core.session import Session
from stream.driver.live import LiveStats
from stream.server.channel import Channel
from stream.sinks.base import Sinks
from stream.sinks.viewers import Viewer
from stream.sources.arrival import Arrival

NAMES = ("Night Bus", "Low Tide", "Pylons", "Salt", "Öre – Ø")


def track_of(number: int) -> str:
    return f"{number:016x}"


def item_of(number: int) -> Item:
    reasons, title = Reasons(0.5, 0.5, 0.5), NAMES[number - 1]
    return Item(number, track_of(number), title, "A. Name", 10.0 * number, 180.0, 0.9, reasons, 120.0, "CC-BY-4.0")


class Shelf:
    """A catalogue of the five tracks."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def track(self, track_id: str) -> Track:
        for number, title in enumerate(NAMES, 1):
            if track_id == track_of(number):
                fields = {"title": title, "artist": "A. Name", **self._changes}
                return Track(track_id, path=Path("/m"), duration_s=180.0, tempo_bpm=120.0, licence="CC-BY-4.0", tags=(),
                             **fields)  # fmt: skip
        raise UnknownTrackError(track_id)


class Live:
    """The core of a session without pictures, and one list; no newer one comes, as within the second after a wish."""

    def __init__(self, core: Session, sinks: Sinks, rows: int) -> None:
        self.core, self._sinks = core, sinks
        self.stats = LiveStats()
        self.commands: list[dict[str, Any]] = []
        if rows:
            items = tuple(item_of(number) for number in range(1, rows + 1))
            sinks.put(Suggestions(1.0, 1.0, "stay", items, asked=core.asked))

    @property
    def asked(self) -> ViewerState:
        return self.core.asked

    def command(self, message: dict[str, Any]) -> None:
        self.commands.append(message)
        self._sinks.put(self.core.command(message)[0])  # type: ignore[arg-type]

    def offer(self, arrival: Arrival) -> None: ...
    def listen(self, frame: av.AudioFrame) -> None: ...
    def blank(self) -> None: ...
    def follow(self, level: QualityLevel) -> None: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


class Stage:
    """A session with ``rows`` rows in its list."""

    def __init__(self, model: Any, rows: int = 5, key: str = "studio") -> None:
        self.session = Channel(
            "test", key, lambda sinks: Live(Session(model), sinks, rows), lambda session, before: None
        )
        self.live: Any = self.session.live
        self.player: Viewer | None = None
        self._heard = 0

    def plays(self, number: int | None, position_s: float | None = None, paused: bool = False) -> None:
        """The player says what it plays."""
        if self.player is None:
            self.player = self.session.join()
        track = None if number is None else track_of(number)
        message: dict[str, Any] = {"type": "playing", "track": track}
        if track is not None:
            message |= {"position_s": position_s, "paused": paused}
        self.session.command(self.player, message)
        self.asked()

    def asked(self) -> list[dict[str, Any]]:
        """What the player was asked to do since."""
        assert self.player is not None
        texts = list(self.player.waiting)
        while self.player._waiting:
            self.player._waiting.popleft()
        messages = [json.loads(text) for text in texts]
        return [
            {name: value for name, value in each.items() if name not in ("v", "type")}
            for each in messages
            if each["type"] == "do"
        ]

    @property
    def state(self) -> Any:
        """The wishes as the core has them."""
        return self.live.asked


class Sessions:
    """The part of a hub that finds sessions."""

    def __init__(self, *stages: Stage) -> None:
        self.stages = list(stages)

    @property
    def sessions(self) -> list[Channel]:
        return [stage.session for stage in self.stages]

    def by_key(self, key: str) -> Channel | None:
        return next((stage.session for stage in self.stages if stage.session.key == key), None)


Make = Callable[..., Stage]
