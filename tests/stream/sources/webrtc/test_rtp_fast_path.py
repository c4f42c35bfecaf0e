"""Which datagrams go to their receiver at once, which by aiortc's queue, and which nowhere."""

import asyncio
import logging
import socket
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from pylibsrtp import Error as SrtpError

from stream.sources.webrtc.rtp_fast_path import DATAGRAM_BYTES, SSRCS, TOGETHER, finish, read_on, shorten

RTP = bytes([0x80, 96]) + bytes(30)
RTCP = bytes([0x80, 200]) + bytes(30)
DTLS = bytes([22]) + bytes(30)


class Connection:
    """aioice's, as far as it matters here."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self.queued: list[bytes] = []
        self._protocols: list[Any] = []

    def data_received(self, data: bytes, component: int) -> None:
        self.queued.append(data)


class Srtp:
    def unprotect(self, data: bytes) -> bytes:
        if data.endswith(b"forged"):
            raise SrtpError("authentication failure")
        return b"plain" + data


class Dtls:
    """aiortc's, as far as it matters here; ``waits`` and ``fails`` are what handling a packet does."""

    def __init__(self, waits: bool = False, fails: bool = False) -> None:
        self.transport = type("Ice", (), {})()
        self.connection = self.transport._connection = Connection()
        self._rx_srtp: Any = Srtp()
        self.handled: list[bytes] = []
        self.waits, self.fails = waits, fails

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        if self.waits:
            await asyncio.sleep(0)
        if self.fails:
            raise OverflowError("a timestamp without sense")
        self.handled.append(data)


def shortened(**words: bool) -> Any:
    dtls: Any = Dtls(**words)
    shorten(dtls)
    return dtls


def test_media_is_handled_where_it_arrives_and_all_else_queued() -> None:
    dtls = shortened()
    for data in (RTP, RTCP, DTLS, b"", RTP + b"forged", RTP[:11], RTP + bytes(DATAGRAM_BYTES), RTP + b"2"):
        dtls.connection.data_received(data, 1)
    assert dtls.handled == [b"plain" + RTP, b"plain" + RTP + b"2"]
    assert dtls.connection.queued == [RTCP, DTLS, b""]


def test_before_the_handshake_all_is_queued() -> None:
    dtls = shortened()
    dtls._rx_srtp = None
    dtls.connection.data_received(RTP, 1)
    assert dtls.connection.queued == [RTP] and not dtls.handled


@pytest.mark.parametrize("words", [{"fails": True}, {"waits": True}])
def test_a_failure_of_aiortcs_ends_the_connection(words: dict[str, bool], caplog: pytest.LogCaptureFixture) -> None:
    dtls = shortened(**words)
    with caplog.at_level(logging.ERROR):
        dtls.connection.data_received(RTP, 1)
    assert dtls.connection._queue.get_nowait() is None  # aioice's word for a lost connection
    assert "its connection ends" in caplog.text


def of_source(kind: bytes, ssrc: int) -> bytes:
    at = 8 if kind == RTP else 4
    return kind[:at] + ssrc.to_bytes(4, "big") + kind[at + 4 :]


def test_a_publisher_has_so_many_streams_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    dtls = shortened()
    for round_ in range(3):
        for ssrc in range(10 * SSRCS):
            dtls.connection.data_received(of_source(RTP, ssrc), 1)
        assert len(dtls.handled) == SSRCS * (round_ + 1), "those that are known go on"
    assert len([one for one in caplog.records if "more than 32 streams" in one.getMessage()]) == 1


def test_forged_packets_take_no_streams_place() -> None:
    dtls = shortened()
    for ssrc in range(1000, 1000 + 10 * SSRCS):
        dtls.connection.data_received(of_source(RTP, ssrc) + b"forged", 1)
    dtls.connection.data_received(of_source(RTP, 7), 1)
    assert len(dtls.handled) == 1


