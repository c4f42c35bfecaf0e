"""A track from any place on: where it begins, against the indexer's own count; lengths, ranges, faults, limits."""

import contextlib
import io
import os
import socket
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import soundfile
import uvicorn
from fastapi import FastAPI

from catalog.errors import UnknownTrackError
from catalog.records import Outline, Track
from features.decode.sound import decode
from stream.server.excerpts import Excerpts
from stream.server.head_timeout import HeadTimeoutProtocol
from stream.server.preview import preview_routes

SECONDS = 40.0
KINDS = ["mp3 cbr", "mp3 vbr", "mp3 abr", "mp3 untagged", "vorbis", "vorbis at 32 kHz", "opus", "opus in webm", "flac"]
KINDS += ["flac at 96 kHz", "aac", "aac in fragments", "adts", "wav", "alac", "aiff", "wma", "ac3", "wavpack"]
PLACES_S = (0.0, 3.3, 12.345, 28.0, 37.25)
EXACT_S = 0.002


@dataclass
class Shelf:
    """Files as a catalogue would know them."""

    tracks: dict[str, Track]

    def gain(self, track_id: str) -> float | None:
        return None

    def outline(self, track_id: str) -> Outline | None:
        return None

    def track(self, track_id: str) -> Track:
        if track_id not in self.tracks:
            raise UnknownTrackError(track_id)
        return self.tracks[track_id]

    def add(self, path: Path, duration_s: float | None = None) -> str:
        name = f"{len(self.tracks):016x}"
        length_s = decode(path).duration_s if duration_s is None else duration_s
        self.tracks[name] = Track(name, path.stem, "", path, length_s, 120.0, "", ())
        return name


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf({})


@contextlib.contextmanager
def served(shelf: Shelf, excerpts: Excerpts | None = None) -> Iterator[str]:
    app = FastAPI()
    app.include_router(preview_routes(shelf, excerpts=excerpts))
    with contextlib.closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", http=HeadTimeoutProtocol, timeout_graceful_shutdown=5)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def url(shelf: Shelf) -> Iterator[str]:
    with served(shelf) as found:
        yield found


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as session:
        yield session


@pytest.fixture(scope="module")
def of_kind(
    excerpting: Any, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("kinds")
    made: dict[str, tuple[str, Path]] = {}

    def of(kind: str) -> tuple[str, Path]:
        if kind not in made:
            path = excerpting.write(folder, kind, SECONDS)
            made[kind] = shelf.add(path), path
        return made[kind]

    return of


def sound_of(body: bytes) -> tuple[int, Any]:
    with wave.open(io.BytesIO(body)) as read:
        assert read.getsampwidth() == 2
        samples = np.frombuffer(read.readframes(read.getnframes()), np.int16)
        return read.getframerate(), samples.reshape(-1, read.getnchannels())


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_exactly_where_it_was_asked_to(
    client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]], excerpting: Any, kind: str
) -> None:
    track, path = of_kind(kind)
    duration_s = decode(path).duration_s
    for at_s in PLACES_S:
        answer = client.get(f"/tracks/{track}/audio", params={"start": at_s})
        assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
        rate_hz, sound = sound_of(answer.content)
        assert rate_hz <= 48_000
        assert len(sound) / rate_hz == pytest.approx(duration_s - at_s, abs=0.001)
        assert abs(excerpting.off_s(path, at_s, sound, rate_hz)) <= EXACT_S, at_s


@pytest.mark.parametrize("kind", ["flac", "mp3 vbr", "opus"])
@pytest.mark.parametrize("end_s", [25.0, None])
def test_a_part_of_a_file_is_cut_from_it(
    client: httpx.Client, shelf: Shelf, of_kind: Callable[[str], tuple[str, Path]], kind: str, end_s: float | None
) -> None:
    """As a cue sheet makes them: the track's time begins within the file's, and ends there."""
    whole, path = of_kind(kind)
    length_s = (decode(path).duration_s if end_s is None else end_s) - 10.0
    part = f"part of {kind} to {end_s}"
    shelf.tracks[part] = Track(part, "", "", path, length_s, 120.0, "", (), 10.0, end_s)
    for at_s in (0.0, 3.3, 12.0):
        rate_hz, sound = sound_of(client.get(f"/tracks/{part}/audio", params={"start": at_s}).content)
        _, same = sound_of(client.get(f"/tracks/{whole}/audio", params={"start": 10.0 + at_s}).content)
        assert len(sound) == round((10.0 + length_s) * rate_hz) - round((10.0 + at_s) * rate_hz)
        assert np.abs(sound.astype(int) - same[: len(sound)]).max() <= 4
    plain = client.get(f"/tracks/{part}/audio")
    assert plain.headers["content-type"] == "audio/wav" and len(sound_of(plain.content)[1]) / rate_hz == pytest.approx(
        length_s, abs=0.001
    )
    assert client.get(f"/tracks/{part}/audio", params={"start": length_s + 0.1}).status_code == 416


