"""One WebRTC publisher: its offer checked and answered, its tracks drained, its video frames handed on.

The signalling is WHIP's (RFC 9725): one offer, one answer, candidates that come later. Media arrives through aiortc,
which decodes H.264 and VP8 in threads of its own and queues what it decoded without a bound, so every track is read all
the time, audio too; whoever takes the frames must not block.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable, Coroutine
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
from aiortc.sdp import SessionDescription

from .answer import arranged
from .trickle import MAX_CANDIDATES, Fragment, FragmentError, is_port

log = logging.getLogger(__name__)

VIDEO_CODECS: Final = ("H264", "VP8")
AUDIO_CODECS: Final = ("opus", "PCMU", "PCMA", "G722")
MAX_MEDIA: Final = 8
CLOSE_S: Final = 5.0  # for a connection's end
# aiortc's parser lets these out for text that is no SDP
PARSE_ERRORS: Final = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
    ArithmeticError,
)


class OfferError(ValueError):
    """An offer that is not SDP, or lacks what WebRTC needs."""


class UnusableOfferError(OfferError):
    """A well-formed offer of something that cannot be received here."""


class RestartError(ValueError):
    """A publisher wants to restart ICE."""


@dataclass(frozen=True)
class PeerOptions:
    """How long a publisher may take: from the answer to a connection, and from one video frame to the next.

    ``announced``: addresses that reach this machine from outside. ``reached``: the one that this publisher used.
    """

    handshake_timeout_s: float = 10.0
    idle_timeout_s: float = 15.0
    announced: tuple[str, ...] = ()
    reached: str = ""


def forgive(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's handler of exceptions that nobody awaits.

    aiortc connects in a task of its own, which raises `InvalidStateError` where the connection is closed meanwhile:
    no failure, and no reason to alarm whoever reads the log. Everything else is told as ever.
    """
    if isinstance(context.get("exception"), InvalidStateError):
        log.info("a connection was closed while it was being made")
    else:
        loop.default_exception_handler(context)


def checked_offer(text: str) -> str:
    """The offer as aiortc can use it; raises `OfferError` with the reason otherwise.

    Candidates that are names (browsers hide addresses behind ``.local`` ones) and the end-of-candidates mark are taken
    out: resolving needs multicast and a second, and the publisher's own checks reveal its address anyway.
    """
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    if not lines or lines[0].strip() != "v=0":
        raise OfferError("the body is not SDP: it does not start with v=0")
    kept = [line for line in lines if not _is_unusable_candidate(line)]
    if sum(line.startswith("a=candidate:") for line in kept) > MAX_CANDIDATES:
        raise UnusableOfferError(f"the offer has more than {MAX_CANDIDATES} ICE candidates")
    offer = "\r\n".join(kept) + "\r\n"
    try:
        session = SessionDescription.parse(offer)
    except PARSE_ERRORS as error:
        raise OfferError(f"the SDP cannot be parsed at the line {_culprit(kept)!r}") from error
    media = session.media
    if not media:
        raise OfferError("the SDP has no media section")
    if len(media) > MAX_MEDIA:
        raise UnusableOfferError(f"the offer has {len(media)} media sections; {MAX_MEDIA} is the limit")
    videos = [m for m in media if m.kind == "video" and m.port != 0 and m.direction in ("sendonly", "sendrecv", None)]
    if not videos:
        raise UnusableOfferError("the offer sends no video; it needs a video section with a=sendonly")
    for section in media:
        if section.ice is None or not section.ice.usernameFragment or not section.ice.password:
            raise OfferError(f"the {section.kind} section has no ICE credentials (a=ice-ufrag, a=ice-pwd)")
        if section.dtls is None or not section.dtls.fingerprints:
            raise OfferError(f"the {section.kind} section has no DTLS fingerprint (a=fingerprint)")
        _check_codecs(section.kind, [codec.name for codec in section.rtp.codecs if codec.payloadType in section.fmt])
    _check_mids(session)
    return offer


def _check_mids(session: SessionDescription) -> None:
    """Sections are told apart, and bundled, by their names; aiortc loses the transport of those that contradict."""
    mids = [section.rtp.muxId for section in session.media if section.rtp.muxId]
    if twice := [mid for mid in mids if mids.count(mid) > 1]:
        raise OfferError(f"two sections are called a=mid:{twice[0][:40]}")
    bundled = [mid for group in session.group if group.semantic == "BUNDLE" for mid in group.items]
    if unknown := [mid for mid in bundled if mid not in mids]:
        raise OfferError(f"a=group:BUNDLE names {str(unknown[0])[:40]!r}, and no section is called so (a=mid)")


