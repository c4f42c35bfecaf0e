"""Bad input: each kind ends with one line that names it, its cause and a cure; what there was is still looked at."""

import functools
import itertools
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import av1
import cv2
import numpy as np
import pytest
import soundfile
from av.stream import Discard, Disposition
from mutagen.flac import FLAC, Picture

from features.decode.video import VideoFile
from stream.errors import SourceError
from stream.sources.pull.pull import Pull, is_live, is_url

Video = Callable[..., Path]


def frames(path: Path) -> tuple[list[av.VideoFrame], str | None]:
    with Pull(str(path)) as pull:
        return list(pull.frames()), pull.warning


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def write_song(path: Path, cover: bool) -> Path:
    """A second of silence; with ``cover``, a picture is attached as songs have it."""
    with path.open("wb") as file:
        soundfile.write(file, np.zeros(16_000), 16_000, format="FLAC")
    if cover:
        song, picture = FLAC(path), Picture()
        picture.type, picture.mime = 3, "image/png"
        picture.data = cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
        song.add_picture(picture)
        song.save()
    return path


def test_every_frame_in_order(tmp_path: Path, write_video: Video) -> None:
    found, warning = frames(write_video(tmp_path / "v.mp4", frames=36, fps=12))
    assert len(found) == 36 and warning is None
    assert [round(float(f.pts * f.time_base) * 12) for f in found if f.pts is not None] == list(range(36))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty (0 bytes)"),
        ("text.mp4", b"this is no video\n" * 50, "is no video"),
        ("notes.txt", b"this is no video\n" * 50, "is text"),
        ("noise.mkv", bytes(range(256)) * 40, "is no video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        Pull(str(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and said in text and ";" in text and "\n" not in text


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        Pull(str(tmp_path))


@pytest.mark.parametrize("cover", [False, True])
def test_audio_alone_is_refused_with_or_without_a_cover(tmp_path: Path, cover: bool) -> None:
    path = write_song(tmp_path / "song.flac", cover)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == cover
    with pytest.raises(SourceError, match="only audio"):
        Pull(str(path))


def test_a_video_that_stops_before_its_first_picture(tmp_path: Path, write_video: Video) -> None:
    fragmented = {"movflags": "frag_keyframe+empty_moov"}
    whole = write_video(tmp_path / "v.mp4", frames=24, options=fragmented).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: whole.index(b"moof") - 4])
    with pytest.raises(SourceError, match=r"cut\.mp4: it holds no picture"):
        frames(cut)