def test_sound_that_begins_after_the_picture_begins_there(client: httpx.Client, shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("libx264", rate=10), out.add_stream("flac", rate=48_000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for n in range(120):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), n, np.uint8), "rgb24")))
        out.mux(video.encode(None))
        noise = np.random.default_rng(0).integers(-9000, 9000, (1, 10 * 48_000)).astype(np.int16)
        for begin in range(0, noise.shape[1], 4800):
            frame = av.AudioFrame.from_ndarray(noise[:, begin : begin + 4800], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, begin + 33_600, Fraction(1, 48_000)
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    track = shelf.add(path)
    rate_hz, sound = sound_of(client.get(f"/tracks/{track}/audio", params={"start": 0}).content)
    silent = int(np.flatnonzero(sound[:, 0])[0])
    assert silent / rate_hz == pytest.approx(0.7, abs=0.003) == pytest.approx(decode(path).lead / 16_000, abs=0.003)
    for at_s in (2.0, 8.25):
        _, part = sound_of(client.get(f"/tracks/{track}/audio", params={"start": at_s}).content)
        assert np.array_equal(part, sound[round(at_s * rate_hz) :])


@pytest.mark.parametrize("kind", KINDS)
def test_ranges_are_parts_of_the_whole(
    client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]], kind: str
) -> None:
    track, _ = of_kind(kind)
    where = f"/tracks/{track}/audio?start=11.5"
    whole = client.get(where)
    size = len(whole.content)
    assert int(whole.headers["content-length"]) == size and whole.headers["accept-ranges"] == "bytes"
    strong = not whole.headers["etag"].startswith("W/")
    assert strong or kind in ("aac", "aac in fragments", "adts", "wma", "ac3", "opus in webm")
    for text, first, stop in (
        ("0-", 0, size),
        ("3-50", 3, 51),
        ("1000001-1200000", 1_000_001, 1_200_001),
        ("-70001", size - 70_001, size),
        ("40-999999999", 40, size),
    ):
        part = client.get(where, headers={"range": f"bytes={text}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{stop - 1}/{size}"
        assert len(part.content) == int(part.headers["content-length"]) == stop - first
        assert part.headers["etag"] == whole.headers["etag"]
        assert not strong or part.content == whole.content[first:stop], text


def test_a_head_says_what_a_get_would(client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]]) -> None:
    track, path = of_kind("mp3 vbr")
    for where in (f"/tracks/{track}/audio", f"/tracks/{track}/audio?start=20"):
        got, head = client.get(where), client.head(where)
        assert head.status_code == 200 and head.content == b""
        for name in ("content-length", "content-type", "etag", "accept-ranges"):
            assert head.headers[name] == got.headers[name], name
    part = client.head(f"/tracks/{track}/audio?start=20", headers={"range": "bytes=100-199"})
    assert part.status_code == 206 and part.headers["content-length"] == "100"
    assert client.get(f"/tracks/{track}/audio").content == path.read_bytes(), "without start it is the file"


def test_conditions(client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]]) -> None:
    track, path = of_kind("flac")
    where = f"/tracks/{track}/audio?start=20"
    tag = client.head(where).headers["etag"]
    assert client.get(where, headers={"if-none-match": tag}).status_code == 304
    assert client.get(where, headers={"if-range": tag, "range": "bytes=0-9"}).status_code == 206
    assert client.get(where, headers={"if-range": '"another"', "range": "bytes=0-9"}).status_code == 200
    assert client.head(f"/tracks/{track}/audio?start=20.5").headers["etag"] != tag
    os.utime(path, (1, 1))
    assert client.head(where).headers["etag"] != tag


@pytest.mark.parametrize("text", ["bytes=5-1", "bytes=a-b", "seconds=1-2", "bytes=-", "bytes=0-1,5-9", ""])
def test_a_range_that_is_none_is_passed_over(
    client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]], text: str
) -> None:
    track, _ = of_kind("flac")
    answer = client.head(f"/tracks/{track}/audio?start=39", headers={"range": text})
    assert answer.status_code == 200 and "content-range" not in answer.headers


