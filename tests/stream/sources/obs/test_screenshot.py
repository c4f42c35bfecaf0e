"""OBS's screenshots as frames: pixel for pixel, and nothing that could be too large or is broken."""

import base64

import av
import numpy as np
import pytest
from fake_program import ppm

from features.decode.picture import Scaler
from stream.errors import SourceError
from stream.sources.obs.screenshot import TIME_BASE, read_screenshot, request_for


def test_pixels_and_time_come_through_exactly() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    frame = read_screenshot(ppm(pixels), 125_000)
    assert (frame.to_ndarray(format="rgb24") == pixels).all()
    assert frame.pts == 125_000 and frame.time_base == TIME_BASE and 8 * frame.pts * frame.time_base == 1


def test_the_pipeline_averages_two_by_two() -> None:
    """Which is why twice the canonical size is asked for."""
    request = request_for("Game")
    assert (request["imageWidth"], request["imageHeight"]) == (320, 180)
    pixels = np.random.default_rng(1).integers(0, 256, (180, 320, 3), np.uint8)
    means = pixels.reshape(90, 2, 160, 2, 3).mean(axis=(1, 3))
    canonical = Scaler().canonical(read_screenshot(ppm(pixels), 0))
    assert np.abs(canonical - means).max() <= 1.0


def encoded(data: bytes) -> str:
    return "data:image/ppm;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        3,
        "",
        "data:image/ppm;base64,",
        "data:image/ppm;base64,%%%",
        "data:image/ppm;base64,UDY",
        encoded(b"P6\n320 180\n255\n" + b"\0" * (320 * 180 * 3 - 1)),
        encoded(b"P6\n320 180\n255\n" + b"\0" * (320 * 180 * 3 + 1)),
        encoded(b"P6\n99999 99999\n255\n"),
        encoded(b"P6\n0 0\n255\n"),
        encoded(b"P5\n2 2\n255\n" + b"\0" * 12),
        encoded(b"P6\n2 2\n65535\n" + b"\0" * 24),
        encoded(b"\x89PNG\r\n\x1a\n"),
        "é",
    ],
)
def test_what_is_no_picture_is_an_error_of_its_own(answer: object) -> None:
    with pytest.raises(SourceError, match="OBS's screenshot"):
        read_screenshot(answer, 0)


def test_a_smaller_picture_is_taken_as_it_is() -> None:
    frame = read_screenshot(ppm(np.full((8, 16, 3), 7, np.uint8)), 0)
    assert isinstance(frame, av.VideoFrame) and (frame.width, frame.height) == (16, 8)
