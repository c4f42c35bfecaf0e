"""One live input with its viewers, whoever feeds it: publishers may come and go while its state goes on."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

import av

from stream.core.events import Accepted, Notice, Refused, Reset, Suggestions, Warned
from stream.core.pace import FULL, Pace

from . import messages
from .viewer_queue import Viewer

LABEL_CHARACTERS: Final = 60
KEY_CHARACTERS: Final = 128


class Live(Protocol):
    """The part of a ``LiveSession`` that a hub drives."""

    def offer(self, frame: av.VideoFrame, passed: int = 0, arrived_s: float | None = None) -> None: ...
    def listen(self, frame: av.AudioFrame) -> None: ...
    def command(self, message: dict[str, Any]) -> None: ...
    def follow(self, pace: Pace) -> None: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


class Publisher(Protocol):
    """What feeds a session. ``connected``: frames may come; ``frames``: video frames so far. ``close`` may be called
    any number of times, and ``on_end`` is not called after it."""

    @property
    def connected(self) -> bool: ...
    @property
    def frames(self) -> int: ...
    def follow(self, pace: Pace) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class Noting(Protocol):
    """A publisher that has words for the viewers, too: what was lost of the stream that it fetches."""

    def hear_notes(self, on_note: Callable[[str], None]) -> None: ...


Publish = Callable[[Notice], None]
Start = Callable[[Publish], Live]
OnFrame = Callable[..., None]  # as `Live.offer`
OnSound = Callable[[av.AudioFrame], None]
OnEnd = Callable[[str], None]
Connect = Callable[[OnFrame, OnSound, OnEnd], Publisher]


class HubSession:
    """``id`` is for viewers; ``secret`` is the newest publisher's alone, so that one which was taken over cannot end
    the session any more; ``key``: who comes again with it goes on here, empty for nobody."""

    def __init__(self, label: str, key: str, start: Start) -> None:
        self.id = secrets.token_urlsafe(12)
        self.secret = secrets.token_urlsafe(24)
        self.key = key
        self.label = label[:LABEL_CHARACTERS]
        self.started_s = time.monotonic()
        self.viewers: set[Viewer] = set()
        self.lost_messages = 0
        self.live = start(self.publish)
        self.publisher: Publisher | None = None
        self.pace = FULL
        self.running: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.timers: set[asyncio.TimerHandle] = set()  # of its longest time, and of its publisher's return
        self.closing: set[asyncio.Task[None]] = set()  # publishers that are being let go of
        self.turn = 0  # changes with the publisher
        self._frames = 0  # of those before
        self._state: dict[str, str] = {}  # what a late viewer needs to see, by the kind of message

    @property
    def connected(self) -> bool:
        return self.publisher is not None and self.publisher.connected

    @property
    def frames(self) -> int:
        return self._frames + (0 if self.publisher is None else self.publisher.frames)

    def feed(self, connect: Connect, on_end: Callable[["HubSession", str], None]) -> None:
        """Let a new publisher feed the session; one that is still there is let go of."""
        self.release()
        self.turn += 1
        turn = self.turn
        self.secret = secrets.token_urlsafe(24)

        def mine(take: Callable[..., None]) -> Callable[..., None]:
            """What a publisher says after another took its place is not heard."""
            return lambda *told: take(*told) if turn == self.turn else None

        self.publisher = connect(
            mine(self.live.offer), mine(self.live.listen), mine(lambda reason: on_end(self, reason))
        )
        self.publisher.follow(self.pace)
        if isinstance(self.publisher, Noting):
            self.publisher.hear_notes(mine(lambda text: self.publish(Warned(text))))

    def release(self) -> None:
        """Let go of the publisher; what it still sends is not heard."""
        self.turn += 1
        if self.publisher is not None:
            self._frames += self.publisher.frames
            task = asyncio.get_running_loop().create_task(self.publisher.close())
            self.closing.add(task)
            task.add_done_callback(self.closing.discard)
            self.publisher = None

    def follow(self, pace: Pace) -> None:
        """Follow the pictures as closely as ``pace`` says from here on, whoever the publisher is."""
        self.pace = pace
        self.live.follow(pace)
        if self.publisher is not None:
            self.publisher.follow(pace)

    def later(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Do ``act`` after a while, unless the session ends before."""
        timer = asyncio.get_running_loop().call_later(seconds, act)
        self.timers.add(timer)
        return timer

    def stop_timers(self) -> None:
        while self.timers:
            self.timers.pop().cancel()

    def publish(self, notice: Notice) -> None:
        """Send a notice to every viewer; never blocks."""
        text = messages.line(notice)
        if isinstance(notice, Suggestions):
            self._state["suggestions"] = text
        elif isinstance(notice, Accepted) and notice.command == "playing":
            self._state["playing"] = text
        elif isinstance(notice, Reset):
            self._state.pop("suggestions", None)
        for viewer in self.viewers:
            viewer.put(text, isinstance(notice, Accepted | Refused))

    def join(self) -> Viewer:
        """A new viewer, which gets the current state at once."""
        viewer = Viewer()
        for text in self._state.values():
            viewer.put(text)
        self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        self.lost_messages += viewer.lost

    def summary(self) -> dict[str, object]:
        """What the list of sessions shows of it."""
        return {
            "id": self.id,
            "label": self.label,
            "connected": self.connected,
            "waiting": self.publisher is None,
            "frames": self.frames,
            "viewers": len(self.viewers),
            "age_s": round(time.monotonic() - self.started_s, 1),
            "events": f"/sessions/{self.id}/events",
        }
