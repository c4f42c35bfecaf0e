"""aiortc and aioice from the inside: the only module that uses names that are not part of their public interface.

`RELIED` lists all of these names, for the releases that pyproject allows. If an installed release differs, or the
operator wants it so, none of them is used: aiortc and aioice are left alone, and video takes the *plain* path, at more
cost (see `PLAIN`). It is all or nothing: the changes were only tried together.
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
    """Stands in for a class that a release does not have; it is never used then."""


@dataclass(frozen=True)
class Relied:
    """The object at the dotted ``path`` in ``module``, called with these ``parameters`` (None: with any) and awaited
    if it ``waits``; ``fields`` are attributes that a class gives its objects."""

    module: str
    path: str
    parameters: str | None = None
    fields: str = ""
    waits: bool = False

    def difference(self) -> str:
        """How it differs from what is expected, in words; else empty."""
        called = f"{self.module}.{self.path}"
        value = _of(self.module, self.path)
        if value is None:
            return f"{called} is missing"
        if self.parameters is not None:
            parameters = " ".join(inspect.signature(value).parameters) if callable(value) else "nothing"
            if parameters != self.parameters:
                return f"{called} takes {parameters or 'nothing'}, not {self.parameters or 'nothing'}"
        if self.waits and not inspect.iscoroutinefunction(value):
            return f"{called} is nothing to wait for"
        assigned = value.__init__.__code__.co_names if self.fields else ()
        return next((f"{called} has no {name}" for name in self.fields.split() if name not in assigned), "")


def _of(module: str, path: str) -> Any:
    """The object at a dotted path of a module; None if there is none."""
    try:
        value: Any = importlib.import_module(module)
    except ImportError:
        return None
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


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
    """The installed releases, in words."""
    return f"aiortc {aiortc.__version__} and aioice {aioice.__version__}"


def difference() -> str:
    """The first difference of the installed releases from what is expected, in words; else empty."""
    return next((text for relied in RELIED if (text := relied.difference())), "")


# --- Leaving them alone, and replacing parts of them -----------------------------------------------------------------

_alone: str | None = None  # why they are left alone; empty: they are not; None: not checked yet
_put: dict[tuple[int, str, int], tuple[Any, str, Any, Any]] = {}  # owner, name, ours, and what it replaced


def alone() -> str:
    """Why aiortc and aioice are left alone in this process; empty: they are not."""
    global _alone
    if _alone is None:
        _alone = difference()
    return _alone


def leave_alone(reason: str) -> None:
    """Leave them alone from now on, for this reason; empty ends that. Replaced parts are put back."""
    global _alone
    _alone = reason
    if reason:
        for owner, name, ours, theirs in _put.values():  # kept, since a later replacement by others may be undone
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
    """Replace a name by ``ours``; more calls change nothing."""
    current = _read(owner, name)
    if current is ours:
        return
    another = _put.get((id(owner), name, id(current)))  # of ours: what was there before that one is theirs
    _put[id(owner), name, id(ours)] = (owner, name, ours, another[3] if another else current)
    _write(owner, name, ours)


def read_clock(seconds: Any, now: Callable[[], Any], ms: Callable[[], int]) -> None:
    """Use ``seconds.time()`` for times of packets, ``now`` and ``ms`` for those of reports; ``seconds`` replaces a
    module."""
    for name in (RECEIVER, SENDER):
        _replace(importlib.import_module(name), "time", seconds)
    read_dates(now)
    _replace(importlib.import_module("aiortc.clock"), "current_ms", ms)


def read_dates(now: Callable[[], Any]) -> None:
    """Use ``now`` for dates, in UTC."""
    _replace(importlib.import_module("aiortc.clock"), "current_datetime", now)


def clock_read() -> Any:
    """The present replacement of the module `time` where packets come in."""
    return _of(RECEIVER, "time")


def now_ms() -> int:
    """The time by the clock of reports, for a packet's arrival."""
    return int(_of("aiortc.clock", "current_ms")())


def request_with(patient: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]) -> None:
    """Let ICE send requests by ``patient(request)``, with aioice's own ``request``."""
    protocol = _of("aioice.ice", "StunProtocol")
    _replace(protocol, "request", patient(protocol.request))


def current_request() -> Any:
    """The present function for requests of ICE."""
    return _of("aioice.ice", "StunProtocol.request")


