"""aiortc and aioice from the inside: the one module that knows names for which their releases promise nothing.

What this server does otherwise than they do is held to their insides here: `RELIED` is all that it relies on, of the
releases that pyproject allows. Where an installed release differs, or whoever runs the server wants it so, nothing of
it is used: aiortc and aioice are left alone, and video comes by the *plain* path, at more cost (`PLAIN` says at which).
It is all or nothing: what some of the changes do without the others nobody has tried.
"""

import contextlib
import importlib
import inspect
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aioice
import aiortc

PLAIN: Final = (
    "every frame is decoded by a thread of each stream's own, a picture is as late as the next one, packets wait in "
    "queues without a bound, a clock that is set holds up every session, and publishers behind a slow path are given up"
)


class Absent:
    """In the place of a class that a release does not have: nothing is made of it then."""


@dataclass(frozen=True)
class Relied:
    """What stands at the dotted ``path`` in ``module``, to be called with these ``parameters`` (None: with any) and
    awaited if it ``waits``; ``fields`` are attributes that a class gives its objects."""

    module: str
    path: str
    parameters: str | None = None
    fields: str = ""
    waits: bool = False

    def difference(self) -> str:
        """What is otherwise, in words; empty where it is as it is known."""
        called = f"{self.module}.{self.path}"
        found = _of(self.module, self.path)
        if found is None:
            return f"{called} is missing"
        if self.parameters is not None:
            takes = " ".join(inspect.signature(found).parameters) if callable(found) else "nothing"
            if takes != self.parameters:
                return f"{called} takes {takes or 'nothing'}, not {self.parameters or 'nothing'}"
        if self.waits and not inspect.iscoroutinefunction(found):
            return f"{called} is nothing to wait for"
        kept = found.__init__.__code__.co_names if self.fields else ()
        return next((f"{called} has no {name}" for name in self.fields.split() if name not in kept), "")


def _of(module: str, path: str) -> Any:
    """What a module has at a dotted path; None where there is no such thing."""
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return None
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


RECEIVER: Final = "aiortc.rtcrtpreceiver"
SENDER: Final = "aiortc.rtcrtpsender"
BUFFER: Final = "aiortc.jitterbuffer"
QUEUE: Final = "_RTCRtpReceiver__decoder_queue"
ERROR: Final = "_RTCRtpReceiver__decoder_error"

RELIED: Final = (
    Relied(RECEIVER, "time.time"),
    Relied(SENDER, "time.time"),
    Relied("aiortc.clock", "current_datetime", ""),
    Relied("aiortc.clock", "current_ms", ""),
    Relied("aioice.ice", "StunProtocol.request", "self request addr integrity_key retransmissions", waits=True),
    Relied("aioice.stun", "RETRY_RTO"),
    Relied("aiortc.rate", "RateCounter", "window_size scale"),
    Relied("aiortc.rate", "RateCounter.add", "self value now_ms"),
    Relied("aiortc.rate", "RateCounter.rate", "self now_ms"),
    Relied("aiortc.rate", "RateCounter.reset", "self"),
    Relied(RECEIVER, "TimestampMapper", ""),
    Relied(RECEIVER, "TimestampMapper.map", "self timestamp"),
    Relied("aiortc.rtp", "HeaderExtensionsMap.configure", "self parameters"),
    Relied("aiortc.rtp", "HeaderExtensionsMap.get", "self extension_profile extension_value"),
    Relied("aiortc.rtp", "unpack_header_extensions", "extension_profile extension_value"),
    Relied("aiortc.codecs", "HEADER_EXTENSIONS"),
    Relied(RECEIVER, "JitterBuffer", "capacity prefetch is_video"),
    Relied(BUFFER, "JitterBuffer", "capacity prefetch is_video", "_origin _packets _capacity _prefetch _is_video"),
    Relied(BUFFER, "JitterBuffer.add", "self packet"),
    Relied(BUFFER, "JitterBuffer.remove", "self count"),
    Relied(BUFFER, "JitterBuffer._remove_frame", "self sequence_number"),
    Relied(BUFFER, "JitterFrame", "data timestamp"),
    Relied(RECEIVER, "depayload", "codec payload"),
    Relied("aiortc.codecs", "depayload", "codec payload"),
    Relied(RECEIVER, "decoder_worker", "loop input_q output_q decode_error"),
    Relied("aiortc.codecs", "get_decoder", "codec"),
    Relied(RECEIVER, "RTCRtpReceiver", "kind transport", f"{QUEUE} {ERROR}"),
    Relied(RECEIVER, "RTCRtpReceiver._send_rtcp_pli", "self media_ssrc", waits=True),
    Relied(RECEIVER, "RemoteStreamTrack", "kind id", "_queue"),
    Relied("aiortc.rtcdtlstransport", "RTCDtlsTransport", "transport certificates", "_rx_srtp"),
    Relied("aiortc.rtcdtlstransport", "RTCDtlsTransport._handle_rtp_data", "self data arrival_time_ms", waits=True),
    Relied("aiortc.rtcicetransport", "RTCIceTransport", "gatherer", "_connection"),
    Relied("aiortc.rtp", "is_rtcp", "msg"),
    Relied("aioice.ice", "Connection", None, "_queue _protocols"),
    Relied("aioice.ice", "Connection.data_received", "self data component"),
    Relied("aioice.ice", "StunProtocol.datagram_received", "self data addr"),
)


