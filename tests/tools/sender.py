"""The ffmpeg program as a publisher: a moving picture and a tone, to an address that Segue listens on."""

import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

from needs import program

from stream.sources.listen.address import ListenAddress

CONTAINER: Final = {"srt": "mpegts", "rtmp": "flv", "udp": "mpegts"}
QUERY: Final = {"srt": "?mode=caller", "rtmp": "", "udp": "?pkt_size=1316"}

Send = Callable[..., "subprocess.Popen[bytes]"]


def free_port(scheme: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if scheme == "rtmp" else socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@contextlib.contextmanager
def sending() -> Iterator[Send]:
    """``send(address, query="")`` starts a program that sends 160x90 at 15 a second; all are killed at the end."""
    ffmpeg = program("ffmpeg")
    started: list[subprocess.Popen[bytes]] = []

    def send(address: ListenAddress, query: str = "") -> "subprocess.Popen[bytes]":
        pictures = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=15", "-f", "lavfi", "-i", "sine"]
        coded = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-pix_fmt", "yuv420p"]
        to = ["-f", CONTAINER[address.scheme], f"{address.text}{QUERY[address.scheme]}{query}"]
        command = [ffmpeg, "-loglevel", "quiet", *pictures, *coded, "-c:a", "aac", *to]
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return started[-1]

    try:
        yield send
    finally:
        for process in started:
            process.kill()
            process.wait()
