"""What the sources' tests share: a small web server that is told what to say, and clips made on the spot."""

import contextlib
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

QUICK = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"},
}


@dataclass
class Site:
    """``pages``: path -> its bytes, or a function that answers; what is not there is 404. ``asked`` and ``sent`` tell
    what was asked for, with which headers, and how many bytes of each path went out."""

    url: str = ""
    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=dict)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        self.site.asked.append((self.path, dict(self.headers)))
        page = self.site.pages.get(self.path, self.site.pages.get(self.path.partition("?")[0]))
        with contextlib.suppress(OSError):  # a reader that has enough leaves
            if page is None:
                self.say(404, b"")
            elif isinstance(page, bytes):
                self.page(page)
            else:
                page(self)

    def page(self, data: bytes) -> None:
        """A file, or the part of it that was asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if self.site.ranges else None
        if asked is None:
            return self.say(200, data, self.site.headers)
        begin, end = int(asked[1]), min(len(data), int(asked[2] or len(data)) + bool(asked[2]))
        place = {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}", **self.site.headers}
        return self.say(206, data[begin:end], place)

    def say(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.site.sent[self.path] = self.site.sent.get(self.path, 0) + len(data)
        self.wfile.write(data)

    def stream(self, pieces: Any, kind: str = "video/mp2t") -> None:
        """What has no length: each of the pieces as it comes, then the end of the connection."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    """``site(pages={}, host="127.0.0.1", ranges=True)``: a server, until the end of the test."""
    servers: list[ThreadingHTTPServer] = []

    def start(pages: dict[str, Any] | None = None, host: str = "127.0.0.1", **more: Any) -> Site:
        made = Site(pages=pages or {}, **more)
        server = ThreadingHTTPServer((host, 0), type("OneSite", (Handler,), {"site": made}))
        made.url = f"http://{host}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return made

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def make_clip(
    frames: int = 12,
    kind: str = "mpegts",
    codec: str = "libx264",
    width: int = 64,
    height: int = 48,
    fps: int = 12,
    begin: int = 0,
    pid: int = 0x100,
    sound: bool = False,
    sound_first: bool = False,
    pictures: bool = True,
    options: dict[str, str] | None = None,
) -> bytes:
    """A clip, its first frame at ``begin`` frames; a key frame every 6."""
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - some formats read again what they wrote
    more = {"mpegts_start_pid": str(pid)} if kind == "mpegts" else {}
    container: Any = av.open(file.name, "w", format=kind, options={**more, **(options or {})})
    audio: Any = None
    if sound and sound_first:
        audio = container.add_stream("aac", rate=16_000, layout="mono")
    video: Any = None
    if pictures:
        video = container.add_stream(codec, rate=fps, options={"g": "6", **QUICK.get(codec, {})})
        video.width, video.height = width, height
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    if sound and audio is None:
        audio = container.add_stream("aac", rate=16_000, layout="mono")
    size = 16_000 // fps
    for index in range(frames):
        if video is not None:
            picture = np.full((height, width, 3), 7 * index % 256, np.uint8)
            picture[: height // 2, : (index * 5) % width] = 255 - picture[0, 0, 0]
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = begin + index, Fraction(1, fps)
            container.mux(video.encode(frame))
        if audio is not None:
            tone = av.AudioFrame.from_ndarray(np.zeros((1, size), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 16_000, size * (begin + index), Fraction(1, 16_000)
            container.mux(audio.encode(tone))
    for stream in (video, audio):
        if stream is not None:
            container.mux(stream.encode(None))
    container.close()
    with file:
        return Path(file.name).read_bytes()


@pytest.fixture(scope="session")
def clip() -> Callable[..., bytes]:
    """``clip(frames=12, kind="mpegts", codec="libx264", begin=0, pid=0x100, sound=False, ...)`` -> bytes."""
    return make_clip
