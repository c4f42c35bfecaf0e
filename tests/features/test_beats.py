"""Beats of click tracks, of sounds without beats, and the rhythm of clips."""

import subprocess
import sys

import numpy as np
import pytest

from features.beat_path import beat_path
from features.beats import BeatTrack, clip_rhythm, onset_envelope, track_beats
from features.errors import FeatureError
from features.spec import RHYTHM_FIELDS


@pytest.mark.parametrize("bpm", [62, 75, 90, 100, 113.5, 120, 128, 140, 160])
def test_beats_of_clicks(clicks, bpm):
    samples, times_s = clicks(bpm, 24)
    beats = track_beats(samples)
    assert beats.tempo_bpm == pytest.approx(bpm, rel=0.01)
    assert beats.confidence > 0.8
    assert len(beats.times_s) >= len(times_s) - 1
    nearest = np.abs(beats.times_s[:, None] - times_s).min(axis=1)
    assert nearest.max() < 0.03
    assert beats.times_s.dtype == np.float64
    assert beats.strengths.dtype == np.float32
    assert (np.diff(beats.times_s) > 0).all()
    assert beats.strengths.min() > 0.5


def test_a_tempo_that_is_not_found_exactly_is_found_at_another_level(clicks):
    beats = track_beats(clicks(180, 20)[0])
    assert min(abs(beats.tempo_bpm / 180 - ratio) for ratio in (0.5, 1.0)) < 0.02


def test_loudness_does_not_matter(clicks):
    loud, quiet = track_beats(clicks(100, 16)[0]), track_beats(clicks(100, 16, gain=0.005)[0])
    assert loud.times_s == pytest.approx(quiet.times_s)
    assert loud.strengths == pytest.approx(quiet.strengths, rel=1e-2)


def test_accents_are_stronger(clicks):
    samples, times_s = clicks(120, 24)
    for time_s in times_s[1::2]:
        at = round(time_s * 16_000)
        samples[at : at + 320] *= 0.05
    beats = track_beats(samples)
    on_accent = np.abs(beats.times_s[:, None] - times_s[::2]).min(axis=1) < 0.05
    assert on_accent.any()
    if not on_accent.all():
        assert beats.strengths[on_accent].mean() > 1.2 * beats.strengths[~on_accent].mean()


def test_silence_before_and_after_has_no_beats(clicks):
    silence = np.zeros(16_000 * 6, np.float32)
    samples, times_s = clicks(120, 20)
    beats = track_beats(np.concatenate([silence, samples, silence]))
    assert beats.times_s[0] > 6
    assert beats.times_s[-1] < 26
    assert np.abs(beats.times_s[:, None] - 6 - times_s).min(axis=1).max() < 0.03


def beatless() -> dict[str, np.ndarray]:
    rng, n = np.random.default_rng(4), 16_000 * 12
    click = np.zeros(n, np.float32)
    click[50_000] = 1
    return {
        "silence": np.zeros(n, np.float32),
        "almost silence": (1e-7 * rng.standard_normal(n)).astype(np.float32),
        "noise": (0.1 * rng.standard_normal(n)).astype(np.float32),
        "tone": (0.5 * np.sin(np.arange(n) * 0.2)).astype(np.float32),
        "constant": np.full(n, 0.5, np.float32),
        "one click": click,
        "short": (0.1 * rng.standard_normal(16_000)).astype(np.float32),
        "empty": np.zeros(0, np.float32),
    }


@pytest.mark.parametrize("kind", beatless())
def test_what_has_no_beats(kind):
    beats = track_beats(beatless()[kind])
    assert beats.times_s.shape == beats.strengths.shape == (0,)
    assert (beats.tempo_bpm, beats.confidence) == (0.0, 0.0)
    assert clip_rhythm(beats, 0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("samples", [np.full(40_000, np.nan), np.zeros((2, 40_000)), np.zeros(40_000, np.int16)])
def test_bad_samples_are_refused(samples):
    with pytest.raises(FeatureError, match="samples"):
        track_beats(samples)


def test_the_envelope_does_not_depend_on_the_blocks(clicks, monkeypatch):
    samples = clicks(100, 20)[0]
    whole = onset_envelope(samples)
    monkeypatch.setattr("features.beats._BLOCK", 37)
    assert onset_envelope(samples) == pytest.approx(whole, abs=1e-5)


def test_warm_up_loads_what_a_first_track_would_wait_for():
    """In a process of its own: what is loaded behind it is what tracking needs."""
    words = "import sys; from features.beats import track_beats, warm_up; warm_up(); before = set(sys.modules);"
    words += "import numpy as np; track_beats(np.zeros(64_000, np.float32)); print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]


def test_clip_rhythm_counts_what_is_inside():
    beats = BeatTrack(np.array([0.0, 0.5, 1.5, 3.9, 4.0, 6.0]), np.array([1, 2, 3, 2, 0.5, 1], np.float32), 120.0, 1.0)
    assert RHYTHM_FIELDS == ("beats", "strength", "interval_s")
    assert clip_rhythm(beats, 0.0).tolist() == pytest.approx([4, 2, 1.3])
    assert clip_rhythm(beats, 4.0).tolist() == pytest.approx([2, 0.75, 2.0])
    assert clip_rhythm(beats, 5.5).tolist() == pytest.approx([1, 1.0, 0])
    assert clip_rhythm(beats, 8.0).tolist() == [0, 0, 0]
    assert clip_rhythm(beats, 0.0).dtype == np.float32
    with pytest.raises(FeatureError, match="start"):
        clip_rhythm(beats, float("nan"))


def best_by_trying_all(envelope: np.ndarray, period: float) -> float:
    """Highest score of any path, by plain recursion over the published formula."""
    best = np.zeros(len(envelope))
    shortest, longest = round(period / 2), round(2 * period)
    for end in range(len(envelope)):
        lags = range(shortest, min(longest, end) + 1)
        before = [best[end - lag] - 100 * np.log(lag / period) ** 2 for lag in lags]
        best[end] = envelope[end] + max([0.0, *before])
    return float(best[-round(period) - 1 :].max())


@pytest.mark.parametrize("period", [6.0, 9.5, 13.3])
def test_the_path_is_the_best_one(period):
    from features.beat_path import _accumulate

    envelope = np.random.default_rng(int(period)).random(150)
    score, total, back = _accumulate(envelope, np.full(150, period))
    assert total[-round(period) - 1 :].max() == pytest.approx(best_by_trying_all(score, period))
    assert ((back == -1) | (np.arange(150) - back >= round(period / 2))).all()


def test_a_path_needs_onsets():
    assert beat_path(np.zeros(500), 30.0).size == 0
    train = np.zeros(500)
    train[7::30] = 1
    assert beat_path(train, 30.0).tolist() == list(range(7, 500, 30))
