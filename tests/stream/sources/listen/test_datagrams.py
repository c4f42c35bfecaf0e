"""UDP read like a file: one sender at a time, and an end when it falls silent. The clock stands still unless moved."""

import socket
from collections.abc import Iterator

import pytest

from stream.sources.listen.datagrams import Datagrams


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A bound socket, and two senders connected to it."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        bound.bind(("127.0.0.1", 0))
        for sender in (one, other):
            sender.connect(bound.getsockname())
        yield bound, one, other


def test_who_comes_first_is_read_and_others_are_dropped(ends: tuple[socket.socket, ...]) -> None:
    bound, one, other = ends
    datagrams = Datagrams(bound, clock=Clock())
    one.send(b"abcdef")
    other.send(b"XXXX")
    one.send(b"gh")
    datagrams.wait()
    assert [datagrams.read(4), datagrams.read(4), datagrams.read(4)] == [b"abcd", b"ef", b"gh"]


def test_another_ends_the_stream_once_the_first_is_silent(ends: tuple[socket.socket, ...]) -> None:
    bound, one, other = ends
    clock = Clock()
    datagrams = Datagrams(bound, yield_s=1.0, clock=clock)
    one.send(b"a")
    datagrams.wait()
    assert datagrams.read(9) == b"a"
    clock.now_s = 1.5
    other.send(b"b")
    other.send(b"c")
    assert datagrams.read(9) == b""
    after = Datagrams(bound, clock=clock)
    after.wait()
    assert after.read(9) == b"c"  # the next reader has the newcomer


def test_silence_is_the_end(ends: tuple[socket.socket, ...]) -> None:
    bound, one, _ = ends
    clock = Clock()
    datagrams = Datagrams(bound, silent_s=5.0, clock=clock)
    one.send(b"a")
    datagrams.wait()
    assert datagrams.read(9) == b"a"
    clock.now_s = 5.1
    assert datagrams.read(9) == b""
