"""The picture that stands for a clip: which one it is, what stands in for it, and what it costs to keep."""

import numpy as np
import pytest

from features.clip import keep_for, video_clip_features
from features.errors import FeatureError
from features.frame import FrameFeatures, FrameMeter
from features.keep import Keep
from features.spec import FEATURES

RNG = np.random.default_rng(3)
LOOKS = RNG.integers(0, 256, (3, 9, 16, 3), dtype=np.uint8).repeat(10, axis=1).repeat(10, axis=2)


def measured(looks: list[int | None], keep: Keep = Keep.ALL, first: int = 0) -> list[FrameFeatures | None]:
    """A slot each from slot ``first`` on; the pictures of one look differ in one pixel, which holds the slot."""
    meter = FrameMeter(small=keep)
    slots: list[FrameFeatures | None] = []
    for slot, look in enumerate(looks, first):
        picture = None if look is None else LOOKS[look].copy()
        if picture is not None:
            picture[0, 0, 0] = slot
        slots.append(None if picture is None else meter.push(picture, slot / 8))
    return slots


def chosen(slots: list[FrameFeatures | None]) -> int:
    return int(video_clip_features(slots, ("scene",))["scene"][0, 0, 0])


def test_it_is_the_newest_that_begins_a_second() -> None:
    scene = video_clip_features(measured([0] * 32), ("scene",))["scene"]
    assert (list(scene.shape), str(scene.dtype)) == (FEATURES["scene"]["shape"], FEATURES["scene"]["dtype"])
    assert chosen(measured([0] * 32)) == 24


def test_it_is_of_the_newest_shot() -> None:
    assert chosen(measured([0] * 29 + [1] * 3)) == 29


def test_a_second_begins_with_the_first_picture_there_is() -> None:
    assert chosen(measured([0] * 24 + [None] * 5 + [0] * 3)) == 29


def test_pictures_are_kept_once_a_second() -> None:
    kept = [slot for slot, frame in enumerate(measured([0] * 32)) if frame and frame.scene is not None]
    assert kept == [0, 8, 16, 24]


def test_what_is_kept_is_a_copy() -> None:
    picture = LOOKS[0].copy()
    frame = FrameMeter(small=Keep.SCENE).push(picture, 0.0)
    picture[:] = 0
    assert frame.scene is not None and np.array_equal(frame.scene, LOOKS[0])


def test_a_clip_that_begins_in_the_middle_of_a_second_shows_its_small_picture() -> None:
    slots = measured([0] * 16)[9:]
    assert all(frame is not None and frame.scene is None for frame in slots)
    scene = video_clip_features(slots, ("scene",))["scene"]
    assert scene.shape == (90, 160, 3)
    assert np.abs(scene.mean(axis=(0, 1)) - LOOKS[0].mean(axis=(0, 1))).max() < 3


def test_a_meter_that_keeps_nothing_is_told() -> None:
    with pytest.raises(FeatureError, match="keeps whole pictures"):
        video_clip_features(measured([0] * 8, Keep.NOTHING), ("scene",))


def test_only_what_is_asked_for_is_kept() -> None:
    assert keep_for(("clip_image", "colour")) == Keep.NOTHING and not keep_for(("clip_image",))
    assert keep_for(("clip_frames",)) == Keep.SMALL
    assert keep_for(("scene",)) == Keep.SMALL | Keep.SCENE
    assert [frame.scene for frame in measured([0] * 8, Keep.SMALL) if frame] == [None] * 8
