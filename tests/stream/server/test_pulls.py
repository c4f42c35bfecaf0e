"""URLs that clients name: pulled in a process of their own, and never from a place that clients may not reach."""

import asyncio
import contextlib
import functools
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from stream.errors import SourceError
from stream.server import pulls
from stream.server.pulls import PullOptions, pull_routes
from stream.sources.ended import Ended, silent
from stream.sources.pull.pull import Pull
from stream.sources.sandbox import landlock
from stream.sources.sandbox.addresses import networks
from stream.sources.sandbox.guarded import guarded
from stream.sources.sandbox.remote_pull import RemoteOptions, RemotePull

Video = Callable[..., Path]
HERE = ("127.0.0.1/32",)
THREADS = min(32, (os.cpu_count() or 1) + 4)  # that an event loop has at most for whatever is handed to threads


class Files(SimpleHTTPRequestHandler):
    """A folder that answers ranges; ``/to?URL`` redirects to the URL."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif (path := Path(self.translate_path(self.path))).is_file():
            data, begin = path.read_bytes(), int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            with contextlib.suppress(OSError):  # a reader that seeks leaves in the middle
                self.wfile.write(data[begin:])
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def http_server(handler: Callable[..., BaseHTTPRequestHandler], host: str = "127.0.0.1") -> Iterator[str]:
    with ThreadingHTTPServer((host, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{host}:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """``(url, folder, paths asked for)``."""
    asked: list[str] = []
    handler = functools.partial(type("Handler", (Files,), {"asked": asked}), directory=str(tmp_path))
    with http_server(handler) as url:
        yield url, tmp_path, asked


@pytest.fixture(scope="module")
def place(ingesting: Any) -> Iterator[Any]:
    """``(hub, client)`` of a server that lets clients pull from 127.0.0.1 and from public addresses."""
    hub = ingesting.FakeHub()
    app = FastAPI()
    options = PullOptions(True, HERE, RemoteOptions(open_s=40.0, idle_s=20.0))
    app.include_router(pull_routes(hub, options))
    with ingesting.running(app) as address, httpx.Client(base_url=f"http://{address}", timeout=60) as client:
        yield hub, client


def said(answer: httpx.Response) -> str:
    return str(answer.json()["error"])


def test_it_is_off_unless_asked_for(ingesting: Any) -> None:
    hub, app = ingesting.FakeHub(), FastAPI()
    app.include_router(pull_routes(hub, PullOptions()))
    with ingesting.running(app) as address:
        answer = httpx.post(f"http://{address}/api/pull", json={"url": "https://example.org/v.mp4"})
    assert answer.status_code == 403 and "--allow-pull" in said(answer) and hub.sessions == []


def test_where_files_cannot_be_closed_off_the_owner_is_told_once(
    ingesting: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    pull_routes(ingesting.FakeHub(), PullOptions())
    assert caplog.messages == []
    pull_routes(ingesting.FakeHub(), PullOptions(True))
    assert len(caplog.messages) == 1 and "no Landlock" in caplog.messages[0]


def test_a_video_over_http_feeds_a_session_until_it_is_deleted(
    place: Any, ingesting: Any, files: Any, write_video: Video
) -> None:
    hub, client = place
    url, folder, _ = files
    write_video(folder / "v.mp4", frames=600, fps=24)  # its index stands at the end: ranges are needed
    answer = client.post("/api/pull", json={"url": f"{url}/v.mp4", "label": "Film"})
    assert answer.status_code == 201, answer.text
    fed = hub.sessions[-1]
    assert answer.json() == {"v": 1, "session": fed.id, "events": f"/sessions/{fed.id}/events"}
    assert answer.headers["location"] == f"/api/pull/{fed.secret}" and fed.label == "Film"
    ingesting.until(lambda: len(fed.pictures) >= 5)
    assert [round(8 * time_s) for time_s, _ in fed.pictures[:5]] == [0, 1, 2, 3, 4]
    assert {size for _, size in fed.pictures} == {(320, 180)}
    assert client.delete(answer.headers["location"]).status_code == 200
    assert fed.ends == ["the publisher stopped"] and not fed.publisher.connected
    assert client.delete(answer.headers["location"]).status_code == 404


def test_the_end_of_the_video_is_the_end_of_the_session(
    place: Any, ingesting: Any, files: Any, write_video: Video
) -> None:
    hub, client = place
    url, folder, _ = files
    write_video(folder / "v.mkv", frames=24, fps=12)
    assert client.post("/api/pull", json={"url": f"{url}/to?/v.mkv"}).status_code == 201  # a redirect within bounds
    fed = hub.sessions[-1]
    ingesting.until(lambda: fed.ends)
    assert fed.ends == ["the publisher stopped"] and len(fed.pictures) == 16 and fed.label == "127.0.0.1"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"no json", 400, "no JSON"),
        (b"[]", 400, 'no "url"'),
        (b'{"url":7}', 400, 'no "url"'),
        (b'{"url":"http://127.0.0.1/","label":7}', 400, "label is no text"),
        (b'{"url":"' + b"x" * 9000 + b'"}', 400, "8192 bytes"),
        (b'{"url":"file:///etc/passwd"}', 422, "is not taken here"),
        (b'{"url":"http://127.0.0.2/v.mp4"}', 422, "loopback"),
        (b'{"url":"http://169.254.169.254/latest/meta-data"}', 422, "link-local"),
        (b'{"url":"rtsp://[::ffff:10.0.0.1]/cam"}', 422, "private"),
        (b'{"url":"rtmp://100.64.1.1/live"}', 422, "CGNAT"),
        (b'{"url":"http://no-such-host.invalid/"}', 422, "cannot be looked up"),
    ],
)
def test_what_may_not_be_named_is_refused_before_anything_starts(
    place: Any, body: bytes, status: int, words: str
) -> None:
    hub, client = place
    before = len(hub.sessions)
    answer = client.post("/api/pull", content=body)
    assert (answer.status_code, words in said(answer)) == (status, True), answer.text
    assert len(hub.sessions) == before


def test_names_that_nobody_answers_for_hold_no_other_threads(ingesting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the threads in which pictures are decoded, and no more than a few of their own, however often one asks."""
    answered, asked = threading.Event(), []

    def slow(target: Any, rules: Any) -> list[Any]:
        asked.append(threading.current_thread().name)
        answered.wait(60)
        return []

    monkeypatch.setattr(pulls, "checked", slow)
    monkeypatch.setattr(pulls, "LOOKUP_S", 0.2)
    hub, app = ingesting.FakeHub(limit=0), FastAPI()
    app.include_router(pull_routes(hub, PullOptions(True)))

    @app.get("/other")
    async def other() -> int:
        """Work of others, in the threads that everybody shares."""
        return await asyncio.wait_for(asyncio.to_thread(int), 10)

    with ingesting.running(app) as address, httpx.Client(base_url=f"http://{address}", timeout=30) as client:
        for _ in range(THREADS + pulls.LOOKUPS):
            answer = client.post("/api/pull", json={"url": "http://name.example/v.mp4"})
            assert answer.status_code == 422 and "cannot be looked up within" in said(answer)
        assert client.get("/other").status_code == 200
        assert len(asked) == pulls.LOOKUPS
        answered.set()  # and all is as before
        ingesting.until(lambda: client.post("/api/pull", json={"url": "http://name.example/v.mp4"}).status_code == 503)
    assert {name.rpartition("_")[0] for name in asked} == {"lookup"}


