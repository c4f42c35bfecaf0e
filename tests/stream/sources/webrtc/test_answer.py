"""The order of candidates, and the ports they stand on."""

import asyncio
import socket
from itertools import pairwise

import pytest

from stream.sources.webrtc.answer import arrange_candidates, priority
from stream.sources.webrtc.ports import PortRange, hold_to

SDP = "\r\n".join(
    [
        "v=0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=candidate:1 1 udp 2130706431 2001:db8::5 40000 typ host",
        "a=candidate:2 1 udp 2130706431 10.0.0.5 40001 typ host",
        "a=candidate:3 1 udp 2130706431 192.168.1.5 40002 typ host",
        "a=candidate:4 1 udp 1694498815 198.51.100.9 40003 typ srflx raddr 10.0.0.5 rport 40001",
        "a=end-of-candidates",
        "",
    ]
)


def addresses(sdp: str) -> list[tuple[str, int]]:
    lines = [line.split() for line in sdp.split("\r\n") if line.startswith("a=candidate:")]
    assert all(int(one[3]) > int(other[3]) for one, other in pairwise(lines) if one[7] == other[7])
    return [(words[4], int(words[5])) for words in lines]


def test_what_was_reached_comes_first_then_ipv4() -> None:
    assert addresses(arrange_candidates(SDP, "192.168.1.5")) == [
        ("192.168.1.5", 40002),
        ("10.0.0.5", 40001),
        ("198.51.100.9", 40003),
        ("2001:db8::5", 40000),
    ]
    assert addresses(arrange_candidates(SDP))[0] == ("10.0.0.5", 40001)
    assert arrange_candidates(SDP).startswith("v=0\r\nm=video") and arrange_candidates(SDP).endswith(
        "a=end-of-candidates\r\n"
    )


def test_announced_addresses_stand_for_every_host_of_their_family() -> None:
    found = addresses(arrange_candidates(SDP, "10.0.0.5", ("203.0.113.7",)))
    assert found[:3] == [("203.0.113.7", 40001), ("203.0.113.7", 40002), ("10.0.0.5", 40001)]
    assert ("2001:db8::5", 40000) in found and len(found) == 6
    assert addresses(arrange_candidates(SDP, "", ("2001:db8::5",)))[0] == ("2001:db8::5", 40000)


def test_priorities_are_those_of_the_rfc() -> None:
    assert priority(0, "1") == 2130706431 and priority(1, "1") < priority(0, "2")


def test_sockets_get_ports_of_the_range_until_it_is_used_up() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        hold_to(loop, PortRange(47_200, 47_202))
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.bind(("127.0.0.1", 47_201))
        opened = []
        for _ in range(2):
            transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
            opened.append(transport)
        assert [one.get_extra_info("sockname")[1] for one in opened] == [47_200, 47_202]
        with pytest.raises(OSError, match="every UDP port from 47200 to 47202"):
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        taken.close()
        named, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 47_300))
        assert named.get_extra_info("sockname")[1] == 47_300
        for one in (*opened, named):
            one.close()

    asyncio.run(scene())
