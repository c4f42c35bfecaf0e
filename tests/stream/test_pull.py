"""Bad input: each kind ends with one line that names it, its cause and a cure; what there was is still looked at."""

import functools
import os
import socket
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC, Picture

from stream.errors import SourceError
from stream.sources.pull import Pull, is_live, is_url

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
    with pytest.raises(SourceError, match="is not taken; use http, https, rtmp, rtmps, rtsp, srt or a file"):
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
        finally:
            server.shutdown()


def test_a_name_in_another_encoding(tmp_path: Path, write_video: Video) -> None:
    path = write_video(tmp_path / "v.mkv", frames=12).rename(tmp_path / os.fsdecode(b"caf\xe9.mkv"))
    assert len(frames(path)[0]) == 12


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, write_video: Video) -> None:
    path = write_video(tmp_path / "v.mkv", frames=12).rename(tmp_path / "rtmp:12:30.mkv")
    assert len(frames(path)[0]) == 12
    assert not is_url(str(path)) and is_url("rtsp://a/b") and is_live("RTMP://a/b") and not is_live("https://a/b.mp4")
