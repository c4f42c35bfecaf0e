"""A value of a picture is measured once, and goes with the picture."""

import gc
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.appearance import ColourStats
from features.clip import video_clip_features
from features.frame import FrameFeatures
from features.keyframes import key_frames
from features.per_picture import PerPicture

BLANK = FrameFeatures(np.zeros((64, 64), np.uint8), ColourStats(0.5, 0.5, 0.5, 0.5), 0.1, 0.0, 0.0, 0.0, 0.0)


def test_measured_once_a_picture_and_forgotten_with_it() -> None:
    seen: list[int] = []

    def mean(picture: NDArray[np.uint8]) -> float:
        seen.append(int(picture[0, 0]))
        return float(picture.mean())

    values = PerPicture(mean)
    first, second = np.full((2, 2), 3, np.uint8), np.full((2, 2), 5, np.uint8)
    assert [values(first), values(second), values(first)] == [3.0, 5.0, 3.0]
    assert seen == [3, 5] and len(values) == 2
    del first
    gc.collect()
    assert len(values) == 1 and values(second) == 5.0 and seen == [3, 5]


def test_a_picture_in_the_place_of_a_gone_one_is_measured_anew() -> None:
    values = PerPicture(lambda picture: int(picture[0]))
    for number in range(200):  # the memory of the one before is mostly used again
        assert values(np.array([number], np.uint8)) == number
    gc.collect()
    assert not len(values)


def test_key_frames_are_those_of_pictures_that_were_never_seen() -> None:
    random = np.random.default_rng(0)
    shots = np.repeat(random.integers(0, 256, (12, 1, 1, 3)), 5, axis=0)
    pictures = np.clip(shots + random.integers(-40, 40, (60, 32, 32, 3)), 0, 255).astype(np.uint8)
    frames = [replace(BLANK, small=picture.copy()) for picture in pictures]
    for begin in range(0, len(frames) - 32, 4):
        found = video_clip_features(frames[begin : begin + 32], ["clip_frames", "key_frames"])
        np.testing.assert_array_equal(found["key_frames"], key_frames(found["clip_frames"].copy(), 2))