def test_reports_of_ever_new_streams_are_dropped_but_those_of_known_ones_come() -> None:
    dtls = shortened()
    dtls.connection.data_received(of_source(RTP, 7), 1)
    for ssrc in range(1000, 1000 + 10 * SSRCS):
        dtls.connection.data_received(of_source(RTCP, ssrc), 1)
    assert len(dtls.connection.queued) == SSRCS
    dtls.connection.data_received(of_source(RTCP, 7), 1)
    assert dtls.connection.queued[-1] == of_source(RTCP, 7)


def test_what_was_dropped_is_told_once_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    dtls: Any = Dtls()
    undo = shorten(dtls)
    for ssrc in range(SSRCS + 5):
        dtls.connection.data_received(of_source(RTP, ssrc), 1)
    with caplog.at_level(logging.INFO):
        undo()
        undo()
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.INFO] == [
        "5 packets of more streams than a publisher may have were dropped"
    ]


def test_it_can_be_undone() -> None:
    dtls: Any = Dtls()
    undo = shorten(dtls)
    undo()
    undo()
    dtls.connection.data_received(RTP, 1)
    assert dtls.connection.queued == [RTP] and "data_received" not in vars(dtls.connection)


def test_the_sockets_of_the_installed_aiortc_are_read_so_until_it_is_undone() -> None:
    async def scene() -> tuple[list[int], list[bool]]:
        connection = RTCPeerConnection()
        transceiver = connection.addTransceiver("video")
        await connection.setLocalDescription(await connection.createOffer())
        dtls = transceiver.receiver.transport
        undo = shorten(dtls)
        protocols = list(dtls.transport._connection._protocols)
        sizes = [protocol.transport.max_size for protocol in protocols]
        read = ["datagram_received" in vars(protocol) for protocol in protocols]
        undo()
        read += ["datagram_received" in vars(protocol) for protocol in protocols]
        await connection.close()
        return sizes, read

    sizes, read = asyncio.run(scene())
    assert sizes and set(sizes) == {DATAGRAM_BYTES + 1}
    assert read == [True] * len(sizes) + [False] * len(sizes)


class Protocol:
    """aioice's, on a socket that is read by hand."""

    def __init__(self, sock: socket.socket) -> None:
        self.transport = type("Transport", (), {"_sock": sock, "max_size": 1 << 18})()
        self.local_candidate = type("Candidate", (), {"component": 1})()
        self.heard: list[tuple[bytes, Any]] = []

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.heard.append((data, address))


def test_what_came_together_is_read_together_up_to_a_bound() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        here.bind(("127.0.0.1", 0))
        here.setblocking(False)
        there.bind(("127.0.0.1", 0))
        protocol: Any = Protocol(here)
        media: list[tuple[bytes, int]] = []
        read_on(protocol, lambda data, component: media.append((data, component)))
        assert protocol.transport.max_size == DATAGRAM_BYTES + 1
        sent = [bytes([0x80, 96, number]) for number in range(TOGETHER)] + [DTLS, RTP]
        for data in sent:
            there.sendto(data, here.getsockname())
        protocol.datagram_received(b"", there.getsockname())  # as asyncio does with the first
        assert len(media) == TOGETHER - 1 and protocol.heard == [(b"", there.getsockname())]
        protocol.datagram_received(*here.recvfrom(2000))
        assert [data for data, _ in media] == [*sent[:TOGETHER], RTP] and {component for _, component in media} == {1}
        assert protocol.heard[1:] == [(DTLS, there.getsockname())]
    protocol.datagram_received(RTP, there)  # a socket that is closed meanwhile is asyncio's to notice
    assert media[-1] == (RTP, 1)


def test_other_event_loops_are_left_alone() -> None:
    protocol: Any = Protocol.__new__(Protocol)
    protocol.transport = object()
    read_on(protocol, lambda data, component: None)
    assert "datagram_received" not in vars(protocol)


def test_a_coroutine_that_waits_is_refused() -> None:
    async def waits() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="waits"):
        finish(waits())
