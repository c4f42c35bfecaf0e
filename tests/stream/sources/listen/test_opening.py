"""Real publishers at addresses of ours: the ffmpeg program sends by SRT, RTMP and UDP."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import av
import needs
import pytest

from stream.errors import SourceError
from stream.sources.listen.address import parsed
from stream.sources.listen.opening import wait_at
from stream.sources.listen.ports import open_port
from stream.sources.pull import external
from stream.sources.pull.pull import Pull

KINDS = ("srt", "rtmp", "udp")
PATH = {"srt": "", "rtmp": "/live/x", "udp": ""}
SAYS_IT = {"srt": "?mode=listener", "rtmp": "?listen=1", "udp": ""}
FORMAT = {"srt": "mpegts", "rtmp": "flv", "udp": "mpegts"}
SENT = {"srt": "?mode=caller", "rtmp": "", "udp": "?pkt_size=1316"}


def free_port(kind: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "rtmp" else socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def send() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """``send(kind, port, seconds)``: a moving picture and a tone to that address."""
    needs.program("ffmpeg")
    started: list[subprocess.Popen[bytes]] = []

    def start(kind: str, port: int, seconds: float = 60.0, size: str = "160x90") -> "subprocess.Popen[bytes]":
        if kind == "srt":
            with contextlib.suppress(SourceError):
                external.program_for("srt")
        pictures = ["-re", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=15", "-f", "lavfi", "-i", "sine"]
        coded = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-pix_fmt", "yuv420p"]
        to = ["-f", FORMAT[kind], f"{kind}://127.0.0.1:{port}{PATH[kind]}{SENT[kind]}"]
        command = ["ffmpeg", "-loglevel", "quiet", *pictures, *coded, "-c:a", "aac", "-t", str(seconds), *to]
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return started[-1]

    yield start
    for program in started:
        program.kill()
        program.wait()


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("kind", KINDS)
def test_watch_reads_what_comes_to_its_address(kind: str, send: Callable[..., object]) -> None:
    port = free_port(kind)
    threading.Timer(0.5, send, (kind, port)).start()  # the listener is there first, and waits
    sounds: list[av.AudioFrame] = []
    with Pull(f"{kind}://127.0.0.1:{port}{PATH[kind]}{SAYS_IT[kind]}", 1) as pull:
        assert pull.endless
        times = []
        for frame in pull.frames(sounds.append):
            assert frame.pts is not None and frame.time_base is not None and (frame.width, frame.height) == (160, 90)
            times.append(float(frame.pts * frame.time_base))
            if len(times) == 20:
                break
    assert len(times) == 20 and times == sorted(times) and sounds


@pytest.mark.needs("ffmpeg")
def test_a_second_rtmp_publisher_is_turned_away_and_the_first_goes_on(send: Callable[..., object]) -> None:
    address = parsed(f"rtmp://127.0.0.1:{free_port('rtmp')}/live/x")
    bound = open_port(address)
    assert bound is not None
    send("rtmp", address.port)
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
    address = parsed(f"rtmp://127.0.0.1:{free_port('rtmp')}/live/x")
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
