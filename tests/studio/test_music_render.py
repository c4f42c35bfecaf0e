import dataclasses

import numpy as np
import pytest

from studio.errors import StudioError
from studio.music.recipe import STYLES, MusicRecipe
from studio.music.render import beat_times, render

RATE_HZ = 16_000
HOP = 160  # 10 ms


def onset_strength(samples):
    """Spectral flux of the mono mix, one value per 10 ms."""
    mono = samples.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(mono, 512)[::HOP] * np.hanning(512).astype(np.float32)
    spectra = np.log1p(30.0 * np.abs(np.fft.rfft(frames, axis=1)))
    return np.maximum(np.diff(spectra, axis=0), 0.0).sum(axis=1)


def decibels(samples):
    return 20.0 * np.log10(float(np.sqrt(np.mean(np.square(samples)))) + 1e-9)


def centroid_hz(samples):
    magnitude = np.abs(np.fft.rfft(samples.mean(axis=1)))
    return float(magnitude @ np.fft.rfftfreq(len(samples), 1 / RATE_HZ) / magnitude.sum())


@pytest.mark.parametrize("style", STYLES)
def test_every_style_gives_clean_sound_twice_the_same(style):
    recipe = MusicRecipe(style, 100.0, tonic=4, mode="dorian", energy=0.9, brightness=0.8, tension=0.9, seed=5)
    samples = render(recipe, 6.0, RATE_HZ)
    assert samples.shape == (6 * RATE_HZ, 2) and samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert 0.1 < np.abs(samples).max() <= 1.0
    assert abs(float(samples.mean())) < 0.01
    assert np.abs(samples[[0, -1]]).max() < 1e-3, "faded at both ends"
    assert not np.array_equal(samples[:, 0], samples[:, 1]), "stereo"
    again = render(dataclasses.replace(recipe), 6.0, RATE_HZ)
    assert samples.tobytes() == again.tobytes()


def test_another_seed_is_another_piece():
    one, two = (render(MusicRecipe("house", 120.0, seed=seed), 4.0, RATE_HZ) for seed in (1, 2))
    assert abs(float(np.corrcoef(one[:, 0], two[:, 0])[0, 1])) < 0.3


@pytest.mark.parametrize("style", STYLES)
def test_energy_zero_is_quiet_but_not_silent(style):
    calm = render(MusicRecipe(style, 90.0, energy=0.0, seed=3), 6.0, RATE_HZ)
    wild = render(MusicRecipe(style, 90.0, energy=1.0, seed=3), 6.0, RATE_HZ)
    assert -50.0 < decibels(calm) < decibels(wild) - 6.0


@pytest.mark.parametrize("style", ["house", "rock", "cinematic", "lofi"])
def test_energy_moves_level_and_onsets_along_the_track(style):
    recipe = MusicRecipe(style, 110.0, energy=((0.0, 0.05), (8.0, 0.1), (16.0, 0.9), (24.0, 0.95)), seed=2)
    samples = render(recipe, 24.0, RATE_HZ)
    low, high = samples[: 8 * RATE_HZ], samples[-8 * RATE_HZ : -2 * RATE_HZ]
    assert decibels(high) > decibels(low) + 6.0
    assert onset_strength(high).mean() > 1.5 * onset_strength(low).mean()


@pytest.mark.parametrize("style", ["folk", "synthwave", "jazz", "trap"])
def test_brightness_raises_the_spectrum(style):
    means = []
    for brightness in (0.0, 0.5, 1.0):
        recipes = [MusicRecipe(style, 100.0, energy=0.5, brightness=brightness, seed=seed) for seed in range(3)]
        means.append(np.mean([centroid_hz(render(recipe, 8.0, RATE_HZ)) for recipe in recipes]))
    assert means[0] < means[1] < means[2] and means[2] > 1.3 * means[0]


@pytest.mark.parametrize("style", ["house", "techno", "rock", "funk", "synthwave"])
@pytest.mark.parametrize("tempo_bpm", [84.0, 103.0, 128.0])
def test_the_tempo_can_be_heard(style, tempo_bpm):
    strength = onset_strength(render(MusicRecipe(style, tempo_bpm, energy=0.6, seed=7), 24.0, RATE_HZ))
    strength = strength - np.convolve(strength, np.ones(100) / 100, "same")
    frames = len(strength)
    similar = np.fft.irfft(np.abs(np.fft.rfft(strength, 2 * frames)) ** 2)[:frames]
    lags = np.arange(35, 86)  # 70 to 171 BPM
    heard_bpm = 6_000.0 / lags[int(np.argmax(similar[lags] + similar[2 * lags] + similar[4 * lags]))]
    octaves = np.log2(heard_bpm / tempo_bpm)
    assert abs(octaves - round(octaves)) < np.log2(1.04)


def test_drums_fall_on_the_beats_that_are_reported():
    for seed in range(4):
        recipe = MusicRecipe("techno", 125.0, energy=0.6, seed=seed)
        strength = onset_strength(render(recipe, 16.0, RATE_HZ))
        beats = beat_times(recipe, 15.0)[1:]
        # A frame sees an onset up to 32 ms before it falls.
        on = [strength[max(0, int(beat * 100) - 4) : int(beat * 100) + 2].max() for beat in beats]
        off = [strength[int((beat + 0.12) * 100) - 4 : int((beat + 0.12) * 100) + 2].max() for beat in beats[:-1]]
        assert np.median(on) > 1.3 * np.median(off)


def test_tension_adds_dissonance_to_the_notes_of_one_key():
    """Share of the chroma that lies outside the scale."""
    shares = []
    for tension in (0.0, 1.0):
        outside = []
        for seed in range(3):
            recipe = MusicRecipe("cinematic", 90.0, 0, "major", energy=0.3, tension=tension, seed=seed)
            spectrum = np.abs(np.fft.rfft(render(recipe, 10.0, RATE_HZ).mean(axis=1))) ** 2
            freqs = np.fft.rfftfreq(10 * RATE_HZ, 1 / RATE_HZ)
            heard = (freqs > 100.0) & (freqs < 1_100.0)
            pitch_class = np.round(12 * np.log2(freqs[heard] / 440.0) + 69).astype(int) % 12
            chroma = np.bincount(pitch_class, spectrum[heard], minlength=12)
            outside.append(chroma[[1, 3, 6, 8, 10]].sum() / chroma.sum())
        shares.append(np.mean(outside))
    assert shares[1] > 1.5 * shares[0]


@pytest.mark.parametrize("duration_s", [0.01, 0.5, 1.7])
def test_short_pieces_render(duration_s):
    samples = render(MusicRecipe("waltz", 63.0), duration_s, RATE_HZ)
    assert samples.shape == (round(duration_s * RATE_HZ), 2) and np.abs(samples).max() <= 1.0


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_length_that_is_none_is_refused(duration_s):
    with pytest.raises(StudioError, match="duration_s"):
        render(MusicRecipe("house", 120.0), duration_s)


def test_a_rate_too_low_is_refused():
    with pytest.raises(StudioError, match=r"rate_hz 4000.*8000"):
        render(MusicRecipe("house", 120.0), 1.0, 4_000)
