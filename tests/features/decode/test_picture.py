"""Any frame becomes the canonical picture: of its size, upright, the same each time."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from features.decode.picture import MAX_SIDE, Scaler
from features.errors import PictureError
from features.spec import PICTURE_HEIGHT, PICTURE_WIDTH


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def write_video(path: Path, count: int, width: int, height: int) -> Path:
    """A texture that moves."""
    coarse = np.random.default_rng(5).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for at in range(count):
            picture = np.ascontiguousarray(np.roll(texture, 3 * at, axis=1))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (7680, 4320), (90, 160), (1, 5000)])
def test_any_sane_size_becomes_the_canonical_picture(width: int, height: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 200
    scaler = Scaler()
    canonical = scaler.canonical(av.VideoFrame.from_ndarray(picture, "rgb24"))
    assert canonical.shape == (90, 160, 3) and canonical.dtype == np.uint8
    assert (np.abs(canonical.astype(int) - (200, 0, 0)) <= 2).all()


def test_scaling_averages_areas_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (900, 1600, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, "rgb24")
    scaler = Scaler()
    first, again, other = scaler.canonical(frame), scaler.canonical(frame), Scaler().canonical(frame)
    assert (first == again).all() and (first == other).all()
    means = picture.reshape(90, 10, 160, 10, 3).mean(axis=(1, 3))
    assert np.abs(first - means).max() <= 3


def test_a_picture_that_was_filmed_sideways_is_turned_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 4, 96, 64)
    upright = [Scaler().canonical(frame) for frame in frames_of(path)]
    data = path.read_bytes()
    header = data.index(b"tkhd")
    matrix = header + 4 + 40  # version, flags, times, id, duration, layer, volume: then nine numbers
    assert struct.unpack(">9i", data[matrix : matrix + 36]) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    for turn, quarter in ((1, (0, 1, -1, 0)), (2, (-1, 0, 0, -1)), (3, (0, -1, 1, 0))):
        a, b, c, d = (value << 16 for value in quarter)
        path.write_bytes(data[:matrix] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[matrix + 36 :])
        turned = [Scaler().canonical(frame) for frame in frames_of(path)]
        for before, after in zip(upright, turned, strict=True):
            wanted = np.rot90(before, -turn).astype(np.float32)  # clockwise
            shape = (PICTURE_WIDTH, PICTURE_HEIGHT)
            assert np.abs(cv2.resize(wanted, shape, interpolation=cv2.INTER_AREA) - after).mean() < 12


@pytest.mark.parametrize(("width", "height"), [(MAX_SIDE + 2, 2), (2, MAX_SIDE + 2)])
def test_an_absurd_size_is_refused(width: int, height: int) -> None:
    frame: Any = av.VideoFrame(width, height, "gray")
    with pytest.raises(PictureError, match=f"picture of {width}x{height}"):
        Scaler().canonical(frame)


def tagged(matrix: int, pixels: str = "yuv420p") -> av.VideoFrame:
    frame = av.VideoFrame(64, 48, pixels)
    for plane, level in zip(frame.planes, (120, 90, 200), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    frame.colorspace = matrix
    return frame


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj422p", "yuv444p10le"])
def test_every_matrix_that_a_video_may_name_is_converted(pixels: str) -> None:
    """ITU-T H.273 numbers them 0 to 17; those that cannot be computed (YCgCo, ICtCp, ...) count as unspecified."""
    plain = Scaler().canonical(tagged(2, pixels))
    scaler = Scaler()
    for matrix in range(18):
        for _ in range(2):
            picture = scaler.canonical(tagged(matrix, pixels))
            assert picture.shape == (PICTURE_HEIGHT, PICTURE_WIDTH, 3)
            if matrix in (3, 8, *range(10, 18)):
                assert (picture == plain).all(), matrix
        assert (scaler.canonical(tagged(2, pixels)) == plain).all()
    assert not (scaler.canonical(tagged(1, pixels)) == plain).all()  # BT.709 is not forgotten over it


def test_every_primaries_and_transfer_tag_is_converted() -> None:
    scaler = Scaler()
    plain = scaler.canonical(tagged(1))
    for number in set(range(23)) - {16, 18}:  # but for those of high dynamic range
        for field in ("color_primaries", "color_trc"):
            frame = tagged(1)
            setattr(frame, field, number)
            assert (scaler.canonical(frame) == plain).all(), (field, number)


def test_pixels_that_cannot_be_converted_are_named() -> None:
    scaler = Scaler()
    for matrix in (2, 8):
        frame = av.VideoFrame(64, 48, "gray32le")
        frame.colorspace = matrix
        with pytest.raises(PictureError, match="pixel format gray32le cannot be converted"):
            scaler.canonical(frame)


def test_high_dynamic_range_is_brought_to_the_standard_one() -> None:
    """The middle of PQ's codes is 92 cd/m2: a bright grey, not a middle one."""
    for transfer, code, level in ((16, 512, 183), (18, 512, 128), (1, 512, 128)):
        frame = av.VideoFrame(64, 48, "yuv420p10le")
        for plane, value in zip(frame.planes, (64 + round(876 * code / 1023), 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        frame.color_trc, frame.color_primaries, frame.colorspace = transfer, 9, 9
        if transfer != 18:
            assert np.abs(Scaler().canonical(frame).astype(int) - level).max() <= 4, transfer
        else:
            assert 130 < Scaler().canonical(frame).mean() < 200


def test_what_is_combed_in_the_large_is_not_combed_in_the_small(tmp_path: Path) -> None:
    """Lines of two moments: black and white in turns."""
    combed = np.zeros((480, 640, 3), np.uint8)
    combed[::2] = 255
    with av.open(str(tmp_path / "i.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(10), options={"x264opts": "tff=1", "qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced DCT and motion estimation
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(combed, "rgb24")))
        out.mux(stream.encode(None))
    frame = frames_of(tmp_path / "i.mp4")[0]
    assert frame.interlaced_frame
    picture = Scaler().canonical(frame).astype(int)
    assert np.abs(np.diff(picture, axis=0)).max() <= 45 and 120 < picture.mean() < 135  # 250 field by field


def test_what_is_hidden_under_transparency_does_not_count() -> None:
    picture = np.zeros((90, 160, 4), np.uint8)
    picture[..., 0], picture[..., 2] = 255, 255  # magenta
    picture[:, :80, 3] = 255
    found = Scaler().canonical(av.VideoFrame.from_ndarray(picture, "rgba"))
    assert (np.abs(found[:, :78].astype(int) - (255, 0, 255)) <= 3).all() and (found[:, 82:] <= 3).all()


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda p: np.rot90(p.swapaxes(0, 1), 2)),
    ],
)
def test_mirrored_and_turned(matrix: tuple[int, ...], upright: Any, tmp_path: Path) -> None:
    """All eight ways in which a picture can lie."""
    path = write_video(tmp_path / "v.mp4", 2, 96, 64)
    plain = frames_of(path)[0].to_ndarray(format="rgb24")
    data = path.read_bytes()
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :])
    found = Scaler().canonical(frames_of(path)[0]).astype(np.float32)
    wanted = cv2.resize(
        upright(plain).astype(np.float32), (PICTURE_WIDTH, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA
    )
    assert np.abs(found - wanted).mean() < 10 < 2 * np.abs(found - wanted[::-1]).mean()