def _culprit(lines: list[str]) -> str:
    """The first line with which the offer stops being readable, cut to fit a message; found by halving."""
    good, bad = 0, len(lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            SessionDescription.parse("\r\n".join(lines[:middle]) + "\r\n")
            good = middle
        except PARSE_ERRORS:
            bad = middle
    return lines[bad - 1].strip()[:80]


def _is_unusable_candidate(line: str) -> bool:
    if line.startswith("a=end-of-candidates"):
        return True
    words = line.split()
    if not line.startswith("a=candidate:") or len(words) < 6:
        return False
    try:
        ipaddress.ip_address(words[4].partition("%")[0])
    except ValueError:
        return True
    return words[2].lower() != "udp" or not is_port(words[5])


def _check_codecs(kind: str, offered: list[str]) -> None:
    wanted = {"video": VIDEO_CODECS, "audio": AUDIO_CODECS}.get(kind)
    if wanted is None or {name.upper() for name in wanted} & {name.upper() for name in offered}:
        return
    listed = ", ".join(dict.fromkeys(offered)) or "no codec"
    raise UnusableOfferError(f"the offer's {kind} is {listed}; this server decodes {' and '.join(wanted)}")


class WebRtcPeer:
    """One publisher.

    What ``feed`` is given: ``on_frame`` gets every decoded video frame of the first video track, ``on_sound`` every
    frame of the first audio track, both on the event loop, and both must return at once. ``on_end`` is called once,
    with the reason in words, unless `close` was called by the owner.
    """

    def __init__(self, options: PeerOptions) -> None:
        self.options = options
        self.frames = 0
        self.connected = False
        self._on_frame: Callable[[av.VideoFrame], None] = lambda frame: None
        self._on_sound: Callable[[av.AudioFrame], None] = lambda frame: None
        self._on_end: Callable[[str], None] | None = None
        self._ufrag = ""
        self._trickled = 0
        # an empty list, not None: aiortc's default contacts a public STUN server
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._unreachable = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._state = asyncio.Event()
        self._last_frame_s = 0.0
        self._video: MediaStreamTrack | None = None
        self._audio: MediaStreamTrack | None = None
        self._connection.on("track", self._track)
        self._connection.on("connectionstatechange", self._state.set)

    def feed(
        self,
        on_frame: Callable[[av.VideoFrame], None],
        on_sound: Callable[[av.AudioFrame], None],
        on_end: Callable[[str], None],
    ) -> "WebRtcPeer":
        """Hand on what comes from now on; the handshake's clock runs."""
        self._on_frame, self._on_sound, self._on_end = on_frame, on_sound, on_end
        self._spawn(self._watch())
        return self

    async def answer(self, offer: str) -> str:
        """The SDP answer, complete with candidates.

        Raises `OfferError` and closes the connection when the offer cannot be used.
        """
        try:
            usable = checked_offer(offer)
            self._ufrag = next(line.partition(":")[2] for line in usable.split("\r\n") if "a=ice-ufrag:" in line)
            await self._connection.setRemoteDescription(RTCSessionDescription(usable, "offer"))
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
        for transceiver in self._connection.getTransceivers():
            self._listen(transceiver.receiver.transport.transport)
        return arranged(str(self._connection.localDescription.sdp), self.options.reached, self.options.announced)

    async def trickle(self, fragment: Fragment) -> None:
        """Take more candidates of the publisher's. Raises `RestartError` for those of another ICE session,
        `FragmentError` beyond `MAX_CANDIDATES` in all."""
        if fragment.ufrag != self._ufrag:
            raise RestartError("ICE cannot be restarted here: post a new offer, with the same key the session goes on")
        self._trickled += len(fragment.candidates)
        if self._trickled > MAX_CANDIDATES:
            raise FragmentError(f"more than {MAX_CANDIDATES} candidates were trickled")
        for candidate in fragment.candidates:
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
        except AttributeError as error:  # aiortc's, half made from an offer that it could not use
            log.warning("a connection could not be closed as it should: %s", error)
        except TimeoutError:  # it waits for a task of its own that failed, as it does over timestamps without sense
            log.warning("a connection was not closed within %g s; its sockets are closed without it", CLOSE_S)
            await self._close_sockets()
        # aiortc leaves its own listeners here, a circle that holds all of a connection (its TLS, its packets, the
        # counters of its bit rate) until the collector of cycles comes by; without them it is gone at once
        for transceiver in self._connection.getTransceivers():
            transceiver.receiver.transport.remove_all_listeners()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close_sockets(self) -> None:
        """What `RTCPeerConnection.close` did not come to. A session must not wait for it for ever."""
        for transceiver in self._connection.getTransceivers():
            transport = transceiver.receiver.transport
            with contextlib.suppress(Exception):  # whatever they raise, there is nothing more to do
                async with asyncio.timeout(CLOSE_S):
                    await transport.stop()
                    await transport.transport.stop()

    def _listen(self, transport: RTCIceTransport) -> None:
        """Note when there is no way to the publisher any more. aiortc calls the whole connection closed then, as
        it does one whose publisher said goodbye."""

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
        if track.kind == "audio" and self._audio is None:
            self._audio = track
        self._spawn(self._drain(track))

    async def _drain(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track is self._video and isinstance(frame, av.VideoFrame):
                    self.frames += 1
                    self._last_frame_s = loop.time()
                    self._on_frame(frame)
                elif track is self._audio and isinstance(frame, av.AudioFrame):
                    self._on_sound(frame)

    async def _watch(self) -> None:
        """Until something ends the connection: then say what, once."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self.options.handshake_timeout_s
        while True:
            state = self._connection.connectionState
            if state in ("failed", "closed"):
                if not self.connected:
                    return self._end("the connection could not be made")
                lost = state == "failed" or self._unreachable
                return self._end("the connection failed" if lost else "the publisher stopped")
            if state == "connected" and not self.connected:
                self.connected = True
                self._last_frame_s = loop.time()
            if self.connected:
                deadline_s = self._last_frame_s + self.options.idle_timeout_s
            if loop.time() >= deadline_s:
                return self._end(self._silence())
            self._state.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._state.wait(), deadline_s - loop.time())

    def _silence(self) -> str:
        if self.connected:
            return f"no video for {self.options.idle_timeout_s:g} s"
        return f"the publisher did not connect within {self.options.handshake_timeout_s:g} s"

    def _end(self, reason: str) -> None:
        log.info("publisher ended: %s", reason)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(reason)
