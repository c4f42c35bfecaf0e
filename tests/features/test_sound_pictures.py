"""Low-level audio, MFCC and harmony: values of sounds that are known."""

import numpy as np
import pytest

from features.harmony import find_tonic, harmony
from features.low_level import low_level, low_level_frames, split
from features.mfcc import content_mfcc, emotion_mfcc

RATE = 16_000
CLIP = 64_000


def tone(*hertz: float, seconds: float = 4.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return sum(0.2 * np.sin(2 * np.pi * f * t) for f in hertz).astype(np.float32)


def clicks() -> np.ndarray:
    out = np.zeros(CLIP, np.float32)
    out[::4000] = 0.9
    return out


def test_there_are_380_numbers_and_three_statistics_of_each() -> None:
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, CLIP).astype(np.float32)
    frames = low_level_frames(sound)
    assert frames.shape[1] == 380 and np.isfinite(frames).all()
    mean, variance, largest = low_level(sound)
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, frames.var(axis=0), rtol=1e-4, atol=1e-8)
    np.testing.assert_array_equal(largest, frames.max(axis=0))


def test_the_centroid_of_a_tone_is_its_frequency() -> None:
    mean = low_level(tone(1500.0))[0]
    assert mean[0] == pytest.approx(1500 / 6000, abs=0.02)  # harmonic part, over the Nyquist rate
    assert mean[1] < 0.1  # bandwidth
    assert low_level(tone(3000.0))[0][0] > mean[0]


def test_tones_are_harmonic_and_clicks_percussive() -> None:
    def shares(sound: np.ndarray) -> float:
        windows = np.lib.stride_tricks.sliding_window_view(sound, 512)[::256] * np.hanning(512)
        magnitude = np.abs(np.fft.rfft(windows, axis=1)).T.astype(np.float32)
        harmonic, percussive = split(magnitude)
        np.testing.assert_allclose(harmonic + percussive, 1.0, rtol=1e-5)
        return float((harmonic * magnitude).sum() / magnitude.sum())

    assert shares(tone(440.0)) > 0.9 and shares(clicks()) < 0.1


def test_louder_means_more_rms_and_the_same_chroma() -> None:
    quiet, loud = low_level(tone(440.0))[0], low_level(3 * tone(440.0))[0]
    assert loud[189] == pytest.approx(3 * quiet[189], rel=0.01)  # the last of the harmonic numbers
    np.testing.assert_allclose(loud[176:188], quiet[176:188], atol=1e-3)
    assert int(quiet[176:188].argmax()) == 9  # A


def test_mfcc_pictures_have_their_shapes_and_know_loudness_by_the_first() -> None:
    for function, shape in ((content_mfcc, (32, 28)), (emotion_mfcc, (32, 125))):
        quiet, loud = function(tone(440.0, 880.0)), function(4 * tone(440.0, 880.0))
        assert quiet.shape == loud.shape == shape and np.isfinite(function(np.zeros(CLIP, np.float32))).all()
        assert (loud - quiet)[0, 4:20].mean() > 10 * np.abs((loud - quiet)[1:, 4:20]).mean()


def scale_of(tonic: float, degrees: tuple[int, ...]) -> np.ndarray:
    """The tonic long and low, then the scale over it."""
    notes = [tone(tonic / 2, tonic * 2 ** (degree / 12), seconds=0.5) for degree in degrees]
    return np.concatenate([tone(tonic / 2, tonic, seconds=1.0), *notes])


MAJOR, MINOR = (0, 4, 7, 0, 2, 4, 5, 7, 9, 11, 0, 4, 7, 0), (0, 3, 7, 0, 2, 3, 5, 7, 8, 10, 0, 3, 7, 0)


@pytest.mark.parametrize("degrees", [MAJOR, MINOR])
@pytest.mark.parametrize("shift", [3, 7])
def test_harmony_does_not_know_the_key(degrees: tuple[int, ...], shift: int) -> None:
    here = harmony(scale_of(220.0, degrees), 2)
    there = harmony(scale_of(220.0 * 2 ** (shift / 12), degrees), 2)
    np.testing.assert_allclose(here, there, atol=0.08)
    assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.95
    np.testing.assert_allclose(here.sum(axis=1), 1.0, rtol=1e-5)


def test_harmony_tells_major_from_minor() -> None:
    major, minor = (harmony(scale_of(220.0, degrees), 2).mean(axis=0) for degrees in (MAJOR, MINOR))
    assert major[4] > 1.2 * major[3] and minor[3] > 1.2 * minor[4]


def test_silence_has_no_harmony() -> None:
    assert not harmony(np.zeros(2 * CLIP, np.float32), 2).any()
    assert find_tonic(np.zeros(12), np.zeros(12)) == 0
