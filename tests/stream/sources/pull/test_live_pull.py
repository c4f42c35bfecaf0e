"""Live addresses with real servers: RTMP and SRT from the ffmpeg program, RTSP from a small server of our own."""

import asyncio
import contextlib
import itertools
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import needs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import End, Notice, Warned
from stream.core.session import SessionOptions
from stream.errors import SourceError
from stream.sinks.base import FunctionSink
from stream.sources.pull import external
from stream.sources.pull.pull import Pull, is_device, is_live
from stream.sources.sandbox.addresses import networks, target_of
from stream.sources.sandbox.guarded import guarded, srt_address
from stream.sources.sandbox.relay import RtspScreen
from stream.sources.sandbox.remote_pull import RemotePull
from stream.watch import watch_paced

HERE = networks(["127.0.0.1/32"])


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def ffmpeg() -> Iterator[Callable[..., None]]:
    """``ffmpeg(seconds, *output)``: serve a moving picture and a tone to whoever comes."""
    started: list[subprocess.Popen[bytes]] = []

    def start(seconds: float, *output: str) -> None:
        length = ["-t", str(seconds)]
        source = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=15", "-f", "lavfi", "-i", "sine"]
        video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-pix_fmt", "yuv420p"]
        command = ["ffmpeg", "-loglevel", "quiet", *source, *video, "-c:a", "aac", *length, *output]
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))

    yield start
    for program in started:
        program.kill()
        program.wait()


def some(url: str, opener: Any = None, count: int = 20) -> tuple[list[float], int]:
    """The times of the first frames, and how many frames of sound came along; waits until somebody serves."""
    sounds: list[av.AudioFrame] = []
    deadline = time.monotonic() + 30
    while True:
        try:
            pull = Pull(url, 1, opener)
            break
        except SourceError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    times = []
    with pull:
        assert pull.endless
        for frame in pull.frames(sounds.append):
            assert frame.pts is not None and frame.time_base is not None and (frame.width, frame.height) == (160, 90)
            times.append(float(frame.pts * frame.time_base))
            if len(times) == count:
                break
    return times, len(sounds)


def rtmp(port: int) -> tuple[str, ...]:
    return ("-f", "flv", "-listen", "1", f"rtmp://127.0.0.1:{port}/live/a")


def need_srt() -> None:
    """A program that reads SRT."""
    try:
        external.program_for("srt")
    except SourceError as error:
        needs.missing(str(error))


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("opener", [None, guarded(HERE)], ids=["by the user", "by a client"])
def test_rtmp(ffmpeg: Callable[..., None], opener: Any) -> None:
    port = free_port()
    ffmpeg(60, *rtmp(port))
    times, sounds = some(f"rtmp://127.0.0.1:{port}/live/a", opener)
    assert len(times) == 20 and times == sorted(times) and sounds > 0


def http(port: int, kind: str) -> tuple[str, ...]:
    return ("-f", kind, "-listen", "1", f"http://127.0.0.1:{port}/live")


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    ("way", "sound", "at_most_s"),
    [
        ("rtmp", True, 1.4),
        ("rtmp", False, 2.6),  # FFmpeg waits for a second whether sound will come
        ("flv", True, 1.4),
        ("flv", False, 2.6),
        ("mpegts", True, 1.2),
        ("mpegts", False, 1.2),
    ],
)
def test_what_is_on_air_begins_soon(ffmpeg: Callable[..., None], way: str, sound: bool, at_most_s: float) -> None:
    """FFmpeg by itself takes 1.5 s (a transport stream) to 5 s (FLV without sound) to know what comes."""
    port = free_port()
    output = rtmp(port) if way == "rtmp" else http(port, way)
    ffmpeg(60, *([] if sound else ["-an"]), *output)
    deadline = time.monotonic() + 20
    while True:
        begun = time.monotonic()
        try:
            pull = Pull(output[-1], 1)
            break
        except SourceError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    sounds: list[av.AudioFrame] = []
    with pull:
        times: list[float] = []
        for frame in pull.frames(sounds.append):
            if not times:
                assert time.monotonic() - begun < at_most_s
            assert frame.pts is not None and frame.time_base is not None
            times.append(float(frame.pts * frame.time_base))
            if len(times) == 20:
                break
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([1 / 15] * 19, abs=0.002)
    assert bool(sounds) == sound


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("opener", [None, guarded(HERE)], ids=["by the user", "by a client"])
def test_srt_through_a_program(ffmpeg: Callable[..., None], opener: Any) -> None:
    need_srt()
    port = free_port(socket.SOCK_DGRAM)
    ffmpeg(60, "-f", "mpegts", f"srt://127.0.0.1:{port}?mode=listener")
    times, sounds = some(f"srt://127.0.0.1:{port}", opener)
    assert len(times) == 20 and times == sorted(times) and sounds > 0