def releases() -> str:
    """Which are installed."""
    return f"aiortc {aiortc.__version__} and aioice {aioice.__version__}"


def difference() -> str:
    """What of the installed releases is not as it is known, in words: the first such thing; empty if all is."""
    return next((found for one in RELIED if (found := one.difference())), "")


# --- Leaving them alone, and what is put in their places -------------------------------------------------------------

_alone: str | None = None  # why they are left alone; empty: they are not; None: nobody has asked yet
_put: dict[tuple[int, str, int], tuple[Any, str, Any, Any]] = {}  # owner, name, ours, and what it took the place of


def alone() -> str:
    """Why aiortc and aioice are left alone in this process; empty: they are not."""
    global _alone
    if _alone is None:
        _alone = difference()
    return _alone


def leave_alone(reason: str) -> None:
    """From now on, for this reason; with none, not any more. What was put into their places is taken out again."""
    global _alone
    _alone = reason
    if reason:
        for owner, name, ours, theirs in _put.values():  # kept: what somebody else had put there meanwhile may go again
            if _read(owner, name) is ours:
                _write(owner, name, theirs)


def _read(owner: Any, name: str) -> Any:
    return owner.get(name) if isinstance(owner, dict) else getattr(owner, name)


def _write(owner: Any, name: str, value: Any) -> None:
    if isinstance(owner, dict):
        owner[name] = value
    else:
        setattr(owner, name, value)


def _replace(owner: Any, name: str, ours: Any) -> None:
    """More calls change nothing."""
    found = _read(owner, name)
    if found is ours:
        return
    another = _put.get((id(owner), name, id(found)))  # of ours: what was there before that one is theirs
    _put[id(owner), name, id(ours)] = (owner, name, ours, another[3] if another else found)
    _write(owner, name, ours)


def read_clock(seconds: Any, now: Callable[[], Any], ms: Callable[[], int]) -> None:
    """Times of packets by ``seconds.time()``, of reports by ``now`` and ``ms``; ``seconds`` stands for a module."""
    for name in (RECEIVER, SENDER):
        _replace(importlib.import_module(name), "time", seconds)
    read_dates(now)
    _replace(importlib.import_module("aiortc.clock"), "current_ms", ms)


def read_dates(now: Callable[[], Any]) -> None:
    """Dates by ``now``, in UTC."""
    _replace(importlib.import_module("aiortc.clock"), "current_datetime", now)


def clock_read() -> Any:
    """What stands for the module `time` where packets come in."""
    return _of(RECEIVER, "time")


def now_ms() -> int:
    """By the clock of reports, for a packet's arrival."""
    return int(_of("aiortc.clock", "current_ms")())


def ask_with(patient: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]) -> None:
    """Requests of ICE by what ``patient`` makes of aioice's own."""
    protocol = _of("aioice.ice", "StunProtocol")
    _replace(protocol, "request", patient(protocol.request))


def request_asked() -> Any:
    """By what ICE asks now."""
    return _of("aioice.ice", "StunProtocol.request")


def count_with(counter: type) -> None:
    """What comes is counted by a ``counter(window_size, scale)``."""
    _replace(importlib.import_module("aiortc.rate"), "RateCounter", counter)


def map_times_with(mapper: type) -> None:
    """RTP's times become those of frames by a ``mapper()``."""
    _replace(importlib.import_module(RECEIVER), "TimestampMapper", mapper)


def read_extensions_with(reader: type, offered: Any) -> None:
    """Header extensions are read by a ``reader()``, and those of video are ``offered`` too."""
    _replace(importlib.import_module("aiortc.rtp"), "HeaderExtensionsMap", reader)
    taken = importlib.import_module("aiortc.codecs").HEADER_EXTENSIONS
    if all(one.uri != offered.uri for one in taken["video"]):
        _replace(taken, "video", [*taken["video"], offered])


def buffer_with(buffer: type, depayload: Callable[[Any, bytes], bytes]) -> None:
    """Packets wait for their pictures in a ``buffer(capacity, prefetch, is_video)``, as parts by ``depayload``."""
    receiver = importlib.import_module(RECEIVER)
    _replace(receiver, "JitterBuffer", buffer)
    _replace(receiver, "depayload", depayload)


def decode_with(worker: Callable[..., None]) -> None:
    """Threads of decoders run ``worker(loop, input_q, output_q, decode_error)``."""
    _replace(importlib.import_module(RECEIVER), "decoder_worker", worker)


# --- Packets and pictures --------------------------------------------------------------------------------------------

