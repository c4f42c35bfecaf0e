"""Every picture of a clip, whole: in order, holes filled, and kept only where somebody asks."""

import numpy as np
import pytest

from features.clip import keep_for, video_clip_features
from features.errors import FeatureError
from features.frame import FrameFeatures, FrameMeter
from features.keep import Keep
from features.spec import FEATURES

PICTURES = np.random.default_rng(4).integers(0, 256, (32, 90, 160, 3), dtype=np.uint8)


def measured(slots: list[int | None], keep: Keep = Keep.WHOLE) -> list[FrameFeatures | None]:
    meter = FrameMeter(small=keep)
    return [None if at is None else meter.push(PICTURES[at], slot / 8) for slot, at in enumerate(slots)]


def told(slots: list[FrameFeatures | None]) -> np.ndarray:
    return video_clip_features(slots, ("clip_pictures",))["clip_pictures"]


def test_it_is_the_pictures_themselves() -> None:
    found = told(measured(list(range(32))))
    assert (list(found.shape), str(found.dtype)) == (
        FEATURES["clip_pictures"]["shape"],
        FEATURES["clip_pictures"]["dtype"],
    )
    assert np.array_equal(found, PICTURES)


def test_a_hole_is_what_stood_before_it_and_a_beginning_is_padded_with_its_last() -> None:
    found = told(measured([None, 1, None, 3]))
    assert np.array_equal(found, PICTURES[[1, 1, 1, 3] + [3] * 28])


def test_what_is_kept_is_a_copy() -> None:
    picture = PICTURES[0].copy()
    frame = FrameMeter(small=Keep.WHOLE).push(picture, 0.0)
    picture[:] = 0
    assert frame.whole is not None and np.array_equal(frame.whole, PICTURES[0])


def test_it_is_kept_where_it_is_asked_for_and_nowhere_else() -> None:
    assert keep_for(("clip_pictures",)) == Keep.WHOLE
    assert keep_for(("clip_pictures", "scene")) == Keep.ALL
    assert [frame.whole for frame in measured([0, 1], Keep.SMALL | Keep.SCENE) if frame] == [None, None]
    with pytest.raises(FeatureError, match="every whole picture"):
        told(measured([0, 1], Keep.SCENE))
