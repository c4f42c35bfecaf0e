"""The video features of a clip: by value where a hand suffices, by property over holes and beginnings."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.appearance import ColourStats
from features.clip import held, video_clip_features
from features.errors import FeatureError
from features.frame import FrameFeatures, FrameMeter
from features.spec import FEATURES, MOTION_FIELDS, VIDEO_FEATURES


def frame(slot: int, speed: float = 0.1, cut: float = 0.0, small: bool = True) -> FrameFeatures:
    return FrameFeatures(
        thumb=np.full((64, 64), slot, np.uint8),
        colour=ColourStats(slot / 32, 0.5, 0.25, 1.0),
        speed=speed,
        dx=speed,
        dy=0.0,
        onset=float(slot % 4 == 0),
        cut=cut,
        small=np.full((32, 32, 3), slot, np.uint8) if small else None,
        whole=np.full((90, 160, 3), slot, np.uint8),
    )


CLIP = [frame(slot) for slot in range(32)]


def test_every_feature_has_the_shape_that_the_spec_tells() -> None:
    found = video_clip_features(CLIP, VIDEO_FEATURES)
    assert list(found) == list(VIDEO_FEATURES)
    for name, value in found.items():
        assert (list(value.shape), str(value.dtype)) == (FEATURES[name]["shape"], FEATURES[name]["dtype"]), name


def test_pictures_are_the_first_of_each_second_and_every_second_slot() -> None:
    found = video_clip_features(CLIP, ("clip_image", "clip_frames"))
    assert found["clip_image"][0, ::64].tolist() == [0, 8, 16, 24]
    assert found["clip_frames"][:, 0, 0, 0].tolist() == list(range(0, 32, 2))


def test_colour_and_motion_by_hand() -> None:
    found = video_clip_features([frame(0, 0.2), frame(8, 0.4, cut=0.9)], ("colour", "motion", "displacement"))
    assert found["colour"].tolist() == pytest.approx([0.125, 0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0])
    motion = dict(zip(MOTION_FIELDS, found["motion"].tolist(), strict=True))
    assert motion["speed_mean"] == pytest.approx(0.3) and motion["speed_max"] == pytest.approx(0.4)
    assert motion["pan"] == pytest.approx(0.3) and motion["cut_mean"] == pytest.approx(0.45)
    assert motion["cuts_per_s"] == pytest.approx(4.0)  # one in two slots of an eighth of a second
    assert float(found["displacement"]) == pytest.approx(0.3)


def test_means_and_deviations_are_numpys_to_the_last_digit() -> None:
    random = np.random.default_rng(1)
    for count in (1, 5, 31, 32):
        values = random.random((count, 9))
        slots = [
            replace(CLIP[0], colour=ColourStats(*row[:4]), speed=row[4], dx=row[5], dy=row[6], onset=row[7], cut=row[8])
            for row in values.tolist()
        ]
        found, speed, onset = video_clip_features(slots, ("colour", "motion")), values[:, 4], values[:, 7]
        colour = [values[:, :4].mean(axis=0), values[:, :4].std(axis=0)]
        assert found["colour"].tobytes() == np.concatenate(colour).astype(np.float32).tobytes()
        pan = np.hypot(values[:, 5].mean(), values[:, 6].mean())
        motion = [speed.mean(), speed.std(), speed.max(), pan, onset.mean(), onset.std(), values[:, 8].mean()]
        assert found["motion"][:7].tobytes() == np.array(motion, np.float32).tobytes()


@pytest.mark.parametrize("hertz", [1, 2, 3])
def test_the_pulse_stands_in_the_bin_of_its_frequency(hertz: int) -> None:
    slots = [frame(slot, 0.5 + 0.4 * np.sin(2 * np.pi * hertz * slot / 8)) for slot in range(32)]
    speed = video_clip_features(slots, ("pulse",))["pulse"][0]
    assert int(speed.argmax()) == 4 * hertz - 1  # a bin is a quarter of a hertz
    assert speed[4 * hertz - 1] > 5 * np.delete(speed, 4 * hertz - 1).max()


@settings(max_examples=50, deadline=None)
@given(present=st.lists(st.booleans(), min_size=1, max_size=32).filter(any))
def test_holes_hold_what_stood_before(present: list[bool]) -> None:
    slots = [frame(slot) if there else None for slot, there in enumerate(present)]
    filled = held(slots)
    known = [slot for slot, there in enumerate(present) if there]
    for slot, value in enumerate(filled):
        before = [at for at in known if at <= slot]
        assert value is slots[before[-1] if before else known[0]]
    found = video_clip_features(slots, VIDEO_FEATURES)
    assert all(np.isfinite(value).all() for value in found.values())
    assert set(np.unique(found["clip_frames"])) <= set(known)


def test_what_cannot_be_measured_is_refused() -> None:
    for slots in ([], [None, None], [frame(0)] * 33):
        with pytest.raises(FeatureError, match="nothing to measure"):
            video_clip_features(slots, ("colour",))
    with pytest.raises(FeatureError, match="no video feature is called rhythm"):
        video_clip_features(CLIP, ("rhythm",))
    with pytest.raises(FeatureError, match="small pictures"):
        video_clip_features([frame(0, small=False)], ("key_frames",))


def test_the_meter_keeps_small_pictures_only_when_asked() -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:, 80:] = (200, 100, 50)
    assert FrameMeter().push(picture, 0.0).small is None
    small = FrameMeter(small=True).push(picture, 0.0).small
    assert small is not None and small.shape == (32, 32, 3)
    assert small[0, 0].tolist() == [0, 0, 0] and small[0, 31].tolist() == [200, 100, 50]
