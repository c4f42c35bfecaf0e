"""VGGish's spectrogram: against librosa where they agree, and against the definition where they do not."""

import librosa
import numpy as np

from features.music import clip_features
from features.spec import CLIP_SAMPLES, FEATURES, VGGISH_MEL_SHAPE
from features.vggish_mel import vggish_mel


def sound(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(CLIP_SAMPLES) / 16_000
    return (0.2 * np.sin(2 * np.pi * 440 * t * (1 + t / 10)) + 0.02 * rng.normal(size=len(t))).astype(np.float32)


def test_it_is_the_published_definition() -> None:
    """Frame by frame and band by band, as written: nothing of it shares a line with the feature."""
    samples, found = sound().astype(np.float64), vggish_mel(sound())
    assert found.shape == VGGISH_MEL_SHAPE == (4, 96, 64) and found.dtype == np.float32
    mel = lambda f: 1127 * np.log(1 + f / 700)  # noqa: E731
    edges = [mel(125) + k * (mel(7500) - mel(125)) / 65 for k in range(66)]
    rng = np.random.default_rng(1)
    for example, frame, band in zip(
        rng.integers(0, 4, 20), rng.integers(0, 96, 20), rng.integers(0, 64, 20), strict=True
    ):
        at = 160 * (96 * example + frame)
        window = [0.5 - 0.5 * np.cos(2 * np.pi * n / 400) for n in range(400)]
        spectrum = np.abs(np.fft.fft(samples[at : at + 400] * window, 512))[:257]
        energy = 0.0
        for line in range(1, 257):
            place = mel(line * 16_000 / 512)
            up = (place - edges[band]) / (edges[band + 1] - edges[band])
            down = (edges[band + 2] - place) / (edges[band + 2] - edges[band + 1])
            energy += max(0.0, min(up, down)) * spectrum[line]
        np.testing.assert_allclose(found[example, frame, band], np.log(energy + 0.01), atol=1e-4)


def test_it_is_near_to_librosas() -> None:
    """Whose triangles are straight in hertz: not the same, and nearly so."""
    bank = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
    spectrum = librosa.stft(sound(), n_fft=512, hop_length=160, win_length=400, center=False)
    near = np.log(bank @ np.abs(spectrum) + 0.01).T
    # librosa puts the window into the middle of 512 samples: 56 later.
    shifted = vggish_mel(np.concatenate([sound()[56:], np.zeros(56, np.float32)]))
    assert np.abs(shifted.reshape(-1, 64)[:380] - near[:380]).mean() < 0.12


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(vggish_mel(np.zeros(CLIP_SAMPLES, np.float32)), np.log(0.01), rtol=1e-6)


def test_it_is_a_feature_of_a_clip() -> None:
    clips = [clip["vggish_mel"] for clip in clip_features(np.concatenate([sound(0), sound(1)]), ("vggish_mel",))]
    assert [list(clip.shape) for clip in clips] == [FEATURES["vggish_mel"]["shape"]] * 2
    assert not np.allclose(clips[0], clips[1])
