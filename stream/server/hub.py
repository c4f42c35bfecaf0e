"""The sessions that run and the viewers that watch them.

*Bounds*: at most ``max_sessions`` sessions, publishers still connecting included, and ``max_viewers`` viewers of each;
whoever comes later is refused. At most ``QUEUE_LIMIT`` messages wait for a viewer: one that reads too slowly loses the
oldest, and they are counted.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import av

from stream.core.events import Accepted, Notice, Reset, Suggestions, Warned
from stream.sources.webrtc import OfferError, PeerOptions, WebRtcPeer

from . import messages
from .errors import BusyError
from .logs import session_id

log = logging.getLogger(__name__)

QUEUE_LIMIT: Final = 32
LABEL_CHARACTERS: Final = 60


class Live(Protocol):
    """The part of a ``LiveSession`` that the hub drives."""

    def offer(self, frame: av.VideoFrame) -> None: ...
    def command(self, message: dict[str, Any]) -> None: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


Start = Callable[[Callable[[Notice], None]], Live]
OnEnd = Callable[["HubSession", str], None]


@dataclass(frozen=True)
class HubOptions:
    """How much the hub takes on."""

    max_sessions: int = 8
    max_viewers: int = 16
    peer: PeerOptions = field(default_factory=PeerOptions)


@dataclass
class Counters:
    """What happened since the start; every way in which a publisher or a message is lost has its own."""

    opened: int = 0
    refused_busy: int = 0
    refused_offers: int = 0
    never_connected: int = 0
    idle: int = 0
    ended: int = 0
    lost_messages: int = 0


class Viewer:
    """One reader of a session: a queue of message texts in which the newest win."""

    def __init__(self) -> None:
        self.lost = 0
        self.reason = ""
        self._waiting: deque[str] = deque()
        self._open = True
        self._news = asyncio.Event()

    def put(self, text: str) -> None:
        """Queue a message; at the bound the oldest goes."""
        if len(self._waiting) >= QUEUE_LIMIT:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(text)
        self._news.set()

    @property
    def waiting(self) -> int:
        """Messages in the queue now."""
        return len(self._waiting)

    def close(self, reason: str) -> None:
        """No more messages will come; those that wait are still handed out."""
        self.reason, self._open = reason, False
        self._news.set()

    async def next(self) -> str | None:
        """The next message, or None once the session is over."""
        while not self._waiting:
            if not self._open:
                return None
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


class HubSession:
    """One live input with its viewers. ``id`` is for viewers, ``secret`` is the publisher's alone."""

    def __init__(
        self, label: str, start: Start, peer: PeerOptions, on_end: Callable[["HubSession", str], None]
    ) -> None:
        self.id = secrets.token_urlsafe(12)
        self.secret = secrets.token_urlsafe(24)
        self.label = label[:LABEL_CHARACTERS]
        self.started_s = time.monotonic()
        self.viewers: set[Viewer] = set()
        self.lost_messages = 0
        self.live = start(self.publish)
        self.peer = WebRtcPeer(peer, self.live.offer, lambda reason: on_end(self, reason))
        self.running: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self._state: dict[str, str] = {}  # what a late viewer needs to see, by the kind of message

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
            viewer.put(text)

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
            "connected": self.peer.connected,
            "frames": self.peer.frames,
            "viewers": len(self.viewers),
            "age_s": round(time.monotonic() - self.started_s, 1),
            "events": f"/sessions/{self.id}/events",
        }


class Hub:
    """Every session of the server. ``start`` makes the live half of one, given where its notices go."""

    def __init__(self, start: Start, options: HubOptions) -> None:
        self.options = options
        self.counters = Counters()
        self._start = start
        self._sessions: dict[str, HubSession] = {}
        self.refusing = ""  # why no sessions are taken at present, if so
        self._closing = False

    @property
    def sessions(self) -> list[HubSession]:
        return list(self._sessions.values())

    def find(self, session_id: str) -> HubSession | None:
        return self._sessions.get(session_id)

    def by_secret(self, secret: str) -> HubSession | None:
        """The session that a publisher's resource stands for; compares in constant time."""
        found = [s for s in self._sessions.values() if secrets.compare_digest(s.secret.encode(), secret.encode())]
        return found[0] if found else None

    async def open(self, offer: str, label: str) -> tuple[HubSession, str]:
        """Start a session for a publisher's offer; returns it with the SDP answer.

        Raises `BusyError` at the bound, `OfferError` for an offer that cannot be used.
        """
        if self.refusing:
            self.counters.refused_busy += 1
            raise BusyError(self.refusing)
        if self._closing or len(self._sessions) >= self.options.max_sessions:
            self.counters.refused_busy += 1
            raise BusyError(
                f"all {self.options.max_sessions} sessions are taken; try again later or raise --max-sessions"
            )
        session = HubSession(label, self._start, self.options.peer, self._ended)
        session_id.set(session.id)  # tasks made from here on are this session's
        self._sessions[session.id] = session  # before the first await, so that the bound holds
        try:
            answer = await session.peer.answer(offer)
        except BaseException as error:
            if isinstance(error, OfferError):
                self.counters.refused_offers += 1
            del self._sessions[session.id]
            raise
        self.counters.opened += 1
        log.info("session opened: %s", session.label)
        session.running = asyncio.create_task(self._run(session))
        return session, answer

    async def end(self, session: HubSession, reason: str) -> None:
        """End a session and tell its viewers why; returns when it is gone. Any number of calls are one."""
        if session.ending is None:
            session.ending = asyncio.create_task(self._end(session, reason))
        await asyncio.shield(session.ending)

    async def close(self) -> None:
        """End every session; no new ones are taken."""
        self._closing = True
        await asyncio.gather(*(self.end(session, "the server is stopping") for session in self.sessions))

    async def _run(self, session: HubSession) -> None:
        try:
            await session.live.run()
        except Exception:
            log.exception("session %s failed", session.id)
            raise
        finally:
            self._begin_end(session, "the session ended")

    def _ended(self, session: HubSession, reason: str) -> None:
        """The publisher is gone, for a reason of its own."""
        if not session.peer.connected:
            self.counters.never_connected += 1
        elif reason.startswith("no video"):
            self.counters.idle += 1
        if reason != "the publisher stopped":
            session.publish(Warned(reason))
        self._begin_end(session, reason)

    def _begin_end(self, session: HubSession, reason: str) -> None:
        if session.ending is None:
            session.ending = asyncio.create_task(self._end(session, reason))

    async def _end(self, session: HubSession, reason: str) -> None:
        session_id.set(session.id)
        try:
            await session.peer.close()
            await session.live.close()
            if session.running is not None:
                await asyncio.gather(session.running, return_exceptions=True)
        finally:
            self._sessions.pop(session.id, None)
            self.counters.ended += 1
            log.info("session ended: %s", reason)
            self.counters.lost_messages += session.lost_messages + sum(v.lost for v in session.viewers)
            for viewer in list(session.viewers):
                viewer.close(reason)
