"""From frames to pictures: bars are cut away, to the line, and what was seen before is seen again without them."""

import av
import cv2
import numpy as np
import pytest

from features.decode.picture import Scaler
from features.decode.reader import PictureReader

TEXTURE = cv2.resize(
    np.random.default_rng(2).integers(30, 250, (30, 80, 3), dtype=np.uint8), (2400, 900), interpolation=cv2.INTER_CUBIC
)


def inner(n: int, width: int, height: int) -> np.ndarray:
    return np.ascontiguousarray(TEXTURE[100 : 100 + height, 20 + 9 * n : 20 + 9 * n + width])


def framed(n: int, width: int = 854, height: int = 358, left: int = 0, top: int = 61) -> av.VideoFrame:
    frame = np.zeros((480, 854, 3), np.uint8)
    frame[top : top + height, left : left + width] = inner(n, width, height)
    return av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")


@pytest.mark.parametrize(
    ("width", "height", "left", "top"),
    [(854, 358, 0, 61), (640, 480, 107, 0), (271, 480, 291, 0), (427, 241, 213, 119)],
)
def test_what_is_between_bars_is_what_it_would_be_without(width: int, height: int, left: int, top: int) -> None:
    reader, differences = PictureReader(), []
    for n in range(12):
        seen = reader.read(framed(n, width, height, left, top))
        plain = Scaler().canonical(av.VideoFrame.from_ndarray(inner(n, width, height), "rgb24"))
        differences.append(np.abs(seen.picture.astype(int) - plain).mean())
        assert bool(seen.again) == (n == 5)
        if seen.again:
            assert len(seen.again) == 5
            for before, again in enumerate(seen.again):
                earlier = Scaler().canonical(av.VideoFrame.from_ndarray(inner(before, width, height), "rgb24"))
                assert np.abs(again.astype(int) - earlier).mean() < 10
    assert min(differences[:5]) > 25 and max(differences[5:]) < 8


def test_without_bars_nothing_changes() -> None:
    reader = PictureReader()
    for n in range(12):
        frame = av.VideoFrame.from_ndarray(inner(n, 854, 480), "rgb24")
        seen = reader.read(frame)
        assert not seen.again and (seen.picture == Scaler().canonical(frame)).all()


def test_when_bars_go_the_frame_before_is_seen_whole() -> None:
    reader = PictureReader()
    for n in range(10):
        reader.read(framed(n))
    whole = av.VideoFrame.from_ndarray(inner(10, 854, 480), "rgb24")
    seen = reader.read(whole)
    assert (seen.picture == Scaler().canonical(whole)).all() and len(seen.again) == 1
    assert (seen.again[0] == Scaler().canonical(framed(9))).all()


def test_another_size_begins_anew() -> None:
    reader = PictureReader()
    for n in range(10):
        reader.read(framed(n))
    frame = av.VideoFrame.from_ndarray(inner(0, 640, 360), "rgb24")
    seen = reader.read(frame)
    assert not seen.again and (seen.picture == Scaler().canonical(frame)).all()