@pytest.mark.parametrize("name", ["v.mkv", "v.ts"])
def test_a_truncated_file_gives_what_it_has_and_says_so(tmp_path: Path, write_video: Video, name: str) -> None:
    path = write_video(tmp_path / name, frames=120, fps=12)
    data = path.read_bytes()
    cut = tmp_path / f"cut{path.suffix}"
    cut.write_bytes(data[: len(data) // 2])
    found, warning = frames(cut)
    assert 20 < len(found) < 110
    if name == "v.mkv":  # a transport stream does not promise a length
        assert warning is not None and "cut short" in warning and str(cut) in warning


def test_damage_in_the_middle_is_passed_over(tmp_path: Path, write_video: Video) -> None:
    path = write_video(tmp_path / "v.mkv", frames=120, fps=12, codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + 2000] = bytes(2000)
    path.write_bytes(data)
    found, warning = frames(path)
    assert 90 < len(found) <= 120
    assert warning is None or "damaged" in warning or "cut short" in warning


def test_frames_without_timestamps_are_refused(tmp_path: Path, write_video: Video) -> None:
    with pytest.raises(SourceError, match="carry no timestamps"):
        frames(write_video(tmp_path / "raw.h264", frames=30))


def test_variable_rate_keeps_its_timestamps(tmp_path: Path, write_video: Video) -> None:
    pts_ms = [0, 40, 90, 500, 520, 1700, 1740, 3000]
    found, _ = frames(write_video(tmp_path / "v.mkv", frames=8, pts_ms=pts_ms))
    assert [round(1000 * float(f.pts * f.time_base)) for f in found if f.pts is not None] == pts_ms


@pytest.mark.parametrize("address", ["concat://a|b", "data://text"])
def test_other_protocols_are_refused_by_name(address: str) -> None:
    with pytest.raises(SourceError, match="is not taken; use http, https, rtmp, rtmps, rtsp, srt, udp or a file"):
        Pull(address)


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(SourceError, match="refused; check the address"):
            Pull(f"http://127.0.0.1:{port}/live.mp4")


def test_a_file_over_http(tmp_path: Path, write_video: Video) -> None:
    write_video(tmp_path / "v.mp4", frames=36)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            with Pull(f"{address}/v.mp4") as pull:
                assert len(list(pull.frames())) == 36
            with pytest.raises(SourceError, match="404"):
                Pull(f"{address}/absent.mp4")
            (tmp_path / "notes.txt").write_text("this is no video\n" * 50)
            with pytest.raises(SourceError, match=r"notes\.txt: is text"):
                Pull(f"{address}/notes.txt")
        finally:
            server.shutdown()


def test_a_name_in_another_encoding(tmp_path: Path, write_video: Video) -> None:
    path = write_video(tmp_path / "v.mkv", frames=12).rename(tmp_path / os.fsdecode(b"caf\xe9.mkv"))
    assert len(frames(path)[0]) == 12


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, write_video: Video) -> None:
    path = write_video(tmp_path / "v.mkv", frames=12).rename(tmp_path / "rtmp:12:30.mkv")
    assert len(frames(path)[0]) == 12
    assert not is_url(str(path)) and is_url("rtsp://a/b") and is_live("RTMP://a/b") and not is_live("https://a/b.mp4")


def write_two(path: Path, first: dict[str, Any], second: dict[str, Any]) -> Path:
    """Two video streams: ``frames`` at ``fps``, of a ``size``, with a ``disposition``; the second one is coloured."""
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for facts in (first, second):
            stream: Any = container.add_stream(facts.get("codec", "libx264"), rate=facts["fps"])
            stream.width, stream.height = facts["size"]
            stream.pix_fmt = "yuvj420p" if facts.get("codec") == "mjpeg" else "yuv420p"
            stream.disposition = facts.get("disposition", Disposition(0))
            streams.append(stream)
        for number, facts in enumerate((first, second)):
            width, height = facts["size"]
            colour = (200, 40, 40) if number else (128, 128, 128)
            for at in range(facts["frames"]):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), colour, np.uint8), "rgb24")
                frame.pts, frame.time_base = at, Fraction(1, facts["fps"])
                container.mux(streams[number].encode(frame))
            container.mux(streams[number].encode(None))
    return path


SMALL = {"size": (64, 48), "fps": 1, "frames": 3}
FILM = {"size": (128, 96), "fps": 12, "frames": 36}


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("v.mkv", SMALL, {**FILM, "disposition": Disposition.default}),
        ("v.mp4", SMALL, {**FILM, "disposition": Disposition.default}),
        ("v.mp4", {**SMALL, "frames": 1}, FILM),  # a still before the film
        ("v.mp4", {**SMALL, "codec": "mjpeg", "frames": 1, "disposition": Disposition.attached_pic}, FILM),
    ],
    ids=["default in Matroska", "default in MP4", "a still first", "a cover first"],
)
def test_the_best_stream_is_shown(tmp_path: Path, name: str, first: dict[str, Any], second: dict[str, Any]) -> None:
    path = write_two(tmp_path / name, first, second)
    found, warning = frames(path)
    assert len(found) == 36 and {frame.width for frame in found} == {128} and warning is None
    with VideoFile(path) as video:
        pictures = video.slots(0.0, 3.0)
    assert len(pictures) == 24 and all(picture[45, 80, 0] > 150 for picture in pictures.values())


