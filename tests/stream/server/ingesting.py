"""A hub that only notes what it is fed, behind a real server, for the tests of what feeds it."""

import asyncio
import contextlib
import io
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import av1
import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI

from stream.server.address import bind
from stream.server.errors import BusyError
from stream.server.inputs import Connect
from stream.sources.arrival import Arrival
from stream.sources.ended import Ended


@dataclass
class Fed:
    """One session of the fake hub."""

    label: str
    key: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(6))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(6))
    pictures: list[tuple[float, tuple[int, int]]] = field(default_factory=list)  # seconds, (width, height)
    sounds: int = 0
    ends: list[str] = field(default_factory=list)
    publisher: Any = None

    def take(self, arrival: Arrival) -> None:
        frame = arrival.frame
        assert frame.pts is not None and frame.time_base is not None
        self.pictures.append((float(frame.pts * frame.time_base), (frame.width, frame.height)))

    def hear(self, frame: av.AudioFrame) -> None:
        self.sounds += frame.samples


class FakeHub:
    """``begin`` as the hub offers it; everything that came is kept."""

    def __init__(self, limit: int = 4) -> None:
        self.limit = limit
        self.sessions: list[Fed] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.closing: set[asyncio.Task[None]] = set()

    @property
    def live(self) -> list[Fed]:
        return [session for session in self.sessions if not session.ends]

    def begin(self, label: str, key: str, connect: Connect) -> Fed:
        self.loop = asyncio.get_running_loop()
        older = [session for session in self.live if key and session.key == key]
        if not older and len(self.live) >= self.limit:
            raise BusyError("all sessions are taken; try again later")
        for session in older:
            session.ends.append("taken over")
            task = self.loop.create_task(session.publisher.close())
            self.closing.add(task)
        made = Fed(label, key)
        made.publisher = connect(made.take, made.hear, lambda ended: made.ends.append(ended.text))
        self.sessions.append(made)
        return made

    def by_secret(self, secret: str) -> Fed | None:
        return next((session for session in self.live if session.secret == secret), None)

    async def stop(self, session: Fed, ended: Ended) -> None:
        session.ends.append(ended.text)
        await session.publisher.close()


@contextlib.contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The app on a free port, in a thread; gives ``host:port``."""
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", ws_max_size=4 * 1024 * 1024)
    server = uvicorn.Server(config)
    with contextlib.closing(bind("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"


def image(extension: str = ".jpg", width: int = 64, height: int = 48, shade: int = 0) -> bytes:
    """A ramp, encoded."""
    ramp = np.add.outer(np.arange(height), np.arange(width)) + shade
    picture = np.repeat((ramp % 256).astype(np.uint8)[..., None], 3, axis=2)
    done, data = cv2.imencode(extension, picture)
    assert done
    return data.tobytes()


VPX = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
REALTIME = {
    "libvpx": VPX,
    "libvpx-vp9": VPX,
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
}


def recorder_chunks(data: bytes) -> list[bytes]:
    """A WebM as MediaRecorder sends it: no frame rate named, a first chunk of 1 byte, then a cluster a chunk."""
    rate = data.find(b"\x23\xe3\x83\x84")  # DefaultDuration becomes Void (RFC 9559, section 5.1.4.1; RFC 8794)
    if rate >= 0:
        data = data[:rate] + b"\xec\x86" + data[rate + 2 :]
    head, *clusters = data.split(b"\x1f\x43\xb6\x75")
    return [head[:1], head[1:], *(b"\x1f\x43\xb6\x75" + cluster for cluster in clusters)]


def webm(
    frames: int = 30,
    codec: str = "libvpx",
    sound: bool = False,
    width: int = 64,
    height: int = 48,
    kind: str = "webm",
    fps: int = 15,
) -> bytes:
    """A live WebM of ``frames`` at ``fps``, as a recorder writes it: clusters of 200 ms, no index."""
    out = io.BytesIO()

    class Sink:
        """Not seekable."""

        def write(self, data: bytes) -> int:
            return out.write(data)

    container: Any = av.open(Sink(), "w", format=kind, options={"live": "1", "cluster_time_limit": "200"})
    pictures = [np.full((height, width, 3), 5 * index % 256, np.uint8) for index in range(frames)]
    ready = av1.Encoded(pictures, fps) if codec == "av1" else None
    if ready is not None:
        video = container.add_stream_from_template(ready.stream, opaque=True)
    else:
        video = container.add_stream(codec, rate=fps, options=REALTIME.get(codec, {}))
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    audio = container.add_stream("libopus", rate=48_000) if sound else None
    if audio is not None:
        audio.layout = "mono"
    for index, picture in enumerate(pictures):
        if ready is not None:
            ready.packets[index].stream = video
            container.mux(ready.packets[index])
        else:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(video.encode(frame))
        if audio is not None:
            size = 48_000 // fps
            tone = av.AudioFrame.from_ndarray(np.zeros((1, size), np.int16), format="s16", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 48_000, size * index, Fraction(1, 48_000)
            container.mux(audio.encode(tone))
    if ready is None:
        container.mux(video.encode(None))
    if audio is not None:
        container.mux(audio.encode(None))
    container.close()
    return out.getvalue()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        waiting.wait(0.02)
    raise AssertionError("it did not come true")
