"""Flow of pictures whose motion is known."""

import numpy as np
import pytest

from features.errors import FeatureError
from features.flow import FlowMeter
from features.picture import grey


@pytest.mark.parametrize(("right", "down"), [(2, 0), (-3, 0), (5, 0), (0, 3), (0, -4), (3, 4)])
@pytest.mark.parametrize("fps", [8, 4])
def test_translation_is_measured_within_a_tenth(texture, view, right, down, fps):
    meter = FlowMeter()
    samples = [meter.push(grey(view(texture, 200 - right * i, 100 - down * i)), i / fps) for i in range(9)]
    assert samples[0] is None
    scale = fps / 160
    assert np.mean([s.speed for s in samples[1:]]) == pytest.approx(np.hypot(right, down) * scale, rel=0.1)
    assert np.mean([s.dx for s in samples[1:]]) == pytest.approx(right * scale, rel=0.1, abs=0.1 * scale)
    assert np.mean([s.dy for s in samples[1:]]) == pytest.approx(down * scale, rel=0.1, abs=0.1 * scale)


def test_a_still_picture_has_no_motion(texture, view):
    meter = FlowMeter()
    picture = grey(view(texture, 200))
    meter.push(picture, 0.0)
    assert meter.push(picture, 0.125).speed == pytest.approx(0, abs=1e-3)


def test_the_interval_may_vary(texture, view):
    meter, times = FlowMeter(), [0.0, 0.1, 0.3, 0.35, 0.6]
    found = [meter.push(grey(view(texture, 200 - round(40 * t))), t) for t in times]  # 40 px a second
    for sample in found[1:]:
        assert sample.speed == pytest.approx(40 / 160, rel=0.15)


def test_a_picture_that_was_held_moved_since_then(texture, view):
    meter = FlowMeter()
    assert meter.push(grey(view(texture, 200)), 0.0) is None
    assert meter.push(grey(view(texture, 198)), 1.0).dx == pytest.approx(2 / 160, rel=0.15)
    meter.hold(20.0)
    meter.hold(5.0)  # it was to be seen then as well
    assert meter.push(grey(view(texture, 196)), 20.125).dx == pytest.approx(2 * 8 / 160, rel=0.15)


@pytest.mark.parametrize("t_s", [1.0, 0.5, -3.0, float("nan"), float("inf")])
def test_times_that_do_not_increase_are_refused_and_change_nothing(texture, view, t_s):
    meter, twin = FlowMeter(), FlowMeter()
    first, second = grey(view(texture, 200)), grey(view(texture, 197))
    for each in (meter, twin):
        each.push(first, 1.0)
    with pytest.raises(FeatureError):
        meter.push(second, t_s)
    assert meter.push(second, 1.125) == twin.push(second, 1.125)


def test_the_caller_may_reuse_its_memory(texture, view):
    shared, meter, twin = np.empty((90, 160), np.uint8), FlowMeter(), FlowMeter()
    for i in range(4):
        picture = grey(view(texture, 200 - 3 * i))
        shared[:] = picture
        assert meter.push(shared, i / 8) == twin.push(picture, i / 8)


def test_other_shapes_are_refused():
    with pytest.raises(FeatureError, match="grey is"):
        FlowMeter().push(np.zeros((90, 160, 3), np.uint8), 0.0)