def test_srt_without_a_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="neither this PyAV nor a program on the PATH"):
        Pull("srt://127.0.0.1:9")
    other = tmp_path / "ffmpeg"
    other.write_text("#!/bin/sh\necho Input: file http\n")
    other.chmod(0o755)
    with pytest.raises(SourceError, match="was built with it; install an ffmpeg with SRT"):
        Pull("srt://127.0.0.1:9")


@pytest.mark.needs("ffmpeg")
def test_watch_opens_again_what_broke_off(ffmpeg: Callable[..., None], fake_runtime: Any) -> None:
    port = free_port()
    ffmpeg(3, *rtmp(port))
    url = f"rtmp://127.0.0.1:{port}/live/a"
    notices: list[Notice] = []
    told: list[str] = []

    async def scene() -> None:
        runtime = fake_runtime()

        def publish(notice: Notice) -> None:
            notices.append(notice)
            if isinstance(notice, Warned):
                told.append(notice.reason)
                if "trying again" in notice.reason and len(told) == 1:
                    ffmpeg(60, *rtmp(port))
            if "the source is back" in told:
                watching.cancel()

        async def watch() -> None:
            pull = None
            while pull is None:
                with contextlib.suppress(SourceError):
                    pull = await asyncio.to_thread(Pull, url)
            with pull:
                await watch_paced(pull, url, runtime, SessionOptions(), FunctionSink(publish))

        watching = asyncio.create_task(watch())
        async with asyncio.timeout(60):
            await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(scene())
    assert "trying again in" in told[0] and "the source is back" in told
    assert sum(isinstance(notice, End) for notice in notices) <= 1


