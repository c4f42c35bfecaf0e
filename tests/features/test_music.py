"""A track in clips: counts, contents, refusals, and real tracks where there are some."""

from pathlib import Path

import numpy as np
import pytest

from features.errors import FeatureError
from features.mel import clip_mel
from features.music import analyse, clip_count, clip_mels, outline

REAL = Path(__file__).parents[3] / "shared" / "data" / "music"


@pytest.mark.parametrize(
    ("seconds", "clips"), [(0.25, 1), (0.9, 1), (4, 1), (4.99, 1), (5, 2), (7.9, 2), (8, 2), (30, 8), (28.5, 7)]
)
def test_how_many_clips(seconds, clips):
    assert clip_count(int(seconds * 16_000)) == clips


def test_clips_hold_their_part_of_the_track(clicks):
    samples, times_s = clicks(120, 9.5)
    features = analyse(samples)
    assert features.mels.shape == (3, 398, 80)
    assert features.mels.dtype == features.rhythm.dtype == features.loudness.dtype == np.float32
    for clip in range(3):
        assert np.array_equal(features.mels[clip], clip_mel(samples[clip * 64_000 : (clip + 1) * 64_000]))
        inside = ((features.beats.times_s >= 4 * clip) & (features.beats.times_s < 4 * clip + 4)).sum()
        assert features.rhythm[clip, 0] == inside
    assert features.rhythm[1].tolist() == pytest.approx([8, features.rhythm[1, 1], 0.5], abs=0.01)
    assert features.beats.tempo_bpm == pytest.approx(120, rel=0.01)
    assert abs(len(features.beats.times_s) - len(times_s)) <= 1


def test_loudness_leaves_padding_out():
    samples = np.concatenate([np.full(64_000, 0.5), np.full(32_000, -0.25)]).astype(np.float32)
    assert analyse(samples).loudness.tolist() == pytest.approx([0.5, 0.25])


def test_streaming_equals_the_whole(clicks):
    samples = clicks(100, 13.2)[0]
    features, rest = analyse(samples), outline(samples)
    assert np.array_equal(np.stack(list(clip_mels(samples))), features.mels)
    assert np.array_equal(rest.rhythm, features.rhythm)
    assert np.array_equal(rest.loudness, features.loudness)
    assert np.array_equal(rest.beats.times_s, features.beats.times_s)


def test_silence_is_allowed():
    features = analyse(np.zeros(16_000 * 10, np.float32))
    assert features.mels.shape == (3, 398, 80)
    assert not features.rhythm.any()
    assert not features.loudness.any()
    assert features.beats.tempo_bpm == 0


@pytest.mark.parametrize("function", [analyse, outline, clip_mels])
def test_what_is_no_track_is_refused(function):
    for samples, cause in [
        (np.zeros(0, np.float32), "0.000 s"),
        (np.zeros(3999, np.float32), "0.25 s"),
        (np.full(16_000, np.nan, np.float32), "NaN"),
        (np.zeros((16_000, 2), np.float32), "one channel"),
        (np.zeros(16_000, np.int16), "int16"),
    ]:
        with pytest.raises(FeatureError, match=cause):
            function(samples)


def decode(path: Path, seconds: float) -> np.ndarray:
    import av

    resampler, parts = av.AudioResampler("flt", "mono", 16_000), []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
            if sum(map(len, parts)) >= seconds * 16_000:
                break
    return np.concatenate(parts)[: int(seconds * 16_000)]


# librosa finds the same tempos within 2 %.
@pytest.mark.parametrize(
    ("name", "bpm"), [("opensurge_sharp", 120), ("opensurge_template", 107), ("neverball_track1", 96)]
)
def test_real_tracks(name, bpm):
    path = REAL / f"{name}.ogg"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    features = analyse(decode(path, 40))
    assert len(features.mels) == len(features.rhythm) == len(features.loudness) == 10
    assert features.beats.tempo_bpm == pytest.approx(bpm, rel=0.02)
    assert features.beats.confidence > 0.3
    intervals = np.diff(features.beats.times_s)
    assert np.median(intervals) == pytest.approx(60 / bpm, rel=0.03)
    assert (np.abs(intervals - 60 / bpm) < 0.1 * 60 / bpm).mean() > 0.8
