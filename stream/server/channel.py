"""One live input with its viewers. Publishers may come and go while its state goes on."""

import asyncio
import secrets
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import av

from stream import messages
from stream.core.commands import CommandError
from stream.core.events import Accepted, Aired, Inner, Notice, Opened, Refused, ViewerState
from stream.core.quality_level import FULL, QualityLevel
from stream.driver.live import LiveStats
from stream.sinks.base import Sink, Sinks
from stream.sinks.viewers import Viewer, Viewers
from stream.sources.arrival import Arrival
from stream.sources.ended import Ended

from .inputs import Input, Inputs
from .player import KINDS, PlayerRole

LABEL_CHARACTERS: Final = 60
KEY_CHARACTERS: Final = 128


class Live(Protocol):
    """The part of a ``LiveDriver`` that a hub drives."""

    @property
    def stats(self) -> LiveStats: ...
    @property
    def asked(self) -> ViewerState: ...
    def offer(self, arrival: Arrival) -> None: ...
    def listen(self, frame: av.AudioFrame) -> None: ...
    def blank(self) -> None: ...
    def command(self, message: dict[str, Any]) -> None: ...
    def follow(self, level: QualityLevel) -> None: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


Start = Callable[[Sinks], Live]


class Channel:
    """``id`` is for viewers. A publisher that comes back with ``key`` continues this session; empty: none can.
    ``lost``: why it waits for a publisher to come back, None while it does not. ``on_change`` is called with the
    session and the previous input (or None) when an input takes its place. ``sinks`` get its notices beside its
    viewers."""

    def __init__(
        self,
        label: str,
        key: str,
        start: Start,
        on_change: "Callable[[Channel, Input | None], None]",
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.id = secrets.token_urlsafe(12)
        self.key = key
        self.label = label[:LABEL_CHARACTERS]
        self.started_s = time.monotonic()
        self.viewers = Viewers()
        self._sinks = Sinks(sinks, needed=[self.viewers])
        self.live = start(self._sinks)
        self._sinks.put(Opened(self.id, self.label))
        self.inputs = Inputs()
        self.lost: Ended | None = None
        self._on_change = on_change
        self.level = FULL
        self.running: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.timers: dict[str, asyncio.TimerHandle] = {}  # by what they are for
        self.role = PlayerRole(weakref.proxy(self), time.monotonic)  # no reference cycle: it would keep ended sessions

    @property
    def secrets(self) -> list[str]:
        """Texts that must not appear in any log."""
        return [self.key, *(source.secret for source in self.inputs.all)]

    @property
    def asked(self) -> ViewerState:
        """The wishes as they stand."""
        return self.live.asked

    def release(self) -> None:
        """Release every publisher; frames that they still send are ignored."""
        for source in self.inputs.all:
            self.inputs.release(source)

    def follow(self, level: QualityLevel) -> None:
        """Follow the pictures as closely as ``level`` says from now on, for this publisher and later ones."""
        self.level = level
        self.live.follow(level)
        for source in self.inputs.all:
            source.publisher.follow(level)

    def frame_arrived(self, source: Input) -> None:
        """A frame of an input arrived; with its first frame an input begins to feed the session."""
        if source is self.inputs.coming:
            before = self.inputs.now
            self.inputs.promote()
            self._on_change(self, before)
            self.lost = None
            self.stop_timer("grace")

    def later(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` after that time, unless the session ends before or the timer of that name is stopped."""
        self.stop_timer(name)

        def due() -> None:
            del self.timers[name]
            act()

        self.timers[name] = asyncio.get_running_loop().call_later(seconds, due)

    def stop_timer(self, name: str) -> None:
        if (timer := self.timers.pop(name, None)) is not None:
            timer.cancel()

    def publish(self, notice: Notice) -> None:
        """Send every viewer a notice of the server; never blocks."""
        self.viewers.put(notice)

    def note(self, notice: Inner) -> None:
        """Let the sinks, such as a recording, know what viewers get otherwise; never blocks."""
        self._sinks.put(notice)

    def command(self, viewer: Viewer, message: dict[str, Any]) -> None:
        """Carry out a viewer's command. Commands about the player are handled here, all others by the core."""
        if message["type"] not in KINDS:
            return self.live.command(message)
        try:
            self.role.command(viewer, message)
        except CommandError as error:
            viewer.put(messages.line(Refused(message["type"], str(error))), answer=True)
        return None

    def command_core(self, message: dict[str, Any]) -> None:
        """Pass a command of the session itself to the core, unless the session is over."""
        if self.ending is not None:
            return
        self.live.command(message)
        if message["type"] == "playing":
            air = self.role.air
            self._sinks.put(Aired(None) if air is None else Aired(air.track, air.position_s, air.paused))

    def accept(self, command: str, track: str | None) -> None:
        """Notify every viewer that a command was carried out."""
        self.publish(Accepted(command, track))

    def join(self, may: bool = True, page: str = "") -> Viewer:
        """Add a viewer, which gets the current state at once. ``may``, ``page``: see `Viewer`."""
        viewer = Viewer(may, page)
        self.viewers.join(viewer)
        self.role.viewer_joined(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        self.viewers.leave(viewer)
        self.role.viewer_left(viewer)

    def summary(self) -> dict[str, object]:
        """The session's entry in the list of sessions."""
        return {
            "id": self.id,
            "label": self.label,
            "connected": self.inputs.connected,
            "waiting": not self.inputs.all,
            "frames": self.live.stats.arrived,
            "viewers": len(self.viewers),
            "age_s": round(time.monotonic() - self.started_s, 1),
            "events": f"/sessions/{self.id}/events",
        }
