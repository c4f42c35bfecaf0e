"""A picture's features together: repeatable, blind to cuts as motion, unharmed by refused pictures."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.appearance import colour_stats, thumbnail
from features.cuts import HARD_CUT, CutMeter
from features.errors import FeatureError
from features.flow import FlowMeter
from features.frame import FrameFeatures, FrameMeter
from features.motion import OnsetMeter
from features.picture import grey

COLOURS = np.random.default_rng(7).integers(0, 256, (6, 9, 16, 3), dtype=np.uint8)


def picture(kind: int, shift: int) -> np.ndarray:
    """One of six coarse pictures, moved sideways."""
    return np.roll(COLOURS[kind].repeat(10, axis=0).repeat(10, axis=1), shift, axis=1)


def same(a: FrameFeatures, b: FrameFeatures) -> bool:
    numbers = ("colour", "speed", "dx", "dy", "onset", "cut")
    return np.array_equal(a.thumb, b.thumb) and all(getattr(a, name) == getattr(b, name) for name in numbers)


waits_s = st.sampled_from([0.05, 0.125, 1.0, 1.5])
steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12), waits_s), max_size=12)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_features_are_those_of_the_single_meters(sequence):
    """What the meters see one by one, they see together; a run of a second meter, however late, repeats the first."""
    meter, t_s, fed, found = FrameMeter(), 0.0, [], []
    for kind, shift, wait_s in sequence:
        t_s += wait_s
        fed.append((picture(kind, shift), t_s))
        found.append(meter.push(*fed[-1]))
    flow, cuts, onsets, held, newest = FlowMeter(), CutMeter(), OnsetMeter(), (0.0, 0.0, 0.0), 0
    for (pixels, time_s), features in zip(fed, found, strict=True):
        slot = int(time_s * 8)
        if slot - newest > 8 and features is not found[0]:
            flow.hold(time_s - 0.125)
            cuts.hold(slot - newest - 1)
            onsets.hold(slot - newest - 1)
            held = (0.0, 0.0, 0.0)
        newest = slot
        sample = flow.push(grey(pixels), time_s)
        cut = cuts.push(pixels)
        if sample is not None and cut < HARD_CUT:
            held = (sample.speed, sample.dx, sample.dy)
        assert (features.speed, features.dx, features.dy) == held
        assert features.cut == cut
        assert features.onset == onsets.push(held[0])
        assert features.colour == colour_stats(pixels)
        assert np.array_equal(features.thumb, thumbnail(pixels))
    again = FrameMeter()
    assert all(same(again.push(*each), features) for each, features in zip(fed, found, strict=True))


@settings(max_examples=25, deadline=None)
@given(steps, st.lists(st.sampled_from(["early", "nan", "shape"]), min_size=12, max_size=12))
def test_refused_pushes_leave_no_trace(sequence, mistakes):
    meter, twin, t_s = FrameMeter(), FrameMeter(), 0.0
    for (kind, shift, wait_s), mistake in zip(sequence, mistakes, strict=False):
        t_s += wait_s
        good = picture(kind, shift)
        assert same(meter.push(good, t_s), twin.push(good, t_s))
        bad = {"early": (good, t_s), "nan": (good, float("nan")), "shape": (good[:45], t_s + 1)}[mistake]
        with pytest.raises(FeatureError):
            meter.push(*bad)


def test_two_meters_side_by_side_do_not_meet(texture, other_texture, view):
    first, second, alone = FrameMeter(), FrameMeter(), FrameMeter()
    for i in range(8):
        mixed = first.push(view(texture, 200 - 3 * i), i / 8)
        second.push(view(other_texture, 5 * i), 100 + i / 4)
        assert same(mixed, alone.push(view(texture, 200 - 3 * i), i / 8))


def test_motion_is_held_over_a_cut(texture, other_texture, view):
    meter = FrameMeter()
    found = [meter.push(view(texture, 300 - 3 * i), i / 8) for i in range(16)]
    cut = meter.push(view(other_texture, 300), 2.0)
    assert (found[0].speed, found[0].onset, found[0].cut) == (0, 0, 0)
    assert found[-1].dx == pytest.approx(3 * 8 / 160, rel=0.1)
    assert found[1].onset > 1  # from standing to moving
    assert cut.cut >= HARD_CUT
    assert (cut.speed, cut.dx, cut.dy) == (found[-1].speed, found[-1].dx, found[-1].dy)
    assert cut.onset < 0.1
    still = meter.push(view(other_texture, 300), 2.125)
    assert still.speed < 0.01


@pytest.mark.parametrize("seconds", [1.125, 2, 12, 3600])
def test_a_held_picture_is_one_that_comes_again_in_every_slot(texture, other_texture, view, seconds):
    """After a slide comes a cut, after a still screen that scrolls, motion; as at eight pictures a second."""
    held, again = FrameMeter(), FrameMeter()
    for following in (view(other_texture, 300), view(texture, 276)):
        for meter in (held, again):
            meter.__init__()
            for i in range(8):
                meter.push(view(texture, 300 - 3 * i), i / 8)
        last, end = view(texture, 300 - 21), 7 + int(seconds * 8)
        for slot in range(max(8, end - 200), end):
            again.push(last, slot / 8)
        assert same(held.push(following, end / 8), again.push(following, end / 8))
    assert held.push(view(other_texture, 0), end / 8 + 30).cut >= HARD_CUT


def test_a_picture_a_second_is_a_low_rate_and_none_is_held(texture, view):
    """What moves is as fast at one picture a second as at eight."""
    for rate in (1, 2, 4, 8):
        meter = FrameMeter()
        found = [meter.push(view(texture, 300 - round(4 * i / rate)), i / rate) for i in range(4 * rate + 1)]
        assert np.mean([each.dx for each in found[1:]]) == pytest.approx(4 / 160, rel=0.2)


def test_a_frame_is_frozen_and_owns_its_thumbnail(texture, view):
    shared = view(texture, 200).copy()
    features = FrameMeter().push(shared, 0.0)
    before = features.thumb.copy()
    shared[:] = 0
    assert np.array_equal(features.thumb, before)
    with pytest.raises(AttributeError):
        features.speed = 1.0


def test_memory_does_not_grow(texture, view):
    meter, pictures = FrameMeter(), [view(texture, 200 - 2 * i) for i in range(16)]
    for i in range(64):
        meter.push(pictures[i % 16], i / 8)
    gc.collect()
    tracemalloc.start()
    for i in range(64, 464):
        meter.push(pictures[i % 16], i / 8)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 200_000