HeaderExtensionsMap: Any = _of("aiortc.rtp", "HeaderExtensionsMap") or Absent
JitterFrame: Any = _of(BUFFER, "JitterFrame") or Absent
RtpPacket: Any = _of("aiortc.rtp", "RtpPacket") or Absent
depayload: Any = _of("aiortc.codecs", "depayload")
decoder_for: Any = _of("aiortc.codecs", "get_decoder")
is_rtcp: Any = _of("aiortc.rtp", "is_rtcp")
unpack_header_extensions: Any = _of("aiortc.rtp", "unpack_header_extensions")
RETRY_RTO_S: float = _of("aioice.stun", "RETRY_RTO") or 0.5


class JitterBuffer(_of(BUFFER, "JitterBuffer") or Absent):  # type: ignore[misc]
    """aiortc's; `next_frame` takes a picture out of it, and may be another's."""

    @property
    def origin(self) -> int | None:
        """The number of the first packet that waits."""
        return self._origin  # type: ignore[no-any-return]

    @property
    def capacity(self) -> int:
        """How many packets have a place."""
        return self._capacity  # type: ignore[no-any-return]

    @property
    def of_pictures(self) -> bool:
        """Whether it hands on whole pictures, and at once."""
        return bool(self._is_video and not self._prefetch)

    def packet(self, number: int) -> Any:
        """The one with that number; None while it is missing."""
        return self._packets[number % self._capacity]

    def next_frame(self, sequence_number: int) -> Any:
        """A picture that is complete with the packet of that number; None where there is none."""
        return super()._remove_frame(sequence_number)

    def _remove_frame(self, sequence_number: int) -> Any:
        return self.next_frame(sequence_number)


def part_in(packet: Any) -> bytes:
    """What ``depayload`` has made of a packet."""
    return packet._data  # type: ignore[no-any-return]


# --- One connection --------------------------------------------------------------------------------------------------


def put_frames_in(track: Any, queue: Any) -> None:
    """Decoded frames of a track wait in ``queue``; before its decoder begins."""
    track._queue = queue


def waiting_of(receiver: Any) -> Any:
    """The queue of encoded frames before a receiver's decoder."""
    return getattr(receiver, QUEUE)


def wait_in(receiver: Any, queue: Any) -> None:
    """Encoded frames wait in ``queue``; before the decoder begins."""
    setattr(receiver, QUEUE, queue)


def key_frame_wanted(receiver: Any) -> Any:
    """The event by which a receiver's decoder asks for a key frame; with the next packet the publisher is asked."""
    return getattr(receiver, ERROR)


def requests_of(receiver: Any) -> Callable[[int], Awaitable[None]]:
    """By what a receiver asks a stream (SSRC) for a key frame."""
    return receiver._send_rtcp_pli  # type: ignore[no-any-return]


def request_by(receiver: Any, send: Callable[[int], Awaitable[None]]) -> Callable[[], None]:
    """Let it ask by ``send``; returns what undoes it."""
    receiver._send_rtcp_pli = send
    return lambda: vars(receiver).pop("_send_rtcp_pli", None) and None


class MediaWay:
    """How the packets of one connection come from their sockets to their receivers."""

    def __init__(self, dtls: Any) -> None:
        self._dtls = dtls
        self._connection = dtls.transport._connection

    @property
    def keyed(self) -> bool:
        """Whether packets can be decrypted: the handshake is over."""
        return self._dtls._rx_srtp is not None

    def decrypted(self, packet: bytes) -> bytes:
        """Raises `pylibsrtp.Error` for one that is not authentic."""
        return self._dtls._rx_srtp.unprotect(packet)  # type: ignore[no-any-return]

    def handle(self, packet: bytes, arrival_ms: int) -> Any:
        """A coroutine that gives a decrypted packet to its receiver."""
        return self._dtls._handle_rtp_data(packet, arrival_time_ms=arrival_ms)

    def fail(self) -> None:
        """End the connection, as aioice does when it is lost."""
        self._connection._queue.put_nowait(None)

    @property
    def queued(self) -> Callable[[bytes, int], None]:
        """By what a datagram gets into aioice's queue."""
        return self._connection.data_received  # type: ignore[no-any-return]

    def receive_by(self, received: Callable[[bytes, int], None]) -> Callable[[], None]:
        """Let datagrams that are not STUN go to ``received``; returns what undoes it."""
        connection = self._connection
        connection.data_received = received
        return lambda: vars(connection).pop("data_received", None) and None

    @property
    def protocols(self) -> list[Any]:
        """One a socket, as `read_by` takes them."""
        return list(self._connection._protocols)


def component_of(protocol: Any) -> int:
    """Which of a connection's components a socket is of."""
    return protocol.local_candidate.component  # type: ignore[no-any-return]


def socket_of(protocol: Any) -> socket.socket | None:
    """asyncio's own of a protocol, to read from; None with other event loops."""
    found = getattr(protocol.transport, "_sock", None)
    return found if hasattr(protocol.transport, "max_size") and isinstance(found, socket.socket) else None


def read_by(protocol: Any, received: Callable[[bytes, Any], None], longest: int) -> Callable[[], None]:
    """Let datagrams that asyncio reads, of at most ``longest`` bytes, go to ``received``; returns what undoes it."""
    protocol.transport.max_size = longest
    protocol.datagram_received = received

    def undo() -> None:
        with contextlib.suppress(KeyError):
            del vars(protocol)["datagram_received"]

    return undo