class RtspServer:
    """One client, one picture source: VP8 over RTP, interleaved; ``asked`` keeps the requests' first lines."""

    def __init__(self, answer_to_describe: str | None = None) -> None:
        self.asked: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._answer = answer_to_describe
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self.socket.accept()
            with client:
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        text = b""
        while b"PLAY" not in text.split(b" ", 1)[0]:
            text = b""
            while not text.endswith(b"\r\n\r\n"):
                piece = client.recv(1)
                if not piece:
                    return
                text += piece
            lines = text.decode().split("\r\n")
            self.asked.append(lines[0])
            number = next(line for line in lines if line.lower().startswith("cseq")).partition(":")[2].strip()
            method = lines[0].split(" ")[0]
            status, more, body = "200 OK", "", ""
            if method == "DESCRIBE":
                body = (
                    "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
                )
                more = "Content-Type: application/sdp\r\n"
                if self._answer is not None:
                    status, body, more = "302 Moved", "", f"Location: {self._answer}\r\n"
            elif method == "SETUP":
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            head = f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
            client.sendall((head + body).encode())
        self._play(client)

    def _play(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
            media.bind(("127.0.0.1", 0))
            media.settimeout(0.02)
            out: Any = av.open(f"rtp://127.0.0.1:{media.getsockname()[1]}", "w", format="rtp")
            video = out.add_stream("libvpx", rate=15, options={"deadline": "realtime", "lag-in-frames": "0"})
            video.width, video.height, video.pix_fmt, video.codec_context.gop_size = 160, 90, "yuv420p", 15
            index = 0
            while not self._stop.is_set():
                picture = np.full((90, 160, 3), 5 * index % 256, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 15)
                out.mux(video.encode(frame))
                index += 1
                with contextlib.suppress(TimeoutError):
                    while True:
                        packet = media.recv(2000)
                        client.sendall(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
            out.close()


@pytest.fixture
def rtsp() -> Iterator[Callable[..., RtspServer]]:
    started: list[RtspServer] = []

    def start(answer_to_describe: str | None = None) -> RtspServer:
        started.append(RtspServer(answer_to_describe))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.mark.parametrize("opener", [None, guarded(HERE)], ids=["by the user", "by a client"])
def test_rtsp(rtsp: Callable[..., RtspServer], opener: Any) -> None:
    server = rtsp()
    times, _ = some(f"rtsp://127.0.0.1:{server.port}/cam", opener)
    assert len(times) == 20 and times == sorted(times)
    assert [line.split(" ")[0] for line in server.asked] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]


async def some_pulled(url: str) -> int:
    """How many pictures come from a process of its own before five are enough."""
    enough = asyncio.Event()
    frames: list[av.VideoFrame] = []

    def take(frame: av.VideoFrame) -> None:
        frames.append(frame)
        if len(frames) == 5:
            enough.set()

    pull = RemotePull(url, ("127.0.0.1/32",), take, lambda _: None, lambda _: None)
    try:
        await pull.opened()
        async with asyncio.timeout(30):
            await enough.wait()
        return len(frames)
    finally:
        await pull.close()


def pulled(url: str) -> int:
    """The same; waits until somebody serves."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return asyncio.run(some_pulled(url))
        except SourceError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


@pytest.mark.needs("ffmpeg")
def test_rtmp_and_srt_in_the_confined_process(ffmpeg: Callable[..., None]) -> None:
    port = free_port()
    ffmpeg(60, *rtmp(port))
    assert pulled(f"rtmp://127.0.0.1:{port}/live/a") == 5
    need_srt()
    port = free_port(socket.SOCK_DGRAM)
    ffmpeg(60, "-f", "mpegts", f"srt://127.0.0.1:{port}?mode=listener")
    assert pulled(f"srt://127.0.0.1:{port}") == 5


def test_rtsp_in_the_confined_process(rtsp: Callable[..., RtspServer]) -> None:
    assert pulled(f"rtsp://127.0.0.1:{rtsp().port}/cam") == 5


def test_an_rtsp_redirect_is_not_followed_for_a_client(rtsp: Callable[..., RtspServer]) -> None:
    elsewhere = rtsp()
    server = rtsp(f"rtsp://127.0.0.1:{elsewhere.port}/cam")
    with pytest.raises(SourceError, match="redirects, which is not followed"):
        Pull(f"rtsp://127.0.0.1:{server.port}/cam", 1, guarded(HERE))
    assert elsewhere.asked == [] and len(server.asked) == 2
    with pytest.raises(SourceError, match="transport cannot be chosen"):
        Pull(f"rtsp://127.0.0.1:{server.port}/cam?udp", 1, guarded(HERE))


@pytest.mark.parametrize(
    "url", ["rtmp://10.0.0.1/live/a", "rtsp://127.0.0.2/cam", "srt://192.168.0.1:9", "rtmps://[::1]/a/b"]
)
def test_refused_addresses_are_not_connected_to(url: str) -> None:
    with pytest.raises(SourceError, match="which clients may not name"):
        Pull(url, 1, guarded(HERE))


def test_a_client_s_srt_address_is_a_transport_stream_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A playlist by SRT would lead the program elsewhere."""
    program = tmp_path / "ffmpeg"
    program.write_text(
        f'#!/bin/sh\n[ "$2" = -protocols ] && echo srt && exit 0\necho "$@" > {tmp_path}/said\ncat > {tmp_path}/list\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SourceError, match="check the address"):
        Pull("srt://127.0.0.1:9?streamid=x&passphrase=opensesame", 1, guarded(HERE))
    said, told = (tmp_path / "said").read_text(), (tmp_path / "list").read_text().splitlines()
    assert " -protocol_whitelist pipe,srt " in said and "opensesame" not in said
    assert told[1] == "file 'srt://127.0.0.1:9?mode=caller&streamid=x&passphrase=opensesame'"
    assert {"option format_whitelist mpegts", "option protocol_whitelist srt"} <= set(told) and len(told) == 5


@pytest.mark.parametrize("address", ["srt://h:9?streamid=a\nfile 'x'", "srt://h:9\0", "srt://h:9\x7f"])
def test_an_address_is_one_entry_of_a_list(address: str) -> None:
    with pytest.raises(SourceError, match="no address has"):
        external.concat_list(address, "")
    assert external.concat_list("srt://h:9?streamid=a'b", "").splitlines()[1] == r"file 'srt://h:9?streamid=a'\''b'"


def arguments_of_readers() -> list[str]:
    """Those of the programs on this machine that read a stream for us, as everybody can see them."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(place.read_text(errors="replace"))
    return [words for words in found if "-flush_packets" in words and "pipe:1" in words]


@pytest.mark.needs("ffmpeg")
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks into /proc")
@pytest.mark.parametrize("opener", [None, guarded(HERE)], ids=["by the user", "by a client"])
def test_a_passphrase_opens_a_stream_and_stands_in_no_arguments(ffmpeg: Callable[..., None], opener: Any) -> None:
    need_srt()
    port = free_port(socket.SOCK_DGRAM)
    ffmpeg(60, "-f", "mpegts", f"srt://127.0.0.1:{port}?mode=listener&passphrase=opensesame")
    time.sleep(1.5)
    with pytest.raises(SourceError, match="check the address"):
        Pull(f"srt://127.0.0.1:{port}?passphrase=opensaysme", 1, opener)
    with Pull(f"srt://127.0.0.1:{port}?passphrase=opensesame", 1, opener) as pull:
        assert next(pull.frames()).width == 160
        seen = arguments_of_readers()
        assert seen and not any("opensesame" in words for words in seen)


@pytest.mark.needs("ffmpeg")
def test_by_srt_nothing_but_a_transport_stream_comes_for_a_client(ffmpeg: Callable[..., None]) -> None:
    need_srt()
    port = free_port(socket.SOCK_DGRAM)
    ffmpeg(60, "-f", "matroska", f"srt://127.0.0.1:{port}?mode=listener")
    times, _ = some(f"srt://127.0.0.1:{port}", count=2)  # the user's own may be any
    assert len(times) == 2
    port = free_port(socket.SOCK_DGRAM)
    ffmpeg(60, "-f", "matroska", f"srt://127.0.0.1:{port}?mode=listener")
    deadline = time.monotonic() + 30
    said = ""
    while "Invalid argument" not in said:  # until it is there
        assert time.monotonic() < deadline, said
        with pytest.raises(SourceError) as told:
            Pull(f"srt://127.0.0.1:{port}", 1, guarded(HERE))
        said = str(told.value)


def test_an_srt_address_keeps_what_a_caller_needs() -> None:
    target = target_of("srt://cam.example:9000?streamid=a%26b&latency=200&mode=caller")
    assert srt_address(target, "203.0.113.9") == "srt://203.0.113.9:9000?mode=caller&streamid=a%26b&latency=200"
    assert srt_address(target_of("srt://cam.example:9"), "2a00::1") == "srt://[2a00::1]:9?mode=caller"
    for query in ("mode=listener", "localport=22", "adapter=10.0.0.1"):
        with pytest.raises(SourceError, match="is not taken"):
            srt_address(target_of(f"srt://cam.example:9?{query}"), "203.0.113.9")


@given(st.lists(st.binary(max_size=30), max_size=5), st.integers(1, 7))
def test_media_passes_the_screen_unchanged_however_it_is_cut(packets: list[bytes], size: int) -> None:
    stream = b"".join(b"$\x00" + len(packet).to_bytes(2, "big") + packet for packet in packets)
    screen = RtspScreen()
    passed = b"".join(screen.push(stream[at : at + size]) for at in range(0, len(stream), size))
    assert passed == stream


def test_an_answer_is_written_anew_without_what_leads_elsewhere() -> None:
    answer = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nLocation: rtsp://10.0.0.1/\r\nContent-Length: 3\r\n\r\nabc$\x00\x00\x01z"
    for size in (1, 5, len(answer)):
        screen = RtspScreen()
        passed = b"".join(screen.push(answer[at : at + size]) for at in range(0, len(answer), size))
        assert passed == b"RTSP/1.0 200 answer\r\ncseq: 2\r\nContent-Length: 3\r\n\r\nabc$\x00\x00\x01z"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"RTSP/1.0 301 Moved\r\nLocation: rtsp://10.0.0.1/\r\n\r\n", "redirects"),
        (b"RTSP/1.0 301 Moved\nLocation: rtsp://10.0.0.1/\n\r\n\r\n", "redirects"),
        (b"REDIRECT rtsp://x RTSP/1.0\r\nLocation: rtsp://10.0.0.1/\r\n\r\n", "is no answer"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\n", "a length of 3, 9"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: -3\r\n\r\n", "a length of -3"),
        (b"x" * 20_000, "bytes of headers"),
    ],
)
def test_what_an_rtsp_server_may_not_say_ends_the_connection(said: bytes, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        RtspScreen().push(said)


def test_a_camera_is_told_by_its_node(tmp_path: Path) -> None:
    assert is_device("/dev/video0") and is_live("/dev/video0") and is_device("/dev/null")
    assert not is_device(str(tmp_path / "video0")) and not is_device("/dev")
    with pytest.raises(SourceError, match="no such file"):
        Pull("/dev/video99")
    with pytest.raises(SourceError, match="is no camera that can be used"):
        Pull("/dev/null")
