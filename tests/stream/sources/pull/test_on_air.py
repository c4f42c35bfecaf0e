"""What comes over HTTP and is on air: its times where it has none, and that it is opened again when it breaks off."""

import asyncio
import io
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from stream.core.events import Notice, Warned
from stream.core.session import SessionOptions
from stream.errors import SourceError
from stream.sinks.base import FunctionSink
from stream.sources.pull import fetch
from stream.sources.pull.pull import Pull
from stream.sources.sandbox.addresses import networks
from stream.sources.sandbox.guarded import guarded
from stream.sources.sandbox.remote_pull import RemoteOptions, RemotePull
from stream.watch import watch_paced

Clip = Callable[..., bytes]
Site = Callable[..., Any]
HERE = ("127.0.0.1/32",)
OPENERS = pytest.mark.parametrize("opener", [None, guarded(networks(HERE))], ids=["watch", "pull"])


def pictures(clip: Clip, count: int, boundary: bytes = b"frame", lengths: bool = True) -> list[bytes]:
    """Parts as a camera sends them: a JPEG each."""
    parts = []
    with av.open(io.BytesIO(clip(count, "avi", "mjpeg", 640, 480))) as container:
        for packet in container.demux(video=0):
            if packet.size:
                head = b"--" + boundary + b"\r\nContent-Type: image/jpeg\r\n"
                head += b"Content-Length: %d\r\n" % packet.size if lengths else b""
                parts.append(head + b"\r\n" + bytes(packet) + b"\r\n")
    return parts


def paced(pieces: list[bytes], seconds: float) -> Iterator[bytes]:
    """One piece each so many seconds; the last one is not followed by anything."""
    begun = time.monotonic()
    for index, piece in enumerate(pieces):
        time.sleep(max(0.0, begun + index * seconds - time.monotonic()))
        yield piece


def times_of(pull: Pull, count: int = 10**9) -> list[float]:
    found = []
    for frame in itertools.islice(pull.frames(), count):
        assert frame.pts is not None and frame.time_base is not None
        found.append(float(frame.pts * frame.time_base))
    return found


