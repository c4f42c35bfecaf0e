"""Media packets go from their socket to their receiver at once.

aioice puts every datagram into a queue, and a task of aiortc takes it out again: two turns of the event loop for each
of some two hundred packets a second. Here a packet of media is decrypted and handled where it arrives; rare packets
(DTLS, RTCP) still use the queue. asyncio reads each datagram into a buffer of a quarter of a megabyte, which costs more
than its decryption, and runs its loop once before it reads the next; here the buffer is as large as a useful datagram,
and waiting datagrams are read together.

All of it is per connection and uses aiortc's own functions.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiortc import RTCDtlsTransport
from pylibsrtp import Error as SrtpError

from . import aiortc_compat
from .aiortc_compat import MediaWay

log = logging.getLogger(__name__)

DATAGRAM_BYTES: Final = 1500  # as long as a packet may be for libsrtp; a longer one is dropped
TOGETHER: Final = 32  # datagrams at once; then the event loop has its turn
RTP_HEADER_BYTES: Final = 12
RTP_FIRST, RTP_LAST = 128, 191  # the first byte of RTP and RTCP; other protocols share the socket (RFC 7983)
SSRCS: Final = 32  # of a publisher: video and sound with their retransmissions have four, each layer of simulcast two


class Sources:
    """A publisher's streams by their SSRC, at most `SSRCS` of them; aiortc and libsrtp would keep each for ever."""

    def __init__(self) -> None:
        self.authentic: set[int] = set()
        self._reporters: set[int] = set()
        self.dropped = 0

    def accepts_media(self, data: bytes) -> bool:
        """Whether a packet of RTP is of a known stream, or there is room for a new one; dropped packets are counted."""
        return int.from_bytes(data[8:12], "big") in self.authentic or self._room(len(self.authentic))

    def add(self, data: bytes) -> None:
        """An accepted packet is authentic: its stream is known from now on."""
        self.authentic.add(int.from_bytes(data[8:12], "big"))

    def accepts_report(self, data: bytes) -> bool:
        """The same for a packet of RTCP. It is authenticated elsewhere, so it takes no room from streams of media."""
        source = int.from_bytes(data[4:8], "big")
        if source not in self.authentic and source not in self._reporters:
            if not self._room(len(self._reporters)):
                return False
            self._reporters.add(source)
        return True

    def _room(self, count: int) -> bool:
        if count < SSRCS:
            return True
        if not self.dropped:
            log.warning("a publisher sends more than %d streams (SSRC): the others are dropped", SSRCS)
        self.dropped += 1
        return False


def shorten(dtls: RTCDtlsTransport) -> Callable[[], None]:
    """Let the media of a connection take the short path from now on; returns a function that undoes it.

    A packet that cannot be authenticated is dropped, as in aiortc. An error of aiortc in handling one ends the
    connection, as on the long path.
    """
    way = MediaWay(dtls)
    queued = way.queued
    sources = Sources()

    def received(data: bytes, component: int) -> None:
        if not data or not RTP_FIRST <= data[0] <= RTP_LAST:
            queued(data, component)
        elif RTP_HEADER_BYTES <= len(data) <= DATAGRAM_BYTES:
            if not way.keyed:
                queued(data, component)
            elif not aiortc_compat.is_rtcp(data):
                handle(data)
            elif sources.accepts_report(data):
                queued(data, component)

    def handle(data: bytes) -> None:
        arrival_ms = aiortc_compat.now_ms()
        if not sources.accepts_media(data):
            return
        try:
            packet = way.decrypted(data)
        except SrtpError:
            return
        sources.add(data)
        try:
            finish(way.handle(packet, arrival_ms))
        except Exception:
            log.exception("a media packet could not be handled; its connection ends")
            way.fail()

    undone = [way.receive_by(received), *(read_on(protocol, received) for protocol in way.protocols)]

    def undo() -> None:
        if sources.dropped:
            log.info("%d packets of more streams than a publisher may have were dropped", sources.dropped)
            sources.dropped = 0
        for step in undone:
            step()

    return undo


def read_on(protocol: Any, received: Callable[[bytes, int], None]) -> Callable[[], None]:
    """With each datagram that asyncio reads, read the waiting ones too: a picture is many packets, which come together.
    Media goes to ``received``, STUN and the rest to aioice. Returns a function that undoes it. Does nothing with other
    event loops."""
    sock = aiortc_compat.socket_of(protocol)
    if sock is None:
        return lambda: None
    original: Callable[[bytes, Any], None] = protocol.datagram_received

    def take(data: bytes, address: Any) -> None:
        if data and RTP_FIRST <= data[0] <= RTP_LAST:
            received(data, aiortc_compat.component_of(protocol))
        else:
            original(data, address)

    def datagram_received(data: bytes, address: Any) -> None:
        take(data, address)
        try:
            for _ in range(TOGETHER - 1):
                take(*sock.recvfrom(DATAGRAM_BYTES + 1))
        except OSError:  # no datagram waits, or the socket has an error or is closed: asyncio handles that
            return

    return aiortc_compat.read_by(protocol, datagram_received, DATAGRAM_BYTES + 1)


def finish(step: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits. Raises RuntimeError for one that does.

    Handling a packet may send feedback, and sending by UDP does not wait.
    """
    try:
        step.send(None)
    except StopIteration:
        return
    step.close()
    raise RuntimeError("aiortc waits for something while it handles a packet")
