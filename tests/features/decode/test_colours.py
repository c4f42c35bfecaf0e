"""Colours of VP8 as its container tells them: the codec cannot, and says that all are BT.601."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from features.decode.colours import Colours, container_colours
from features.decode.picture import Scaler
from features.decode.video import VideoFile

COLOURS = np.array(
    [[230, 25, 25], [25, 200, 25], [30, 30, 220], [220, 220, 30], [30, 210, 210], [210, 30, 210], [240, 240, 240]]
)
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}  # of red and blue


def coded(colours: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """(n, 3) RGB -> Y, Cb, Cr of 8 bits (ITU-T H.273)."""
    red, blue = LUMA[matrix]
    rgb = colours / 255
    y = rgb @ [red, 1 - red - blue, blue]
    cb, cr = (rgb[:, 2] - y) / (2 - 2 * blue), (rgb[:, 0] - y) / (2 - 2 * red)
    scaled = [255 * y, 255 * cb + 128, 255 * cr + 128] if full else [16 + 219 * y, 224 * cb + 128, 224 * cr + 128]
    return np.stack(scaled, axis=1).round().clip(0, 255).astype(np.uint8)


def frame_of(matrix: int, full: bool) -> av.VideoFrame:
    """Stripes of the colours, 32 pixels each; not tagged."""
    planes = coded(COLOURS, matrix, full)
    frame = av.VideoFrame(32 * len(COLOURS), 64, "yuv420p")
    for plane, values in zip(frame.planes, planes.T, strict=True):
        row = np.repeat(values, plane.width // len(COLOURS))
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = row
        plane.update(rows.tobytes())
    return frame


def written(path: Path, matrix: int, full: bool, told: tuple[int, int], codec: str = "libvpx") -> Path:
    """``told``: matrix and range of the container."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=Fraction(8), options={"crf": "4", "b": "4M"})
        stream.width, stream.height, stream.pix_fmt = 32 * len(COLOURS), 64, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = told
        for at in range(16):
            frame = frame_of(matrix, full)
            frame.pts, frame.time_base = at, Fraction(1, 8)
            frame.colorspace, frame.color_range = told
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def off(picture: np.ndarray) -> int:
    """By how many levels the worst stripe's middle is wrong."""
    places = ((np.arange(len(COLOURS)) + 0.5) * 160 / len(COLOURS)).astype(int)
    found = picture[30:60, places].astype(float).mean(axis=0)
    return int(np.abs(found - COLOURS).max())


@pytest.mark.parametrize(
    ("matrix", "full", "told"),
    [
        (1, True, (1, 2)),
        (1, False, (1, 1)),
        (1, False, (1, 0)),
        (5, True, (5, 2)),
        (5, True, (2, 2)),
        (9, False, (9, 1)),
    ],
)
def test_what_a_container_says_of_vp8_counts(matrix: int, full: bool, told: tuple[int, int], tmp_path: Path) -> None:
    path = written(tmp_path / "a.webm", matrix, full, told)
    with VideoFile(path) as video:
        pictures = video.slots(0.0, 2.0)
    assert max(off(picture) for picture in pictures.values()) <= 5


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_without_a_word_it_is_as_the_codec_says(codec: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.webm", 5, False, (2, 0), codec)
    with VideoFile(path) as video:
        assert off(video.slots(0.0, 1.0)[0]) <= 5
    with av.open(str(path)) as opened:
        assert container_colours(opened.streams.video[0]) is None


def test_other_codecs_tell_themselves(tmp_path: Path) -> None:
    path = written(tmp_path / "a.webm", 1, True, (1, 2), "libvpx-vp9")
    with av.open(str(path)) as opened:
        assert container_colours(opened.streams.video[0]) is None
    with VideoFile(path) as video:
        assert off(video.slots(0.0, 1.0)[0]) <= 5


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_a_tagged_frame_is_read_so(matrix: int, full: bool) -> None:
    frame = frame_of(matrix, full)
    frame.colorspace, frame.color_range = 5, 1
    Colours(matrix, full).tag(frame)
    assert off(Scaler().canonical(frame)) <= 3