@OPENERS
@pytest.mark.parametrize("lengths", [True, False])
def test_a_camera_s_pictures_have_the_times_at_which_they_come(
    site: Site, clip: Clip, opener: Any, lengths: bool
) -> None:
    """Five a second: FFmpeg says 25."""
    parts = pictures(clip, 12, lengths=lengths)
    kind = "multipart/x-mixed-replace; boundary=frame"
    there = site({"/cam": lambda a: a.stream(paced(parts, 0.2), kind)})
    with Pull(f"{there.url}/cam", 1, opener) as pull:
        assert pull.endless
        times = times_of(pull)
    assert len(times) >= 11 and times[9] - times[2] == pytest.approx(7 * 0.2, abs=0.15)
    assert all(b > a for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg1video"])
def test_video_without_a_container_too(site: Site, clip: Clip, codec: str) -> None:
    kind = {"libx264": "h264", "libx265": "hevc", "mpeg1video": "mpeg1video"}[codec]
    data = clip(25, kind, codec, fps=25)
    begins = [0, *(len(clip(n, kind, codec, fps=25)) for n in range(5, 25, 5)), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(begins)]
    there = site({"/v": lambda a: a.stream(paced(pieces, 0.3), "application/octet-stream")})
    clock = itertools.count(100.0, 0.25)
    with Pull(f"{there.url}/v", 1, clock=lambda: next(clock)) as pull:
        times = times_of(pull)
    assert len(times) == 25 and [b - a for a, b in itertools.pairwise(times)] == [0.25] * 24


def test_a_file_of_that_kind_keeps_its_answer(site: Site, clip: Clip, tmp_path: Path) -> None:
    raw, camera = clip(12, "h264"), b"".join(pictures(clip, 12))
    there = site({"/v.h264": raw, "/cam": camera})
    with pytest.raises(SourceError, match="carry no timestamps"):
        list(Pull(f"{there.url}/v.h264").frames())
    (tmp_path / "cam.mjpeg").write_bytes(camera)
    with Pull(str(tmp_path / "cam.mjpeg"), 1) as pull:
        times = times_of(pull)
    assert times[5] - times[0] == pytest.approx(5 / 25) and not pull.endless


def live(clip: Clip, kind: str) -> bytes:
    if kind == "camera":
        return b"".join(pictures(clip, 24))
    options = {"matroska": {"live": "1"}, "mp4": {"movflags": "frag_keyframe+empty_moov"}}.get(kind, {})
    if kind == "flv":
        options = {"flvflags": "no_duration_filesize"}
    return clip(24, kind, options=options)


@OPENERS
@pytest.mark.parametrize("kind", ["mpegts", "flv", "matroska", "mp4", "camera"])
def test_without_a_length_it_is_on_air(site: Site, clip: Clip, opener: Any, kind: str) -> None:
    data = live(clip, kind)
    there = site({"/live": lambda a: a.stream([data], "multipart/x-mixed-replace" if kind == "camera" else "video/x")})
    with Pull(f"{there.url}/live", 1, opener) as pull:
        assert pull.endless and not pull.finished and len(times_of(pull)) >= 23


@OPENERS
@pytest.mark.parametrize("kind", ["mpegts", "flv", "matroska", "mp4"])
def test_with_a_length_it_is_a_recording(site: Site, clip: Clip, opener: Any, kind: str) -> None:
    there = site({"/v": live(clip, kind)})
    with Pull(f"{there.url}/v", 1, opener) as pull:
        assert not pull.endless and len(times_of(pull)) == 24 and pull.warning is None


@OPENERS
@pytest.mark.parametrize("kind", ["matroska", "flv", "mp4"])
def test_a_recording_that_tells_its_duration_needs_no_length(site: Site, clip: Clip, opener: Any, kind: str) -> None:
    data = clip(36, kind, options={"movflags": "faststart"} if kind == "mp4" else {})
    there = site({"/v": lambda a: a.stream([data]), "/cut": lambda a: a.stream([data[: len(data) // 2]])})
    with Pull(f"{there.url}/v", 1, opener) as pull:
        assert not pull.endless and len(times_of(pull)) == 36 and pull.warning is None
    with Pull(f"{there.url}/cut", 1, opener) as pull:
        assert not pull.endless and len(times_of(pull)) < 30
    assert pull.warning is not None and "cut short" in pull.warning


def broken(data: bytes) -> Callable[[Any], None]:
    """Promises everything and sends half."""

    def answer(a: Any) -> None:
        a.send_response(200)
        a.send_header("Content-Length", str(len(data)))
        a.end_headers()
        a.wfile.write(data[: len(data) // 2])

    return answer


@OPENERS
@pytest.mark.parametrize("kind", ["mpegts", "matroska", "mp4"])
def test_a_recording_that_breaks_off_says_so(site: Site, clip: Clip, opener: Any, kind: str) -> None:
    data = clip(48, kind, options={"movflags": "faststart"} if kind == "mp4" else {})
    there = site({"/v": broken(data)}, ranges=False)
    with Pull(f"{there.url}/v", 1, opener) as pull:
        assert not pull.endless and 0 < len(times_of(pull)) < 40
    assert pull.warning is not None and f"broke off after {len(data) // 2} of {len(data)} bytes" in pull.warning


def again(clip: Clip, kind: str) -> tuple[Callable[[Any], None], list[float]]:
    """A source that breaks off after a second, time after time, and goes on where it is by then."""
    asked: list[float] = []

    def answer(a: Any) -> None:
        asked.append(time.monotonic())
        begin = int(12 * (asked[-1] - asked[0]))
        if kind == "camera":
            return a.stream(paced(pictures(clip, 10), 0.1), "multipart/x-mixed-replace; boundary=frame")
        data = clip(12, kind, begin=begin, options={"flvflags": "no_duration_filesize"} if kind == "flv" else {})
        pieces = [data[at : at + 2000] for at in range(0, len(data), 2000)]
        return a.stream(paced(pieces, 1.0 / len(pieces)), "video/x")

    return answer, asked


@pytest.mark.parametrize("kind", ["mpegts", "flv", "camera"])
def test_watch_opens_again_what_broke_off(site: Site, clip: Clip, fake_runtime: Any, kind: str) -> None:
    answer, asked = again(clip, kind)
    url = f"{site({'/live': answer}).url}/live"
    told: list[str] = []

    async def scene() -> None:
        def publish(notice: Notice) -> None:
            if isinstance(notice, Warned):
                told.append(notice.reason)
            if told.count("the source is back") == 2:
                watching.cancel()

        async def watch() -> None:
            with await asyncio.to_thread(Pull, url) as pull:
                await watch_paced(pull, url, fake_runtime(), SessionOptions(), FunctionSink(publish))

        watching = asyncio.create_task(watch())
        async with asyncio.timeout(40):
            await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(scene())
    assert told.count("the source is back") == 2 and sum("trying again in" in text for text in told) >= 2
    assert len(asked) >= 3


def remote(
    url: str, seconds: float, enough: Callable[[list[float], list[str]], bool]
) -> tuple[list[float], list[str], list[str]]:
    """What a pull by a process of its own brings: times, notes, and why it ended."""
    times: list[float] = []
    notes: list[str] = []
    ends: list[str] = []

    async def scene() -> None:
        pull = RemotePull(
            url,
            HERE,
            lambda one: times.append(float(one.frame.pts * one.frame.time_base)),
            print,
            lambda ended: ends.append(ended.text),
            RemoteOptions(open_s=30.0),  # type: ignore[operator]
        )
        pull.hear_notes(notes.append)
        await pull.opened()
        async with asyncio.timeout(seconds):
            while not ends and not enough(times, notes):  # noqa: ASYNC110 - it comes by callbacks
                await asyncio.sleep(0.05)
        await pull.close()

    asyncio.run(scene())
    return times, notes, ends


def test_a_pull_opens_again_what_broke_off(site: Site, clip: Clip) -> None:
    answer, _ = again(clip, "mpegts")
    url = f"{site({'/live': answer}).url}/live"
    times, notes, _ = remote(url, 40, lambda _, notes: notes.count("the source is back") >= 2)
    assert len(times) >= 14 and any("trying again in" in note for note in notes)


def test_a_pull_tells_what_watch_tells(site: Site, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RESUME_S", ())
    there = site({"/v": broken(clip(48, "matroska")), "/a.ts": clip(6) + clip(6, begin=6, pid=0x200)}, ranges=False)
    _, notes, ends = remote(f"{there.url}/v", 30, lambda *_: False)
    assert ends == ["the publisher stopped"] and len(notes) == 1 and "cut short" in notes[0] and "broke off" in notes[0]
    _, notes, ends = remote(f"{there.url}/a.ts", 30, lambda *_: False)
    assert ends == ["the publisher stopped"] and len(notes) == 1 and "other streams (h264 64x48, no sound)" in notes[0]


def test_what_a_pull_tells_reaches_the_viewers() -> None:
    """A hub session passes the words of its publisher on as warnings, as long as it is the newest one."""
    from stream.server.channel import Channel

    class Live:
        def __init__(self, publish: Any) -> None: ...
        def offer(self, *_: Any) -> None: ...
        def listen(self, *_: Any) -> None: ...

    class Talker:
        connected, frames = True, 0

        def hear_notes(self, on_note: Callable[[str], None]) -> None:
            self.say = on_note

        def follow(self, level: Any) -> None: ...
        async def close(self) -> None: ...

    async def scene() -> None:
        session = Channel("x", "", Live, lambda *_: None)  # type: ignore[arg-type]
        viewer = session.join()
        first, second = Talker(), Talker()
        session.inputs.add(session, lambda *_: first, lambda *_: None)
        first.say("was cut short")
        session.inputs.add(session, lambda *_: second, lambda *_: None)  # of those that come, the newest wins
        first.say("who is that?")
        assert len(viewer) == 1
        said = json.loads(await viewer.next() or "")
        assert said == {"v": 1, "type": "warning", "reason": "was cut short"}
        await asyncio.gather(*session.inputs.closing)

    asyncio.run(scene())