def count_with(counter: type) -> None:
    """Count received bytes by a ``counter(window_size, scale)``."""
    _replace(importlib.import_module("aiortc.rate"), "RateCounter", counter)


def map_times_with(mapper: type) -> None:
    """Turn RTP timestamps into times of frames by a ``mapper()``."""
    _replace(importlib.import_module(RECEIVER), "TimestampMapper", mapper)


def read_extensions_with(reader: type, offered: Any) -> None:
    """Read header extensions by a ``reader()``, and accept ``offered`` as one of video."""
    _replace(importlib.import_module("aiortc.rtp"), "HeaderExtensionsMap", reader)
    extensions = importlib.import_module("aiortc.codecs").HEADER_EXTENSIONS
    if all(extension.uri != offered.uri for extension in extensions["video"]):
        _replace(extensions, "video", [*extensions["video"], offered])


def buffer_with(buffer: type, depayload: Callable[[Any, bytes], bytes]) -> None:
    """Collect packets into pictures by a ``buffer(capacity, prefetch, is_video)``, as parts by ``depayload``."""
    receiver = importlib.import_module(RECEIVER)
    _replace(receiver, "JitterBuffer", buffer)
    _replace(receiver, "depayload", depayload)


def decode_with(worker: Callable[..., None]) -> None:
    """Let decoders' threads run ``worker(loop, input_q, output_q, decode_error)``."""
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
    """aiortc's jitter buffer; `next_frame` takes a picture out of it, and may be overridden."""

    @property
    def origin(self) -> int | None:
        """The number of the first waiting packet."""
        return self._origin  # type: ignore[no-any-return]

    @property
    def capacity(self) -> int:
        """How many packets fit in."""
        return self._capacity  # type: ignore[no-any-return]

    @property
    def of_pictures(self) -> bool:
        """Whether it hands on whole pictures, without a delay."""
        return bool(self._is_video and not self._prefetch)

    def packet(self, number: int) -> Any:
        """The packet with that number; None while it is missing."""
        return self._packets[number % self._capacity]

    def next_frame(self, sequence_number: int) -> Any:
        """A picture that is complete with the packet of that number; None where there is none."""
        return super()._remove_frame(sequence_number)

    def _remove_frame(self, sequence_number: int) -> Any:
        return self.next_frame(sequence_number)


def part_in(packet: Any) -> bytes:
    """The result of ``depayload`` for a packet."""
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
    """The event by which a receiver's decoder wants a key frame; the request goes out with the next packet."""
    return getattr(receiver, ERROR)


def requests_of(receiver: Any) -> Callable[[int], Awaitable[None]]:
    """The function by which a receiver requests a key frame of a stream (SSRC)."""
    return receiver._send_rtcp_pli  # type: ignore[no-any-return]


def request_by(receiver: Any, send: Callable[[int], Awaitable[None]]) -> Callable[[], None]:
    """Let a receiver request key frames by ``send``; returns a function that undoes it."""
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
        """The function that puts a datagram into aioice's queue."""
        return self._connection.data_received  # type: ignore[no-any-return]

    def receive_by(self, received: Callable[[bytes, int], None]) -> Callable[[], None]:
        """Let datagrams that are not STUN go to ``received``; returns a function that undoes it."""
        connection = self._connection
        connection.data_received = received
        return lambda: vars(connection).pop("data_received", None) and None

    @property
    def protocols(self) -> list[Any]:
        """The protocols, one a socket, for `read_by`."""
        return list(self._connection._protocols)


def component_of(protocol: Any) -> int:
    """The component of a connection that a socket belongs to."""
    return protocol.local_candidate.component  # type: ignore[no-any-return]


def socket_of(protocol: Any) -> socket.socket | None:
    """The socket of a protocol in asyncio, to read from; None with other event loops."""
    sock = getattr(protocol.transport, "_sock", None)
    return sock if hasattr(protocol.transport, "max_size") and isinstance(sock, socket.socket) else None


def read_by(protocol: Any, received: Callable[[bytes, Any], None], longest: int) -> Callable[[], None]:
    """Let datagrams that asyncio reads, of at most ``longest`` bytes, go to ``received``; returns a function that
    undoes it."""
    protocol.transport.max_size = longest
    protocol.datagram_received = received

    def undo() -> None:
        with contextlib.suppress(KeyError):
            del vars(protocol)["datagram_received"]

    return undo