def test_an_animated_avif_is_no_still(tmp_path: Path) -> None:
    """Its first stream is a picture for those who do not play it."""
    path = tmp_path / "v.avif"
    ready = av1.Encoded([np.full((64, 64, 3), 10 * number, np.uint8) for number in range(24)], 12)
    with av.open(str(path), "w", format="avif") as container:
        video = container.add_stream_from_template(ready.stream, opaque=True)
        for packet in ready.packets:
            packet.stream = video
            container.mux(packet)
    found, warning = frames(path)
    assert len(found) == 24 and warning is None


def test_of_two_programs_the_other_one_is_let_go(tmp_path: Path) -> None:
    path = write_two(tmp_path / "v.ts", SMALL, FILM)
    with Pull(str(path), 1) as pull:
        assert len(list(pull.frames())) == 36
        streams = pull._container.streams.video
        assert [stream.discard == Discard.all for stream in streams] == [True, False]


@pytest.mark.parametrize("threads", [0, 1])
def test_pictures_out_of_order_in_avi_have_even_times(tmp_path: Path, threads: int) -> None:
    """AVI has decoding times alone, and H.264 stores its B-frames behind those that they need."""
    path = tmp_path / "v.avi"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=24, options={"bf": "3", "b-pyramid": "none", "x264-params": "b-adapt=0"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in range(72):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 3 * at, np.uint8), "rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with Pull(str(path), threads) as pull:
        found = [(f.pts, float(f.to_ndarray(format="gray").mean())) for f in pull.frames()]
    times, greys = [time for time, _ in found], [grey for _, grey in found]
    assert (
        len(found) == 72
        and [b - a for a, b in itertools.pairwise(times) if a is not None and b is not None] == [1] * 71
    )
    assert greys == sorted(greys) and pull.warning is None
    with VideoFile(path) as video:
        slots = video.slots(1.0, 1.0)
        assert sorted(slots) == list(range(8)) and abs(float(slots[0].mean()) - 3 * 24) < 8
        means = [float(slots[slot].mean()) for slot in range(8)]
        assert means == sorted(means)


def write_film(path: Path, seconds: int = 6, sound_s: int = 0, begin_s: int = 0, fps: int = 12, **options: str) -> Path:
    """A film, with sound of a length of its own."""
    with av.open(str(path), "w", options=options) as container:
        codec = {".webm": "libvpx"}.get(path.suffix, "libx264")
        stream: Any = container.add_stream(codec, rate=fps, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound: Any = None
        if sound_s:
            sound = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48_000, layout="mono")
        for at in range(seconds * fps):
            noise = np.random.default_rng(at).integers(0, 256, (48, 64, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "rgb24")
            frame.pts, frame.time_base = at + begin_s * fps, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for at in range(sound_s * 50):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 48_000, at * 960 + begin_s * 48_000, Fraction(1, 48_000)
            container.mux(sound.encode(tone))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}


@pytest.mark.parametrize("name", ["v.mkv", "v.webm", "v.flv", "v.mp4", "v.mov", "v.ts"])
@pytest.mark.parametrize("way", ["sound that is longer", "times from an hour on"])
def test_a_whole_file_is_not_called_cut_short(tmp_path: Path, name: str, way: str) -> None:
    path = write_film(tmp_path / name, sound_s=9) if "sound" in way else write_film(tmp_path / name, begin_s=3600)
    found, warning = frames(path)
    assert len(found) >= 71 and warning is None
    with Pull(str(path)) as pull, VideoFile(path) as video:
        for length_s in (pull.duration_s, video.duration_s):
            assert length_s is not None and 5.9 < length_s < (9.2 if "sound" in way else 6.2)


