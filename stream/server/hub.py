"""The running sessions, which publishers may begin one, and when they end.

*Bounds*: at most ``max_sessions`` sessions, connecting publishers included, and ``max_viewers`` viewers of each; more
are refused. When messages are late, all sessions are followed less closely (``load_shedding``); when they are too late,
new sessions are refused as well. A session ends when its publisher stops, when it is away longer than ``grace_s``, or
after ``max_session_s``. A publisher with the key of a session feeds it from its own first frame on; until then the
previous publisher continues, or the session waits.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from stream.close_codes import Close
from stream.core.events import GivenUp, Notice, Suggestions, Warned
from stream.core.quality_level import FULL
from stream.sources.ended import Cause, Ended, lost
from stream.sources.webrtc.decoder_queue import decoder_threads
from stream.sources.webrtc.offer import OfferError
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer

from .access import same
from .admission import Load
from .channel import KEY_CHARACTERS, Channel, Start
from .errors import BusyError
from .inputs import Connect, Input
from .load_shedding import LoadShedding
from .logs import session_id

log = logging.getLogger(__name__)

STOPPING: Final = "the server is stopping"
JUDGE_S: Final = 1.0  # between checks of the lateness of all sessions


@dataclass(frozen=True)
class HubOptions:
    """The hub's limits.

    ``grace_s``: how long a session with a key waits for a lost publisher, longer where that one is known to be away for
    a while (`Ended.away_s`); 0 ends it at once. ``late_ms``: no session is
    added while the newest messages are later than this; 0: no limit. ``max_session_s``: 0: no limit.
    """

    max_sessions: int = 8
    max_viewers: int = 16
    grace_s: float = 30.0  # from the moment when silence is noticed; on the other side ICE notices it after 30 to 36 s
    late_ms: float = 1000.0
    max_session_s: float = 24 * 3600.0
    peer: PeerOptions = field(default_factory=PeerOptions)


@dataclass
class Counters:
    """Counts since the start; every way to lose a publisher or a message has its own."""

    opened: int = 0
    refused_busy: int = 0
    refused_offers: int = 0
    never_connected: int = 0
    idle: int = 0
    lost_publishers: int = 0
    resumed: int = 0
    taken_over: int = 0
    ended: int = 0
    lost_messages: int = 0


class Hub:
    """Every session of the server. ``start`` makes a session's driver from its sinks."""

    def __init__(self, start: Start, options: HubOptions) -> None:
        self.options = options
        self.counters = Counters()
        self.load = Load(options.late_ms)
        self.shedding = LoadShedding(options.late_ms)
        self._start = start
        self._decoders = decoder_threads()
        self._sessions: dict[str, Channel] = {}
        self.on_open: list[Callable[[Channel], None]] = []  # called with each new session
        self._connecting = 0  # places reserved for publishers whose offer is being answered
        self._judged_s = 0.0
        self._refusing = ""  # why no publisher is admitted any more

    @property
    def sessions(self) -> list[Channel]:
        return list(self._sessions.values())

    def find(self, session_id: str) -> Channel | None:
        return self._sessions.get(session_id)

    def by_secret(self, secret: str) -> Input | None:
        """The input of a publisher's resource; compares in constant time."""
        matches = [source for s in self._sessions.values() for source in s.inputs.all if same(source.secret, secret)]
        return matches[0] if matches else None

    def by_key(self, key: str) -> Channel | None:
        """The session with a key, unless it is ending. Compares in constant time."""
        matches = [s for s in self._sessions.values() if same(s.key, key) and key and s.ending is None]
        return matches[0] if matches else None

    def refusal(self, key: str = "") -> str | None:
        """Why a publisher with that key is refused now, or None. A publisher that takes over a session needs no
        place."""
        if self._refusing:
            return self._refusing
        if self.by_key(key):
            return None
        if len(self._sessions) + self._connecting >= self.options.max_sessions:
            return f"all {self.options.max_sessions} sessions are taken; try again later or raise --max-sessions"
        return self.load.refusal(time.monotonic())

    def refuse_all(self, reason: str) -> None:
        """Admit no publisher from now on; running sessions go on."""
        self._refusing = reason

    async def open(self, offer: str, label: str, key: str = "", reached: str = "") -> tuple[Input, str]:
        """An input for a WHIP publisher's offer, with the SDP answer. It belongs to the key's session or to a new one.

        ``reached``: the address at which the publisher reached us.

        Raises `BusyError` where there is no place, `OfferError` for an unusable offer.
        """
        self._admit(key)
        self._connecting += 1  # before the first await, so that the bound holds
        peer = WebRtcPeer(replace(self.options.peer, reached=reached), self._decoders)
        try:
            answer = await peer.answer(offer)
        except OfferError:
            self.counters.refused_offers += 1
            raise
        finally:
            self._connecting -= 1
        reason = self._refusing  # set in the meantime
        if not reason and "a=candidate:" not in answer:
            reason = "no UDP port is free for another publisher; widen --udp-ports"
        if reason:
            await peer.close()
            self.counters.refused_busy += 1
            raise BusyError(reason)
        return self._begin(label, key, peer.feed), answer

    def begin(self, label: str, key: str, connect: Connect) -> Input:
        """An input for the publisher that ``connect(on_frame, on_sound, on_end)`` makes. It belongs to the key's
        session or to a new one.

        Raises `BusyError`, before ``connect`` is called, where there is no place.
        """
        self._admit(key)
        return self._begin(label, key, connect)

    async def end(self, session: Channel, reason: str) -> None:
        """End a session and tell its viewers why; returns when it has ended. Further calls only wait."""
        await asyncio.shield(self._begin_end(session, reason))

    async def stop(self, source: Input, ended: Ended) -> None:
        """A publisher stops by itself: its session ends, unless another publisher feeds it or is coming."""
        session = self._sessions.get(source.id)
        if session is None or source not in session.inputs.all:
            return
        if source is session.inputs.coming and (session.inputs.now is not None or session.lost):
            session.inputs.release(source)
            self._takeover_failed(session, ended)
        elif source is session.inputs.now and session.inputs.coming is not None:
            self._leave(session, source, ended)
        else:
            await self.end(session, ended.text)

    async def close(self) -> None:
        """End every session; no new ones are taken."""
        self.refuse_all(STOPPING)
        await asyncio.gather(*(self.end(session, STOPPING) for session in self.sessions))
        self._decoders.shutdown(wait=False, cancel_futures=True)

    def _admit(self, key: str) -> None:
        if (reason := self.refusal(key)) is not None:
            self.counters.refused_busy += 1
            raise BusyError(reason)

    def _begin(self, label: str, key: str, connect: Connect) -> Input:
        key = key[:KEY_CHARACTERS]
        if (session := self.by_key(key)) is not None:
            session_id.set(session.id)
            log.info("another publisher came with the session's key")
        else:
            session = self._open_session(label, key)
        return session.inputs.add(session, connect, self._publisher_gone)

    def _open_session(self, label: str, key: str) -> Channel:
        session = Channel(label, key, self._start, self._publisher_changed, [self])
        session_id.set(session.id)  # tasks created from here on belong to this session
        self._sessions[session.id] = session
        if self.shedding.level is not FULL:  # the default
            session.follow(self.shedding.level)
        log.info("session opened: %s", session.label)
        self.counters.opened += 1
        for tell in self.on_open:
            tell(session)
        session.running = asyncio.create_task(self._run(session))
        if self.options.max_session_s:
            reason = f"a session lasts {self.options.max_session_s:g} s at most"
            session.later("most", self.options.max_session_s, lambda: self._lose(session, lost(reason)))
        return session

    def _publisher_changed(self, session: Channel, before: Input | None) -> None:
        """A publisher sent its first frame, and feeds the session from now on."""
        if before is not None:
            self.counters.taken_over += 1
            log.info("session goes on with another publisher")
        elif session.lost:
            self.counters.resumed += 1
            log.info("session goes on: its publisher is back")

    def put(self, notice: Notice) -> None:
        """The hub is a sink of every session: the lateness of lists decides about admission and shedding."""
        if isinstance(notice, Suggestions | GivenUp) and notice.late_ms is not None:
            self.note(notice.late_ms)

    def note(self, late_ms: float) -> None:
        """Note how late a message was, or how late it was when it was given up."""
        now_s, before = time.monotonic(), self.shedding.level
        self.load.note(now_s, late_ms)
        if now_s - self._judged_s < JUDGE_S:
            return
        self._judged_s = now_s
        lateness = self.load.late_ms(now_s)
        level = self.shedding.judge(now_s, lateness)
        if level is before:
            return
        log.warning("messages are %.0f ms late: quality level %r, now %r", lateness or late_ms, before.name, level.name)
        self.load.forget()  # lateness at another level says nothing about this one
        for session in self.sessions:
            session.follow(level)

    async def _run(self, session: Channel) -> None:
        try:
            await session.live.run()
        except Exception:
            log.exception("session %s failed", session.id)
            raise
        finally:
            self._begin_end(session, "the session ended")

    def _publisher_gone(self, source: Input, ended: Ended) -> None:
        """A publisher has ended by itself, or was lost."""
        session, connected = self._sessions.get(source.id), source.publisher.connected
        if session is None:
            return
        if not connected:
            self.counters.never_connected += 1
        elif ended.cause is Cause.SILENT:
            self.counters.idle += 1
        if source is session.inputs.coming and (session.inputs.now is not None or session.lost):
            session.inputs.release(source)
            self._takeover_failed(session, ended)
        elif ended.stopped and session.inputs.coming is None:
            self._lose(session, ended)
        elif session.key and connected and not self._refusing:
            self._leave(session, source, ended)
        else:
            self._lose(session, ended)

    def _takeover_failed(self, session: Channel, ended: Ended) -> None:
        """A publisher came with the key of a session that has a publisher or waits for one, and did not get through."""
        if session.inputs.now is None and "grace" not in session.timers:
            self._lose(session, session.lost or ended)
        elif not ended.stopped:
            text = f"another publisher came with this stream's key and sent no picture ({ended.text})"
            session.publish(Warned(text))

    def _leave(self, session: Channel, source: Input, ended: Ended) -> None:
        """A publisher is gone; the session waits for it, or for the one that is coming."""
        grace_s = 0.0 if ended.stopped else self.options.grace_s
        grace_s = max(grace_s, ended.away_s) if grace_s else 0.0
        session.inputs.release(source)
        session.live.blank()
        session.lost = ended
        if grace_s:
            self.counters.lost_publishers += 1
            session.publish(Warned(f"{ended.text}; waiting {grace_s:g} s for the publisher to come back"))
            session.later("grace", grace_s, lambda: self._end_grace(session))
        else:
            self._end_grace(session)

    def _end_grace(self, session: Channel) -> None:
        """The grace is over; the session still waits for a publisher that is already coming."""
        if session.inputs.coming is None and session.lost is not None:
            self._lose(session, session.lost)

    def _lose(self, session: Channel, ended: Ended) -> None:
        if not ended.stopped:
            session.publish(Warned(ended.text))
        self._begin_end(session, ended.text)

    def _begin_end(self, session: Channel, reason: str) -> asyncio.Task[None]:
        if session.ending is None:
            session.ending = asyncio.create_task(self._end(session, reason))
        return session.ending

    async def _end(self, session: Channel, reason: str) -> None:
        session_id.set(session.id)
        try:
            for name in list(session.timers):
                session.stop_timer(name)
            session.release()
            await asyncio.gather(*session.inputs.closing, return_exceptions=True)
            await session.live.close()
            if session.running is not None:
                await asyncio.gather(session.running, return_exceptions=True)
        finally:
            self._sessions.pop(session.id, None)
            self.counters.ended += 1
            log.info("session ended: %s", reason)
            self.counters.lost_messages += session.viewers.lost
            for viewer in session.viewers:
                viewer.close(reason, Close.GOING_AWAY if reason == STOPPING else Close.NORMAL)
