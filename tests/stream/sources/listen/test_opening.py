"""Real publishers at addresses of ours: the ffmpeg program sends by SRT, RTMP and UDP."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import av
import pytest
import sender

from stream.errors import SourceError
from stream.sources.listen.address import parsed
from stream.sources.listen.opening import wait_at
from stream.sources.listen.ports import open_port
from stream.sources.pull.pull import Pull

KINDS = ("srt", "rtmp", "udp")
PATH = {"srt": "", "rtmp": "/live/x", "udp": ""}
SAYS_IT = {"srt": "?mode=listener", "rtmp": "?listen=1", "udp": ""}


@pytest.fixture
def send() -> Iterator[sender.Send]:
    with sender.sending() as start:
        yield start


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("kind", KINDS)
def test_watch_reads_what_comes_to_its_address(kind: str, send: sender.Send) -> None:
    port = sender.free_port(kind)
    address = parsed(f"{kind}://127.0.0.1:{port}{PATH[kind]}")
    threading.Timer(0.5, send, (address,)).start()  # the listener is there first, and waits
    sounds: list[av.AudioFrame] = []
    with Pull(f"{address.text}{SAYS_IT[kind]}", 1) as pull:
        assert pull.endless
        times = []
        for frame in pull.frames(sounds.append):
            assert frame.pts is not None and frame.time_base is not None and (frame.width, frame.height) == (160, 90)
            times.append(float(frame.pts * frame.time_base))
            if len(times) == 20:
                break
    assert len(times) == 20 and times == sorted(times) and sounds


@pytest.mark.needs("ffmpeg")
def test_a_second_rtmp_publisher_is_turned_away_and_the_first_goes_on(send: sender.Send) -> None:
    address = parsed(f"rtmp://127.0.0.1:{sender.free_port('rtmp')}/live/x")
    bound = open_port(address)
    assert bound is not None
    send(address)
    opened = wait_at(address, bound)
    with bound, Pull(address.text, 1, lambda _: opened) as pull:
        frames = pull.frames()
        next(frames)
        with socket.create_connection(("127.0.0.1", address.port)) as second:
            second.settimeout(10)
            assert second.recv(1) == b""  # closed at once
        assert sum(1 for _ in zip(range(30), frames, strict=False)) == 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_is_taken_is_told(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "rtmp" else socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "rtmp":
            taken.listen()
        address = parsed(f"{kind}://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(SourceError, match=r"cannot be listened on .*choose another port"):
            open_port(address)


def test_what_is_no_stream_is_refused() -> None:
    address = parsed(f"rtmp://127.0.0.1:{sender.free_port('rtmp')}/live/x")
    bound = open_port(address)
    assert bound is not None

    def talk() -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", address.port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            client.settimeout(20)
            client.recv(4096)

    talking = threading.Thread(target=talk)
    talking.start()
    with bound, pytest.raises(SourceError, match=r"send H\.264 video"):
        wait_at(address, bound)
    talking.join()


@pytest.mark.needs("ffmpeg")
def test_by_srt_a_passphrase_keeps_others_out(send: sender.Send) -> None:
    address = parsed(f"srt://127.0.0.1:{sender.free_port('srt')}?passphrase=0123456789ab")
    stranger = send(address)
    friends = threading.Timer(1.0, send, (address, "&passphrase=0123456789ab"))
    friends.start()
    with Pull(address.text, 1, lambda _: wait_at(address, None)) as pull:
        assert sum(1 for _ in zip(range(10), pull.frames(), strict=False)) == 10
    assert stranger.wait(10) != 0  # it was refused and gave up


@pytest.mark.needs("ffmpeg")
def test_by_udp_one_may_come_later_than_the_sender(send: sender.Send) -> None:
    address = parsed(f"udp://127.0.0.1:{sender.free_port('udp')}")
    early = send(address)
    time.sleep(1.5)
    with Pull(address.text, 1) as pull:
        assert sum(1 for _ in zip(range(10), pull.frames(), strict=False)) == 10
    assert early.poll() is None
