"""Onsets, visual tempo and displacement from numbers worked out by hand."""

from math import log

import numpy as np
import pytest

from features.errors import FeatureError
from features.motion import OnsetMeter, VisualTempo, mean_displacement, visual_tempo


def pulses(bpm: float, duration_s: float) -> np.ndarray:
    """One pulse a beat at 8 samples a second, in the nearest earlier sample."""
    onsets = np.zeros(int(duration_s * 8))
    onsets[np.floor(np.arange(0.3, duration_s - 0.2, 60 / bpm) * 8).astype(int)] = 1
    return onsets


def test_an_onset_is_the_rise_above_the_last_half_second():
    meter = OnsetMeter()
    # log1p(speed / 0.02): 0, then log 2, log 4, log 4, log 4, log 4, log 1
    speeds = [0.0, 0.02, 0.06, 0.06, 0.06, 0.06, 0.06, 0.0]
    expected = [0.0, log(2), 1.5 * log(2), log(2), 0.75 * log(2), 0.25 * log(2), 0.0, 0.0]
    assert [meter.push(speed) for speed in speeds] == pytest.approx(expected)


@pytest.mark.parametrize("speed", [-0.1, float("nan"), float("inf")])
def test_impossible_speeds_are_refused(speed):
    with pytest.raises(FeatureError, match="speed"):
        OnsetMeter().push(speed)


@pytest.mark.parametrize("bpm", [48, 60, 75, 90, 100, 110, 120, 133, 145, 160])
def test_visual_tempo_of_pulses(bpm):
    onsets = pulses(bpm, 28) + 0.1 * np.random.default_rng(bpm).random(224)
    tempo = visual_tempo(onsets)
    assert tempo.bpm == pytest.approx(bpm, rel=0.02)
    assert tempo.confidence > 0.3


def test_only_the_last_28_seconds_count():
    assert visual_tempo(np.concatenate([pulses(75, 60), pulses(120, 28)])) == visual_tempo(pulses(120, 28))


def test_confidence_is_low_for_noise():
    rng = np.random.default_rng(1)
    found = [visual_tempo(rng.random(224)).confidence for _ in range(100)]
    assert np.percentile(found, 95) < 0.1


def test_too_little_is_no_tempo():
    assert visual_tempo(pulses(120, 28)[:31]) == VisualTempo(0.0, 0.0)
    assert visual_tempo([]) == VisualTempo(0.0, 0.0)
    assert visual_tempo(pulses(120, 28)[:40]).confidence > 0.3


def test_constant_onsets_have_no_tempo():
    assert visual_tempo(np.full(224, 0.7)) == VisualTempo(0.0, 0.0)
    assert visual_tempo(np.zeros(224)) == VisualTempo(0.0, 0.0)


def test_the_scale_of_onsets_does_not_matter():
    small, large = visual_tempo(1e-4 * pulses(90, 20)), visual_tempo(1e4 * pulses(90, 20))
    assert small.bpm == pytest.approx(large.bpm)
    assert small.confidence == pytest.approx(large.confidence)


def test_bad_onsets_are_refused():
    with pytest.raises(FeatureError, match="finite"):
        visual_tempo([0.0, float("nan")] * 40)
    with pytest.raises(FeatureError, match="one dimension"):
        visual_tempo(np.zeros((40, 2)))


def test_mean_displacement():
    assert mean_displacement([0.1, 0.2, 0.6]) == pytest.approx(0.3)
    assert mean_displacement([]) == 0.0
    with pytest.raises(FeatureError, match="finite"):
        mean_displacement([0.1, float("inf")])


def dancers(rng: np.random.Generator, bpm: float) -> np.ndarray:
    """28 s of onsets as people make them: beats that are 6% off, some left out, others between."""
    series = np.zeros(224)
    times_s = np.cumsum(60 / bpm * (1 + 0.06 * rng.normal(size=int(28 * bpm / 60) + 4)))
    for time_s in times_s[times_s < 28]:
        series[int(8 * time_s)] += rng.uniform(0.4, 1.0) if rng.random() < 0.8 else 0.0
    return series + np.maximum(0.0, 0.35 * rng.normal(size=224))


def test_a_tempo_that_repeats_is_trusted_more_and_noise_is_not() -> None:
    rng = np.random.default_rng(11)
    found = [(bpm, visual_tempo(dancers(rng, bpm))) for bpm in rng.uniform(80, 150, 100)]
    trusted = [(bpm, told) for bpm, told in found if told.confidence >= 0.3]
    right = [abs(told.bpm / bpm - 1) < 0.05 for bpm, told in trusted]
    assert len(trusted) >= 15 and np.mean(right) >= 0.8
    noise = [visual_tempo(np.maximum(0, rng.normal(size=224))).confidence for _ in range(100)]
    assert np.mean(np.array(noise) >= 0.3) <= 0.02
