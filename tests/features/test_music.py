"""A track in clips: counts, contents, refusals, and real tracks where there are some."""

from pathlib import Path

import numpy as np
import pytest

from features.errors import FeatureError
from features.loudness import level_gain
from features.mel import clip_mel
from features.music import PER_CLIP, PER_TRACK, clip_count, clip_features, track_features
from features.spec import FEATURES, MUSIC_FEATURES

REAL = Path(__file__).parents[3] / "shared" / "data" / "music"


@pytest.mark.parametrize(
    ("seconds", "clips"), [(0.25, 1), (0.9, 1), (4, 1), (4.99, 1), (5, 2), (7.9, 2), (8, 2), (30, 8), (28.5, 7)]
)
def test_how_many_clips(seconds, clips):
    assert clip_count(int(seconds * 16_000)) == clips


def test_clips_hold_their_part_of_the_track(clicks):
    samples, times_s = clicks(120, 9.5)
    mels = [clip["clip_mel"] for clip in clip_features(samples, ("clip_mel",))]
    heard = track_features(samples, ("rhythm",))
    rhythm = heard.arrays["rhythm"]
    gain = level_gain(samples)
    assert len(mels) == len(rhythm) == len(heard.loudness) == 3
    assert mels[0].dtype == rhythm.dtype == heard.loudness.dtype == np.float32
    for clip in range(3):
        assert np.array_equal(mels[clip], clip_mel(gain * samples[clip * 64_000 : (clip + 1) * 64_000]))
        inside = ((heard.beats.times_s >= 4 * clip) & (heard.beats.times_s < 4 * clip + 4)).sum()
        assert rhythm[clip, 0] == inside
    assert rhythm[1].tolist() == pytest.approx([8, rhythm[1, 1], 0.5], abs=0.01)
    assert heard.beats.tempo_bpm == pytest.approx(120, rel=0.01)
    assert abs(len(heard.beats.times_s) - len(times_s)) <= 1


def test_loudness_leaves_padding_out():
    samples = np.concatenate([np.full(64_000, 0.5), np.full(32_000, -0.25)]).astype(np.float32)
    assert track_features(samples, ()).loudness.tolist() == pytest.approx([0.5, 0.25])


def test_every_feature_has_the_shape_that_the_spec_tells(clicks):
    samples = clicks(100, 9.2)[0]
    clips = list(clip_features(samples, PER_CLIP))
    whole = track_features(samples, PER_TRACK).arrays
    assert set(PER_CLIP) | set(PER_TRACK) == set(MUSIC_FEATURES)
    for name in PER_CLIP:
        values = np.stack([clip[name] for clip in clips])
        assert list(values.shape) == [3, *FEATURES[name]["shape"]] and values.dtype == np.float32
        assert np.isfinite(values).all()
    for name, values in whole.items():
        assert list(values.shape) == [3, *FEATURES[name]["shape"]] and values.dtype == np.float32


def test_a_name_that_is_no_such_feature_is_refused(clicks):
    with pytest.raises(FeatureError, match="no feature of a clip of music is called rhythm"):
        clip_features(clicks(100, 5)[0], ("rhythm",))
    with pytest.raises(FeatureError, match="no feature of a track is called clip_mel"):
        track_features(clicks(100, 5)[0], ("clip_mel",))


def test_silence_is_allowed():
    samples = np.zeros(16_000 * 10, np.float32)
    heard = track_features(samples, PER_TRACK)
    assert not heard.arrays["rhythm"].any() and not heard.arrays["harmony"].any() and not heard.loudness.any()
    assert heard.beats.tempo_bpm == 0
    assert all(np.isfinite(values).all() for clip in clip_features(samples, PER_CLIP) for values in clip.values())


def clips_of(samples):
    return clip_features(samples, ("clip_mel",))


def track_of(samples):
    return track_features(samples, ("rhythm",))


@pytest.mark.parametrize("function", [clips_of, track_of])
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
    features = track_features(decode(path, 40), ("rhythm",))
    assert len(features.arrays["rhythm"]) == len(features.loudness) == 10
    assert features.beats.tempo_bpm == pytest.approx(bpm, rel=0.02)
    assert features.beats.confidence > 0.3
    intervals = np.diff(features.beats.times_s)
    assert np.median(intervals) == pytest.approx(60 / bpm, rel=0.03)
    assert (np.abs(intervals - 60 / bpm) < 0.1 * 60 / bpm).mean() > 0.8
