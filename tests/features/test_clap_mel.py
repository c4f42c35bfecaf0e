"""CLAP's spectrogram: against librosa, and against a clip that is repeated as its publishers do."""

import librosa
import numpy as np
from scipy.signal import resample_poly

from features.clap_mel import clap_mel
from features.music import clip_features
from features.spec import CLAP_MEL_SHAPE, CLIP_SAMPLES, FEATURES


def sound(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(CLIP_SAMPLES) / 16_000
    return (0.2 * np.sin(2 * np.pi * 440 * t * (1 + t / 10)) + 0.02 * rng.normal(size=len(t))).astype(np.float32)


def test_it_is_librosas_spectrogram_of_the_clip_said_twice() -> None:
    samples = sound()
    twice = np.tile(resample_poly(samples, 3, 1, padtype="wrap"), 2).astype(np.float32)
    power = librosa.feature.melspectrogram(
        y=twice, sr=48_000, n_fft=1024, hop_length=480, n_mels=64, fmin=50, fmax=14_000, pad_mode="reflect"
    )
    expected = 10 * np.log10(np.maximum(power.T, 1e-10))
    found = clap_mel(samples)
    assert found.shape == CLAP_MEL_SHAPE == (400, 64) and found.dtype == np.float32
    np.testing.assert_allclose(found[2:], expected[2:400], atol=0.02)  # the first two reach before the sound
    np.testing.assert_allclose(found[:399], expected[400:799], atol=0.02)  # across the seam


def test_silence_is_the_floor_and_so_is_what_16_khz_cannot_hold() -> None:
    np.testing.assert_allclose(clap_mel(np.zeros(CLIP_SAMPLES, np.float32)), -100, atol=1e-4)
    t = np.arange(CLIP_SAMPLES) / 16_000
    found = clap_mel((0.2 * np.sin(2 * np.pi * 440 * t)).astype(np.float32))
    assert (found.argmax(axis=1) == 6).all() and found[:, 6].min() > 10 and found[:, -20:].max() < -99.9


def test_it_is_a_feature_of_a_clip() -> None:
    samples = np.concatenate([sound(0), sound(1)])
    clips = [clip["clap_mel"] for clip in clip_features(samples, ("clap_mel",))]
    assert [list(clip.shape) for clip in clips] == [FEATURES["clap_mel"]["shape"]] * 2
    assert not np.allclose(clips[0], clips[1])
