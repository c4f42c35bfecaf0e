"""The ingest socket with real clients: pictures and WebM in, clear closes for everything else."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from stream.server.ingest import IngestOptions, ingest_routes, parse_hello
from stream.sources.arrival import Arrival
from stream.sources.feed import MESSAGE_BYTES, FeedError
from stream.sources.websocket.pictures import HEADER, MAX_PTS, PictureFeed, pack_picture, parse_picture
from stream.sources.websocket.webm import MAGIC, BytePipe, WebmFeed

Tools = Any


@pytest.fixture(scope="module")
def place(ingesting: Tools) -> Iterator[Any]:
    """``(hub, host:port)`` of a server with short times."""
    hub = ingesting.FakeHub()
    app = FastAPI()
    app.include_router(ingest_routes(hub, options=IngestOptions(hello_s=1.0, idle_s=2.0)))
    with ingesting.running(app) as address:
        yield hub, address


def hello(**fields: object) -> str:
    return json.dumps({"v": 1, "type": "hello", "kind": "frames", **fields})


def closed(socket: Any) -> tuple[int, str]:
    """How the server closes, once it does."""
    with pytest.raises(ConnectionClosed):
        while True:
            socket.recv(timeout=20)
    return socket.protocol.close_code, socket.protocol.close_reason


@pytest.mark.parametrize(("codec", "extension"), [(1, ".jpg"), (2, ".webp")])
def test_pictures_arrive_with_their_times(place: Any, ingesting: Tools, codec: int, extension: str) -> None:
    hub, address = place
    with connect(f"ws://{address}/ingest") as socket:
        socket.send(hello(label="Desk", key=f"k{codec}"))
        ready = json.loads(socket.recv(timeout=10))
        fed = hub.sessions[-1]
        assert ready == {"v": 1, "type": "ready", "session": fed.id, "events": f"/sessions/{fed.id}/events"}
        assert (fed.label, fed.key) == ("Desk", f"k{codec}")
        for index in range(5):
            socket.send(pack_picture(codec, 125_000 * index, ingesting.image(extension, 64, 48)))
            ingesting.until(lambda index=index: len(fed.pictures) == index + 1)
        assert fed.publisher.connected
    ingesting.until(lambda: fed.ends)
    assert fed.ends == ["the publisher stopped"]
    ingesting.until(lambda: not fed.publisher.connected)
    assert fed.pictures == [(0.125 * index, (64, 48)) for index in range(5)]


def test_webm_is_decoded_while_it_comes(place: Any, ingesting: Tools) -> None:
    hub, address = place
    data = ingesting.webm(frames=45, sound=True)
    with connect(f"ws://{address}/ingest") as socket:
        socket.send(hello(kind="webm"))
        socket.recv(timeout=10)
        fed = hub.sessions[-1]
        half = len(data) // 2
        for begin in range(0, half, 500):
            socket.send(data[begin : min(begin + 500, half)])
        ingesting.until(lambda: fed.pictures and fed.sounds)
        socket.send(data[half:])
    ingesting.until(lambda: fed.ends)
    times = [time_s for time_s, _ in fed.pictures]
    assert times == sorted(times) and times[-1] == pytest.approx(44 / 15, abs=0.25)  # what waited was decoded
    assert fed.ends == ["the publisher stopped"] and 0 < fed.sounds <= 3.1 * 48_000
    assert {size for _, size in fed.pictures} == {(64, 48)}


@pytest.mark.parametrize("sound", [False, True], ids=["silent", "sound"])
@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9", "libx264", "av1"])
def test_a_still_screen_begins_with_its_first_pictures(ingesting: Tools, codec: str, sound: bool) -> None:
    """A browser names no frame rate and sends one picture a second of a screen on which nothing moves."""
    kind = "webm" if codec != "libx264" else "matroska"
    chunks = ingesting.recorder_chunks(ingesting.webm(12, codec, sound, kind=kind, fps=1))

    async def scene() -> None:
        times: list[float] = []
        sounds: list[Any] = []

        def show(arrival: Arrival) -> None:
            frame: Any = arrival.frame
            times.append(float(frame.pts * frame.time_base))

        feed = WebmFeed(show, sounds.append, lambda error: pytest.fail(str(error)))
        sent = 0
        while len(times) < 1:
            assert sent < 6, f"no picture from {sent} chunks"
            feed.put(chunks[sent])
            sent += 1
            await asyncio.sleep(0.2)
        for chunk in chunks[sent:]:
            feed.put(chunk)
            await asyncio.sleep(0.02)
        await feed.finish(10.0)
        seconds = [round(time_s) for time_s in times]  # some were replaced: the chunks came faster than a second apart
        assert times == pytest.approx(seconds, abs=0.03) and seconds == sorted(set(seconds))
        assert (seconds[0], seconds[-1]) == (0, 11) and bool(sounds) == sound
        await feed.close()

    asyncio.run(scene())


def test_the_same_key_closes_the_older_connection(place: Any) -> None:
    hub, address = place
    with connect(f"ws://{address}/ingest") as first, connect(f"ws://{address}/ingest") as second:
        first.send(hello(key="mine"))
        first.recv(timeout=10)
        second.send(hello(key="mine"))
        second.recv(timeout=10)
        code, reason = closed(first)
        assert code == 4410 and "taken over" in reason
        assert hub.sessions[-2].ends == ["taken over"] and hub.sessions[-1].ends == []


def test_a_process_of_several_tells_its_own_address(ingesting: Tools) -> None:
    app = FastAPI()
    app.include_router(ingest_routes(ingesting.FakeHub(), base_url="{scheme}://{host}:9001"))
    with ingesting.running(app) as address, connect(f"ws://{address}/ingest") as socket:
        socket.send(hello())
        ready = json.loads(socket.recv(timeout=10))
        assert ready["events"] == f"http://127.0.0.1:9001/sessions/{ready['session']}/events"


def test_at_the_bound_the_hub_refuses(ingesting: Tools) -> None:
    app = FastAPI()
    app.include_router(ingest_routes(ingesting.FakeHub(limit=0)))
    with ingesting.running(app) as address, connect(f"ws://{address}/ingest") as socket:
        socket.send(hello())
        assert closed(socket) == (4503, "all sessions are taken; try again later")


@pytest.mark.parametrize(
    ("first", "code", "said"),
    [
        (b"\x00\x01", 4400, "binary"),
        ("no json", 4400, "not JSON"),
        ("[]", 4400, "no hello"),
        ('{"v":1,"type":"bye"}', 4400, "no hello"),
        (hello(v=2), 4400, "version 2"),
        (hello(v=True), 4400, "version True"),
        (hello(kind="mp4"), 4400, "'mp4' is unknown; use frames or webm"),
        (hello(label=7), 4400, "label is no text"),
        (hello(key="x" * 200), 4400, "key is no text of at most 128"),
        (hello(more="x" * 5000), 4400, "4096 bytes"),
        (None, 4408, "no hello within 1 s"),
    ],
)
def test_what_is_no_hello_is_closed(place: Any, first: Any, code: int, said: str) -> None:
    hub, address = place
    before = len(hub.sessions)
    with connect(f"ws://{address}/ingest") as socket:
        if first is not None:
            socket.send(first)
        found, reason = closed(socket)
    assert (found, said in reason) == (code, True), reason
    assert len(hub.sessions) == before


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        ("text", 4400, "text message"),
        (b"short", 4400, "a message of 5 bytes"),
        (HEADER.pack(2, 1, 0, 0) + b"x", 4400, "version 2"),
        (HEADER.pack(1, 3, 0, 0) + b"x", 4415, "codec is 3"),
        (HEADER.pack(1, 1, 9, 0) + b"x", 4400, "reserved"),
        (HEADER.pack(1, 1, 0, 2**64 - 1) + b"x", 4400, "2^53"),
        (HEADER.pack(1, 1, 0, 0) + b"this is no picture", 4415, "no JPEG"),
        (HEADER.pack(1, 2, 0, 0) + b"this is no picture", 4415, "no WebP"),
        (HEADER.pack(1, 1, 0, 0) + bytes(MESSAGE_BYTES), 4413, "2097152 are taken"),
        (None, 4408, "no video for 2 s"),
    ],
)
def test_a_bad_picture_ends_its_client_alone(place: Any, ingesting: Tools, message: Any, code: int, said: str) -> None:
    hub, address = place
    with connect(f"ws://{address}/ingest") as good, connect(f"ws://{address}/ingest") as bad:
        for socket in (good, bad):
            socket.send(hello())
            socket.recv(timeout=10)
        well, ill = hub.sessions[-2:]
        if message is not None:
            bad.send(message)
        found, reason = closed(bad)
        assert (found, said in reason) == (code, True), reason
        assert len(ill.ends) == 1 and said in ill.ends[0]
        if message is not None:
            good.send(pack_picture(1, 0, ingesting.image()))
            ingesting.until(lambda: well.pictures)
    ingesting.until(lambda: well.ends)


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
def test_a_picture_that_is_too_large_is_refused(place: Any, ingesting: Tools, extension: str) -> None:
    _, address = place
    with connect(f"ws://{address}/ingest") as socket:
        socket.send(hello())
        socket.recv(timeout=10)
        socket.send(pack_picture(1 if extension == ".jpg" else 2, 0, ingesting.image(extension, 4100, 16)))
        code, reason = closed(socket)
    assert code == 4413 and "4096" in reason


def test_what_is_no_webm_is_closed_with_the_reason(place: Any, ingesting: Tools) -> None:
    _, address = place
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:1/a.ts\n" * 50
    cases = {
        playlist: (4415, "does not begin as WebM"),
        ingesting.webm(5, "mpeg4", kind="matroska"): (4415, "the video is mpeg4"),
        ingesting.webm(5, width=4112, height=16): (4413, "4112x16"),
    }
    for data, (code, said) in cases.items():
        with connect(f"ws://{address}/ingest") as socket:
            socket.send(hello(kind="webm"))
            socket.recv(timeout=10)
            socket.send(data)
            found, reason = closed(socket)
        assert (found, said in reason) == (code, True), reason


@given(st.binary(max_size=40))
def test_any_bytes_are_a_picture_or_refused(data: bytes) -> None:
    try:
        picture = parse_picture(data)
    except FeedError as error:
        assert 4400 <= error.code < 4500 and str(error)
    else:
        assert pack_picture(picture.codec, picture.pts_us, picture.data) == data


@given(st.integers(1, 2), st.integers(0, MAX_PTS), st.binary(min_size=1, max_size=99))
def test_a_packed_picture_is_read_back(codec: int, pts_us: int, data: bytes) -> None:
    picture = parse_picture(pack_picture(codec, pts_us, data))
    assert (picture.codec, picture.pts_us, picture.data) == (codec, pts_us, data)


@given(st.text(max_size=80) | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_hello_or_refused(text: str) -> None:
    with pytest.raises(FeedError):
        parse_hello(text)


@given(st.lists(st.binary(max_size=20), max_size=30), st.integers(1, 50))
def test_a_pipe_gives_back_what_fitted_in_order(parts: list[bytes], size: int) -> None:
    pipe = BytePipe(200)
    taken = b"".join([part for part in parts if pipe.write(part)])
    assert len(taken) <= 200
    if len(b"".join(parts)) <= 200:
        assert taken == b"".join(parts)
    pipe.end()
    assert pipe.write(b"late") is True
    found = []
    while part := pipe.read(size):
        assert len(part) <= size
        found.append(part)
    assert b"".join(found) == taken


def test_pictures_that_come_too_fast_are_lost_and_counted(ingesting: Tools) -> None:
    """The newest wins; those between two that the sampler could want are not even kept."""

    async def scene() -> None:
        times: list[int | None] = []
        came: list[Arrival] = []

        def take(arrival: Arrival) -> None:
            came.append(arrival)
            times.append(arrival.frame.pts)

        feed = PictureFeed(take, lambda error: pytest.fail(str(error)))
        data = ingesting.image()
        for index in range(16):
            feed.put(pack_picture(1, 125_000 * index, data))  # no await: nothing can be decoded meanwhile
            feed.put(pack_picture(1, 125_000 * index + 30_000, data))
        await feed.finish(10.0)
        assert times == [125_000 * 15] and (came[0].replaced, came[0].passed) == (15, 16)
        feed.put(pack_picture(1, 0, data))  # time stepped back: the session is to hear of it
        await feed.finish(10.0)
        assert times[-1] == 0
        await feed.close()
        await feed.close()

    asyncio.run(scene())


def test_a_backlog_is_refused_at_its_bound(ingesting: Tools) -> None:
    async def scene() -> None:
        errors: list[FeedError] = []
        feed = WebmFeed(lambda _: None, lambda _: None, errors.append, backlog_bytes=1000)
        with pytest.raises(FeedError, match="more than 1000 bytes wait") as caught:
            for _ in range(100):  # no await; the thread may have taken a part of it
                feed.put(MAGIC + bytes(995))
        assert caught.value.code == 4413
        await feed.close()
        await feed.close()
        assert errors == []

    asyncio.run(scene())


def test_a_closed_feed_says_nothing_more(ingesting: Tools) -> None:
    async def scene(made: Callable[[list[object]], Any], message: bytes) -> None:
        heard: list[object] = []
        feed = made(heard)
        feed.put(message)
        await feed.close()
        before = len(heard)
        await asyncio.sleep(0.2)
        assert len(heard) == before

    data = ingesting.webm(60)
    asyncio.run(scene(lambda heard: WebmFeed(heard.append, heard.append, heard.append), data))
    picture = pack_picture(1, 0, ingesting.image(width=2000, height=2000))
    asyncio.run(scene(lambda heard: PictureFeed(heard.append, heard.append), picture))
