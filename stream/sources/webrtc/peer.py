"""One WebRTC publisher: its offer checked and answered, its tracks drained, its video frames handed on.

The signalling is WHIP's (RFC 9725): one offer, one answer, candidates that come later. Media arrives through aiortc,
which decodes H.264 and VP8 and queues sound without a bound, so every track is read all the time; the callbacks for
frames must not block.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import av
from aiortc import (
    InvalidStateError,
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceTransport,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.mediastreams import MediaStreamError

from stream.core.quality_level import QualityLevel
from stream.sources.arrival import Arrival
from stream.sources.ended import STOPPED, Cause, Ended, lost, silent
from stream.sources.feed import FeedError, check_size

from . import aiortc_compat
from .answer import arrange_candidates
from .decoding import Refused, WantedFrames, decode_in_turns
from .negotiation import Negotiation
from .offer import PARSE_ERRORS, OfferError, UnusableOfferError, checked_offer
from .requests import KeyFrameRequests, hold_back
from .rtp_fast_path import shorten
from .trickle import MAX_CANDIDATES, Fragment, FragmentError

log = logging.getLogger(__name__)

OnFrame = Callable[[Arrival], None]

CLOSE_S: Final = 5.0  # to close a connection


class RestartError(ValueError):
    """A publisher wants to restart ICE."""


@dataclass(frozen=True)
class PeerOptions:
    """How long a publisher may take: from the answer to a connection, and from one video frame to the next.

    ``announced``: addresses of this machine for the outside. ``reached``: the one that this publisher used.
    """

    handshake_timeout_s: float = 10.0
    idle_timeout_s: float = 15.0
    announced: tuple[str, ...] = ()
    reached: str = ""


def forgive(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's handler of exceptions in tasks that are never awaited.

    aiortc connects in a task of its own, which raises `InvalidStateError` if the connection is closed meanwhile. That
    is no failure and gets only a line in the log. All other exceptions go to the default handler.
    """
    if isinstance(context.get("exception"), InvalidStateError):
        log.info("a connection was closed while it was being made")
    else:
        loop.default_exception_handler(context)


