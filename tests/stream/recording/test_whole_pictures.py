"""Whole pictures in a recording: they come back, older recordings have none, others are refused."""

import numpy as np
import pytest

from features.frame import FrameFeatures, FrameMeter
from features.keep import Keep
from stream.recording.calls import BadRecordError
from stream.recording.pictures import Pictures
from stream.recording.values import Packer, Unpacker


def measured() -> FrameFeatures:
    picture = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    return FrameMeter(small=True).push(picture, 0.0)


def test_they_come_back() -> None:
    features, packer = measured(), Packer()
    packed = packer.pack(features)
    again = Unpacker(packer.blob).unpack(packed)
    assert features.scene is not None
    assert np.array_equal(again.scene, features.scene) and np.array_equal(again.small, features.small)


def test_a_recording_from_before_has_none() -> None:
    packer = Packer()
    kind, parts = packer.pack(FrameMeter().push(np.zeros((90, 160, 3), np.uint8), 0.0))
    del parts["scene"]
    assert Unpacker(packer.blob).unpack([kind, parts]).scene is None


def test_a_picture_of_another_size_is_refused() -> None:
    packer = Packer()
    kind, parts = packer.pack(measured())
    parts["scene"] = packer.pack(np.zeros((9, 16, 3), np.uint8))
    with pytest.raises(ValueError, match="whole picture"):
        Unpacker(packer.blob).unpack([kind, parts])


def test_only_what_the_bundle_takes_may_not_be_missing() -> None:
    """One that takes whole pictures needs no small ones, and the other way round."""
    picture, whole = np.zeros((90, 160, 3), np.uint8), Pictures(Keep.WHOLE)
    whole.check(FrameMeter(small=Keep.WHOLE).push(picture, 0.0))
    with pytest.raises(BadRecordError, match="without the whole picture"):
        whole.check(FrameMeter(small=Keep.SMALL).push(picture, 0.0))
    with pytest.raises(BadRecordError, match="without the small colour picture"):
        Pictures(Keep.ALL).check(FrameMeter(small=Keep.WHOLE).push(picture, 0.0))
    Pictures(Keep.NOTHING).check(FrameMeter().push(picture, 0.0))