def test_what_cannot_be_opened_is_told_and_ends_its_session(place: Any, files: Any) -> None:
    hub, client = place
    url, folder, _ = files
    (folder / "notes.txt").write_text("no video\n" * 99)
    for path, words in (("/absent.mp4", "404"), ("/notes.txt", "give a video"), (f"/to?{url}/to?", "")):
        answer = client.post("/api/pull", json={"url": url + path})
        assert answer.status_code == 422 and words in said(answer), answer.text
        assert len(hub.sessions[-1].ends) == 1
        assert str(folder) not in answer.text


def test_a_password_is_not_told_to_viewers(place: Any, files: Any, tmp_path: Path) -> None:
    hub, client = place
    url, folder, _ = files
    (folder / "empty.mkv").write_bytes(b"")
    secret = url.replace("http://", "http://user:opensesame@")
    for path in ("/absent.mp4?key=opensesame", "/empty.mkv?key=opensesame"):
        answer = client.post("/api/pull", json={"url": secret + path})
        assert answer.status_code == 422 and "opensesame" not in answer.text
        assert "opensesame" not in hub.sessions[-1].ends[0] + hub.sessions[-1].label


def test_a_bound_of_the_hub_is_passed_on(ingesting: Any) -> None:
    app = FastAPI()
    app.include_router(pull_routes(ingesting.FakeHub(limit=0), PullOptions(True, HERE)))
    with ingesting.running(app) as address:
        answer = httpx.post(f"http://{address}/api/pull", json={"url": "http://127.0.0.1:1/v.mp4"})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "5"