class WebRtcPeer:
    """One publisher.

    The callbacks of ``feed``: ``on_frame`` gets those frames of the first video track that a sampler may want,
    ``on_sound`` every frame of the first audio track. Both are called on the event loop and must return at once.
    ``on_end`` is called once, with the reason, unless the owner called `close`. ``decoders``: threads that decode its
    tracks in turns with those of others; without them, each track has a thread of its own.
    """

    def __init__(self, options: PeerOptions, decoders: Executor | None = None) -> None:
        self.options = options
        self._decoders = decoders
        self._plain = bool(aiortc_compat.alone())
        self.connected = False
        self._on_frame: OnFrame = lambda arrival: None
        self._on_sound: Callable[[av.AudioFrame], None] = lambda frame: None
        self._on_end: Callable[[Ended], None] | None = None
        self._negotiation: Negotiation | None = None
        self._trickled = 0
        # an empty list, not None: aiortc's default contacts a public STUN server
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._unreachable = False
        self._refusal = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._state = asyncio.Event()
        self._last_frame_s = 0.0
        self._queue = WantedFrames()
        self._undo: list[Callable[[], None]] = []
        self._video: MediaStreamTrack | None = None
        self._audio: MediaStreamTrack | None = None
        self._connection.on("track", self._track)
        self._connection.on("connectionstatechange", self._state.set)

    def feed(
        self,
        on_frame: OnFrame,
        on_sound: Callable[[av.AudioFrame], None],
        on_end: Callable[[Ended], None],
    ) -> "WebRtcPeer":
        """Hand on frames from now on; the time for the handshake begins."""
        self._on_frame, self._on_sound, self._on_end = on_frame, on_sound, on_end
        self._spawn(self._watch())
        return self

    def follow(self, level: QualityLevel) -> None:
        """Decode at this quality level from the next key frame on."""
        self._queue.deblock = level.deblock

    async def answer(self, offer: str) -> str:
        """The SDP answer, complete with candidates.

        Raises `OfferError` and closes the connection when the offer cannot be used.
        """
        try:
            self._negotiation = negotiation = Negotiation(checked_offer(offer))
            await self._connection.setRemoteDescription(RTCSessionDescription(negotiation.offer, "offer"))
            await self._connection.setLocalDescription()
        except OfferError:
            await self.close()
            raise
        except (*PARSE_ERRORS, RuntimeError, OperationError, InvalidStateError) as error:
            await self.close()
            raise UnusableOfferError(f"the offer cannot be answered ({type(error).__name__}: {error})") from error
        except BaseException:
            await self.close()
            raise
        receivers = [transceiver.receiver for transceiver in self._connection.getTransceivers()]
        for transport in {receiver.transport for receiver in receivers}:
            self._listen(transport.transport)
            if not self._plain:
                self._undo.append(shorten(transport))
        for receiver in receivers if not self._plain else ():
            if self._decoders is not None:
                decode_in_turns(receiver, self._decoders)
            is_video = receiver.track is self._video
            self._undo.append(hold_back(receiver, self._queue.requests if is_video else KeyFrameRequests()))
        answer = negotiation.answer(self._connection.localDescription.sdp)
        return arrange_candidates(answer, self.options.reached, self.options.announced)

    async def trickle(self, fragment: Fragment) -> None:
        """Take more candidates of the publisher's. Raises `RestartError` for those of another ICE session,
        `FragmentError` beyond `MAX_CANDIDATES` in all."""
        if self._negotiation is None or fragment.ufrag not in self._negotiation.ufrags:
            raise RestartError("ICE cannot be restarted here: post a new offer, with the same key the session goes on")
        self._trickled += len(fragment.candidates)
        if self._trickled > MAX_CANDIDATES:
            raise FragmentError(f"more than {MAX_CANDIDATES} candidates were trickled")
        for candidate in fragment.candidates:
            if candidate.sdpMid is not None:
                candidate.sdpMid = self._negotiation.transport_of(candidate.sdpMid)
            await self._connection.addIceCandidate(candidate)
        if fragment.complete:
            await self._connection.addIceCandidate(None)

    async def close(self) -> None:
        """Close the connection and stop reading; idempotent, and `on_end` is not called any more."""
        self._on_end = None
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._connection.close()
        except AttributeError as error:  # of aiortc, with an offer that it could not use
            log.warning("a connection could not be closed as it should: %s", error)
        except TimeoutError:  # it waits for a task of its own that failed, for example by invalid timestamps
            log.warning("a connection was not closed within %g s; its sockets are closed without it", CLOSE_S)
            await self._close_sockets()
        # aiortc leaves its own listeners here: a cycle that keeps all of a connection (its TLS, its packets, the
        # counters of its bit rate) until the garbage collector runs; without them it is freed at once
        for transceiver in self._connection.getTransceivers():
            transceiver.receiver.transport.remove_all_listeners()
        while self._undo:
            self._undo.pop()()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close_sockets(self) -> None:
        """Close what `RTCPeerConnection.close` did not, for a bounded time."""
        for transceiver in self._connection.getTransceivers():
            transport = transceiver.receiver.transport
            with contextlib.suppress(Exception):  # after any error there is nothing more to do
                async with asyncio.timeout(CLOSE_S):
                    await transport.stop()
                    await transport.transport.stop()

    def _listen(self, transport: RTCIceTransport) -> None:
        """Record when the publisher cannot be reached any more. aiortc reports the connection as closed then, as it
        does after the publisher has closed it."""

        def changed() -> None:
            self._unreachable = self._unreachable or transport.state == "failed"

        transport.on("statechange", changed)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and self._video is None:
            self._video = track
            if not self._plain:
                aiortc_compat.put_frames_in(track, self._queue)
        if track.kind == "audio" and self._audio is None:
            self._audio = track
        self._spawn(self._drain(track))

    async def _drain(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                if track is self._video:
                    self._take_frame(frame)
                elif track is self._audio and isinstance(frame, av.AudioFrame):
                    self._on_sound(frame)

    def _take_frame(self, frame: Any) -> None:
        """Take the output of the decoder; on the plain path this is a frame of aiortc, which arrives now."""
        now_s = time.monotonic()
        arrival = _bounded(frame, now_s) if isinstance(frame, av.VideoFrame) else frame
        if isinstance(arrival, Refused):
            self._refusal = arrival.reason
            self._state.set()
        elif isinstance(arrival, Arrival):
            self._last_frame_s = now_s
            self._on_frame(arrival)

    async def _watch(self) -> None:
        """Wait until the connection ends, then report the reason, once."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self.options.handshake_timeout_s
        while True:
            state = self._connection.connectionState
            if self._refusal:
                return self._end(lost(self._refusal))
            if state in ("failed", "closed"):
                if not self.connected:
                    return self._end(lost("the connection could not be made"))
                failed = state == "failed" or self._unreachable
                return self._end(lost("the connection failed") if failed else STOPPED)
            if state == "connected" and not self.connected:
                self.connected = True
                self._last_frame_s = time.monotonic()
            if self.connected:
                deadline_s = max(self._last_frame_s, self._queue.newest_s) + self.options.idle_timeout_s
            if loop.time() >= deadline_s:
                return self._end(self._silence())
            self._state.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._state.wait(), deadline_s - loop.time())

    def _silence(self) -> Ended:
        idle_s = self.options.idle_timeout_s
        if self.connected and self._queue.sieve.undecoded:
            words = f"no video that can be decoded for {idle_s:g} s: decoding is behind, send a key frame every 2 s"
            return Ended(Cause.SILENT, words)
        if self.connected:
            return silent(idle_s)
        return lost(f"the publisher did not connect within {self.options.handshake_timeout_s:g} s")

    def _end(self, ended: Ended) -> None:
        log.info("publisher ended: %s", ended.text)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(ended)


def _bounded(frame: av.VideoFrame, now_s: float) -> Arrival | Refused:
    """The arrival of a decoded frame; one that is too large is refused and ends the video."""
    try:
        check_size(frame.width, frame.height)
    except FeedError as error:
        return Refused(str(error))
    return Arrival(frame, arrived_s=now_s)
