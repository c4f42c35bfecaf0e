"""musicnn's spectrogram: against librosa, which it was trained with."""

import numpy as np

from features.music import clip_features
from features.spec import CLIP_SAMPLES, FEATURES, TAG_MEL_SHAPE
from features.tag_mel import tag_mel


def sound(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(CLIP_SAMPLES) / 16_000
    return (0.2 * np.sin(2 * np.pi * 440 * t * (1 + t / 10)) + 0.02 * rng.normal(size=len(t))).astype(np.float32)


def test_it_is_librosas_spectrogram_of_the_middle() -> None:
    import librosa

    samples = sound()
    begin = (CLIP_SAMPLES - (186 * 256 + 512)) // 2
    power = librosa.feature.melspectrogram(
        y=samples[begin : begin + 186 * 256 + 512], sr=16_000, n_fft=512, hop_length=256, n_mels=96, center=False
    )
    found = tag_mel(samples)
    assert found.shape == TAG_MEL_SHAPE == (187, 96) and found.dtype == np.float32
    np.testing.assert_allclose(found, np.log10(1 + 10_000 * power.T), atol=2e-4)


def test_silence_is_zero() -> None:
    assert not tag_mel(np.zeros(CLIP_SAMPLES, np.float32)).any()


def test_it_is_a_feature_of_a_clip() -> None:
    samples = np.concatenate([sound(0), sound(1)])
    clips = [clip["tag_mel"] for clip in clip_features(samples, ("tag_mel",))]
    assert [list(clip.shape) for clip in clips] == [FEATURES["tag_mel"]["shape"]] * 2
    assert not np.allclose(clips[0], clips[1])