class Forbidden:
    """A listener on an address that may not be reached; ``touched`` tells whether somebody came."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.2", 0))
        self.netloc = f"127.0.0.2:{self.socket.getsockname()[1]}"

    @property
    def touched(self) -> bool:
        self.socket.settimeout(0.3)
        try:
            self.socket.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture
def forbidden() -> Iterator[Forbidden]:
    made = Forbidden()
    yield made
    made.socket.close()


def refused(url: str) -> str:
    """Why a URL is not pulled, where 127.0.0.1 alone may be reached."""
    with pytest.raises(SourceError) as caught, Pull(url, 1, guarded(networks(HERE))) as pull:
        list(pull.frames())
    return str(caught.value)


def test_a_redirect_to_a_refused_place_is_not_followed(files: Any, forbidden: Forbidden) -> None:
    url, _, _ = files
    assert "loopback" in refused(f"{url}/to?http://{forbidden.netloc}/v.mp4")
    assert "is not taken here" in refused(f"{url}/to?file:///etc/passwd")
    assert "more than 5 redirects" in refused(f"{url}/to?/to?/to?/to?/to?/to?/to?/to?/v.mp4")
    assert not forbidden.touched


def write_hls(folder: Path, write_video: Video) -> list[str]:
    """A playlist of two parts, and its lines."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2"]
    for number in range(2):
        write_video(
            folder / f"{number}.ts", frames=24, fps=12, pts_ms=[2000 * number + i * 1000 // 12 for i in range(24)]
        )
        lines += ["#EXTINF:2,", f"{number}.ts"]
    (folder / "live.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    return lines


def test_a_playlist_is_followed_part_by_part(files: Any, write_video: Video) -> None:
    url, folder, asked = files
    write_hls(folder, write_video)
    with Pull(f"{url}/live.m3u8", 1, guarded(networks(HERE))) as pull:
        assert len(list(pull.frames())) == 48 and not pull.endless
    assert {"/live.m3u8", "/0.ts", "/1.ts"} <= set(asked)


@pytest.mark.parametrize("place", ["http://{}/part.ts", "file:///etc/passwd", "tcp://{}", "concat:a|b"])
def test_a_playlist_leads_nowhere_else(files: Any, write_video: Video, forbidden: Forbidden, place: str) -> None:
    url, folder, _ = files
    lines = write_hls(folder, write_video)
    part = place.format(forbidden.netloc)
    lines[4] = part
    (folder / "bad.m3u8").write_text("\n".join([*lines[:5], "#EXT-X-ENDLIST", ""]))
    assert refused(f"{url}/bad.m3u8")
    (folder / "sdp").write_text(f"v=0\nc=IN IP4 127.0.0.2\nm=video {forbidden.netloc.split(':')[1]} RTP/AVP 96\n")
    (folder / "list").write_text("ffconcat version 1.0\nfile 0.ts\n")
    for other in ("sdp", "list"):
        assert refused(f"{url}/{other}")
    assert not forbidden.touched


def test_a_process_is_killed_when_nothing_comes_and_at_the_end(files: Any) -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:  # takes the connection and says nothing
            reasons: list[Ended] = []
            url = f"http://127.0.0.1:{mute.getsockname()[1]}/v.mp4"
            pull = RemotePull(url, HERE, print, print, reasons.append, RemoteOptions(open_s=2.0))
            with pytest.raises(SourceError, match="no video for 2 s"):
                await pull.opened()
            await pull.close()
            assert children() == []
            second = RemotePull(url, HERE, print, print, reasons.append, RemoteOptions(open_s=60.0))
            while not children():  # noqa: ASYNC110 - the process starts by itself
                await asyncio.sleep(0.02)
            await second.close()
            await second.close()
            assert children() == [] and reasons in ([], [silent(2.0)])

    asyncio.run(scene())


def children() -> list[str]:
    """The processes that this one started and that still run."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, timeout=20
    )
    return [line for line in listed.stdout.splitlines() if "pull_child" in line]