@pytest.mark.parametrize("text", ["bytes=999999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(
    client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]], text: str
) -> None:
    track, _ = of_kind("flac")
    answer = client.get(f"/tracks/{track}/audio?start=39", headers={"range": text})
    assert answer.status_code == 416
    size = client.head(f"/tracks/{track}/audio?start=39").headers["content-length"]
    assert answer.headers["content-range"] == f"bytes */{size}" and "beyond the end" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("start=40.1", 416, "the track is 40.000 s long"),
        ("start=1e9", 416, "the track is"),
        ("start=-0.1", 400, "give seconds"),
        ("start=nan", 400, "give seconds"),
        ("start=inf", 400, "give seconds"),
        ("start=", 400, "give seconds"),
        ("start=0:48", 400, "give seconds"),
        ("start=1&fade=11", 400, "at most 10"),
        ("start=1&fade=x", 400, "fade is 'x'"),
        ("fade=1", 400, "goes with start"),
    ],
)
def test_no_such_place_is_said(
    client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]], query: str, status: int, words: str
) -> None:
    track, _ = of_kind("flac")
    for method in ("GET", "HEAD"):
        assert client.request(method, f"/tracks/{track}/audio?{query}").status_code == status
    assert words in client.get(f"/tracks/{track}/audio?{query}").json()["detail"]


def test_it_rises_from_silence_when_asked_to(client: httpx.Client, of_kind: Callable[[str], tuple[str, Path]]) -> None:
    track, _ = of_kind("wav")
    rate_hz, plain = sound_of(client.get(f"/tracks/{track}/audio?start=10").content)
    _, faded = sound_of(client.get(f"/tracks/{track}/audio?start=10&fade=2").content)
    loudness = [np.sqrt(np.mean(sound[rate_hz : rate_hz + 4410].astype(float) ** 2)) for sound in (plain, faded)]
    assert abs(faded[0]).max() == 0
    assert loudness[1] / loudness[0] == pytest.approx(np.sin(np.pi / 4), abs=0.05)
    assert np.array_equal(plain[2 * rate_hz :], faded[2 * rate_hz :])


def damaged(path: Path, folder: Path) -> Path:
    """With a hole of noise in the middle."""
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    data[len(data) // 3 : len(data) // 3 + 20_000] = rng.bytes(20_000)
    found = folder / f"damaged{path.suffix}"
    found.write_bytes(data)
    return found


@pytest.mark.parametrize("kind", ["mp3 vbr", "vorbis", "flac", "adts", "aac"])
def test_a_damaged_file_gives_what_decodes_at_the_indexers_times(
    client: httpx.Client,
    shelf: Shelf,
    of_kind: Callable[[str], tuple[str, Path]],
    excerpting: Any,
    tmp_path: Path,
    kind: str,
) -> None:
    path = damaged(of_kind(kind)[1], tmp_path)
    track = shelf.add(path)
    duration_s = decode(path).duration_s
    for at_s in (6.0, 30.0):
        rate_hz, sound = sound_of(client.get(f"/tracks/{track}/audio?start={at_s}").content)
        assert len(sound) / rate_hz == pytest.approx(duration_s - at_s, abs=0.001)
        assert abs(excerpting.off_s(path, at_s, sound, rate_hz)) <= EXACT_S


def test_a_file_that_became_shorter_ends_in_silence(
    client: httpx.Client, shelf: Shelf, of_kind: Callable[[str], tuple[str, Path]], tmp_path: Path
) -> None:
    _, path = of_kind("flac")
    short = tmp_path / "short.flac"
    short.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    track = shelf.add(short, SECONDS)
    rate_hz, sound = sound_of(client.get(f"/tracks/{track}/audio?start=10").content)
    assert len(sound) == round(30 * rate_hz)
    assert abs(sound[: 5 * rate_hz]).max() > 1000 and abs(sound[-10 * rate_hz :]).max() == 0


def test_what_is_no_sound_any_more_is_said(client: httpx.Client, shelf: Shelf, tmp_path: Path) -> None:
    text = tmp_path / "song.mp3"
    text.write_text("no music in here " * 100)
    answer = client.get(f"/tracks/{shelf.add(text, 20.0)}/audio?start=3")
    assert answer.status_code == 404 and "index the folder again" in answer.json()["detail"]
    assert str(tmp_path) not in answer.text


def little(url: str) -> httpx.Client:
    """A client whose socket takes little more than it reads: left to itself a system may let it take many megabytes."""
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)]
    return httpx.Client(base_url=url, timeout=30, transport=httpx.HTTPTransport(socket_options=small))