def later(path: Path, seconds: int) -> Path:
    """A fragmented MP4 of a broadcast that runs since then: its fragments' times are moved."""
    data = bytearray(path.read_bytes())
    unit = int.from_bytes(data[(at := data.index(b"mdhd") + 16) : at + 4], "big")
    for found in re.finditer(b"tfdt\x01", bytes(data)):
        at = found.end() + 3
        data[at : at + 8] = (int.from_bytes(data[at : at + 8], "big") + seconds * unit).to_bytes(8, "big")
    path.write_bytes(data)
    return path


def test_nor_is_a_fragmented_one(tmp_path: Path) -> None:
    for begin_s in (0, 3600):
        path = later(write_film(tmp_path / "v.mp4", **FRAGMENTS), begin_s)
        found, warning = frames(path)
        assert len(found) == 72 and warning is None
        assert found[0].pts is not None and float(found[0].pts * found[0].time_base) == pytest.approx(begin_s, abs=0.2)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.webm", "v.gif"])
@pytest.mark.parametrize("held_s", [2, 12])
def test_nor_is_one_whose_pictures_are_held(tmp_path: Path, name: str, held_s: int) -> None:
    """A slideshow: the last picture is held, too."""
    codec, pixels = {"v.gif": ("gif", "rgb8"), "v.webm": ("libvpx", "yuv420p")}.get(name, ("libx264", "yuv420p"))
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(1, held_s))
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        packets = []
        for at in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 50 * at, np.uint8), "rgb24")
            frame.pts, frame.time_base = at, Fraction(held_s)
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode(None)]:
            packet.duration = round(held_s / packet.time_base)
            container.mux(packet)
    found, warning = frames(path)
    assert len(found) == 4 and warning is None
    with Pull(str(path)) as pull:
        assert pull.duration_s == pytest.approx(4 * held_s, abs=0.1)


@pytest.mark.parametrize(
    ("name", "way"),
    [*itertools.product(["v.mkv", "v.mp4", "v.webm", "v.flv"], ["plain", "later"]), ("v.mkv", "long sound")],
)
def test_what_is_cut_short_is_called_so(tmp_path: Path, name: str, way: str) -> None:
    options = {"movflags": "faststart"} if name == "v.mp4" else {}
    more = {"later": {"begin_s": 3600}, "long sound": {"sound_s": 9}}.get(way, {})
    path = write_film(tmp_path / name, **more, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, warning = frames(path)
    assert 20 < len(found) < 60 and warning is not None and "cut short" in warning


def test_a_torn_transport_stream_or_fragment_too(tmp_path: Path) -> None:
    for name, options in (("v.ts", {}), ("v.mp4", FRAGMENTS)):
        path = write_film(tmp_path / name, **options)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2 // 188 * 188 + 100])
        found, warning = frames(path)
        assert 20 < len(found) < 60 and warning is not None and "cut short" in warning
    path = write_film(tmp_path / "v.ts")
    path.write_bytes(path.read_bytes()[: 188 * 300])  # between two packets: nothing tells
    assert frames(path)[1] is None


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(("name", "codec"), [("raw.h264", "libx264"), ("raw.hevc", "libx265")])
def test_the_advice_for_what_has_no_times_helps(tmp_path: Path, write_video: Video, name: str, codec: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    write_video(tmp_path / name, frames=30, codec=codec, options=options)
    with pytest.raises(SourceError) as caught:
        frames(tmp_path / name)
    found = re.search(r"\((ffmpeg [^)]*)\)", str(caught.value))
    assert found is not None
    words = [{"IN": name}.get(word, word) for word in found[1].split()]
    subprocess.run([*words[:1], "-loglevel", "error", *words[1:]], cwd=tmp_path, check=True, timeout=60)
    good, warning = frames(tmp_path / words[-1])
    assert len(good) == 30 and warning is None
    assert len({b.pts - a.pts for a, b in itertools.pairwise(good) if a.pts is not None and b.pts is not None}) <= 2
