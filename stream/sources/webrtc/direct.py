"""Media packets go from their socket to their receiver at once.

aioice puts every datagram into a queue, and a task of aiortc's takes it out again: two turns of the event loop for each
of some two hundred packets a second. Here a packet of media is decrypted and handled where it arrives; what is rare
(DTLS, RTCP) still goes by the queue. asyncio reads each datagram into a quarter of a megabyte, which costs more than
its decryption; here the buffer is as large as a datagram can usefully be.

All of it is per connection and by aiortc's own functions; where a release of aiortc has other insides, packets go the
long way.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiortc import RTCDtlsTransport, clock
from aiortc.rtp import is_rtcp
from pylibsrtp import Error as SrtpError

log = logging.getLogger(__name__)

DATAGRAM_BYTES: Final = 1500  # as long as a packet may be for libsrtp; a longer one is dropped
RTP_HEADER_BYTES: Final = 12
RTP_FIRST, RTP_LAST = 128, 191  # the first byte of RTP and RTCP among what else shares the socket (RFC 7983)


def shorten(dtls: RTCDtlsTransport) -> Callable[[], None] | None:
    """Let the media of a connection go the short way from here on; returns what undoes it. None: not with this aiortc.

    A packet that cannot be authenticated is dropped, as ever. A failure of aiortc's in handling one ends the
    connection, as it does on the long way.
    """
    transport: Any = dtls
    connection = getattr(getattr(transport, "transport", None), "_connection", None)
    needed = (transport, "_rx_srtp"), (transport, "_handle_rtp_data"), (connection, "data_received")
    if connection is None or not all(hasattr(owner, name) for owner, name in needed):
        log.info("media packets go aiortc's own way: its insides are not those that are known here")
        return None
    queued: Callable[[bytes, int], None] = connection.data_received

    def received(data: bytes, component: int) -> None:
        if not data or not RTP_FIRST <= data[0] <= RTP_LAST:
            queued(data, component)
        elif RTP_HEADER_BYTES <= len(data) <= DATAGRAM_BYTES:
            if is_rtcp(data) or transport._rx_srtp is None:
                queued(data, component)
            else:
                handle(data)

    def handle(data: bytes) -> None:
        arrival_ms = clock.current_ms()
        try:
            packet = transport._rx_srtp.unprotect(data)
        except SrtpError:
            return
        try:
            finish(transport._handle_rtp_data(packet, arrival_time_ms=arrival_ms))
        except Exception:
            log.exception("a media packet could not be handled; its connection ends")
            connection._queue.put_nowait(None)  # which aiortc's task takes for the end of the connection

    connection.data_received = received
    for protocol in getattr(connection, "_protocols", ()):
        if hasattr(protocol.transport, "max_size"):  # asyncio's own transports have it
            protocol.transport.max_size = DATAGRAM_BYTES + 1

    def undo() -> None:
        vars(connection).pop("data_received", None)

    return undo


def finish(step: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits for anything. Raises RuntimeError for one that does.

    Handling a packet may send feedback, and sending by UDP does not wait.
    """
    try:
        step.send(None)
    except StopIteration:
        return
    step.close()
    raise RuntimeError("aiortc waits for something while it handles a packet")