def opened(path: Path) -> int:
    """How often this process holds the file open."""
    links = Path("/proc/self/fd").iterdir()
    held = 0
    for link in links:
        with contextlib.suppress(OSError):
            held += link.resolve() == path.resolve()
    return held


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end_s = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def large(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """More than the sockets between a server and a client that does not read can hold."""
    path = tmp_path_factory.mktemp("large") / "large.wav"
    sound = np.random.default_rng(4).integers(-9000, 9000, 48_000 * 240).astype(np.int16)
    soundfile.write(path, np.stack([sound, sound], axis=1), 48_000)
    return shelf.add(path, 240.0), path


def test_who_leaves_lets_go_of_the_file(url: str, large: tuple[str, Path]) -> None:
    track, path = large
    with little(url) as client, client.stream("GET", f"/tracks/{track}/audio?start=10") as answer:
        pieces = answer.iter_raw(1000)  # kept: where the iterator goes, the connection goes
        next(pieces)
        assert until(lambda: opened(path) == 1)
    assert until(lambda: opened(path) == 0)


def test_at_the_bound_the_next_one_is_asked_to_come_again(shelf: Shelf, large: tuple[str, Path]) -> None:
    track, _ = large
    excerpts = Excerpts(most=2)
    where = f"/tracks/{track}/audio?start=10"
    with served(shelf, excerpts) as url, little(url) as client:
        with client.stream("GET", where) as one, client.stream("GET", where) as two:
            assert (one.status_code, two.status_code) == (200, 200)
            third = client.get(where)
            assert third.status_code == 503 and third.headers["retry-after"] == "2"
            assert "try again" in third.json()["detail"]
        assert until(lambda: excerpts.open == 0)
        assert client.head(where).status_code == 200


def test_who_takes_nothing_holds_no_file_and_goes_on_where_it_was(shelf: Shelf, large: tuple[str, Path]) -> None:
    track, path = large
    with (
        served(shelf, Excerpts(stall_s=0.2)) as url,
        little(url) as client,
        client.stream("GET", f"/tracks/{track}/audio?start=10") as answer,
    ):
        pieces = answer.iter_raw()
        body = next(pieces)
        assert until(lambda: opened(path) == 0)
        body += b"".join(pieces)
    assert body[44:] == path.read_bytes()[44 + 10 * 48_000 * 4 :]


@pytest.mark.parametrize("query", ["", "?start=10"])
def test_music_that_nobody_takes_does_not_hold_the_end_up(
    shelf: Shelf, large: tuple[str, Path], caplog: pytest.LogCaptureFixture, query: str
) -> None:
    track, _ = large
    with served(shelf) as url:
        client = little(url)
        answer = client.send(client.build_request("GET", f"/tracks/{track}/audio{query}"), stream=True)
        assert answer.status_code == 200
        time.sleep(0.5)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 3
    client.close()
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_clients_take_turns_and_all_are_served(shelf: Shelf, large: tuple[str, Path]) -> None:
    track, path = large
    sound = path.read_bytes()[44:]
    got: dict[int, bool] = {}
    with served(shelf) as url:

        def fetch(start: int) -> None:
            body = httpx.get(f"{url}/tracks/{track}/audio?start={start}", timeout=60).content
            got[start] = body[44:] == sound[start * 48_000 * 4 :]

        threads = [threading.Thread(target=fetch, args=(start,)) for start in range(100, 108)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == dict.fromkeys(range(100, 108), True)


def test_a_long_track_is_heard_soon_far_into_it(client: httpx.Client, shelf: Shelf, tmp_path: Path) -> None:
    """An hour of noise; 50 minutes into it the answer must begin before a tenth of it could be decoded."""
    rate_hz, seconds = 16_000, 3600
    noise = np.random.default_rng(5).integers(-9000, 9000, rate_hz * 60).astype(np.int16)
    path = tmp_path / "mix.flac"
    with soundfile.SoundFile(path, "w", rate_hz, 1, format="FLAC") as flac:
        for minute in range(60):
            flac.write(np.roll(noise, 1000 * minute))
    track = shelf.add(path, float(seconds))
    began_s = time.perf_counter()
    with client.stream("GET", f"/tracks/{track}/audio?start=3000.25") as answer:
        body = b""
        for piece in answer.iter_raw():
            body += piece
            if len(body) >= 20_000:
                break
    took_s = time.perf_counter() - began_s
    expected = np.roll(noise, 50_000)[rate_hz // 4 :][:4000]
    assert np.array_equal(np.frombuffer(body[44 : 44 + 8000], np.int16), expected)
    began_s = time.perf_counter()
    decode(path)
    assert took_s < (time.perf_counter() - began_s) / 10
