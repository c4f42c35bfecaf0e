"""The material that music is made of: tables, chords, grids, scores."""

import dataclasses

import numpy as np
import pytest

from studio.music.families import FAMILIES
from studio.music.form import draw_form
from studio.music.groove import beat_times, draw_grid
from studio.music.harmony import Chord, degree_semitones, voice
from studio.music.patches import Patch, draw_patch, tone
from studio.music.recipe import MODES, STYLES, MusicRecipe
from studio.music.score import write_score
from studio.music.styles import style_of
from studio.music.waves import envelope, fast_length, harmonics, read, shaped_noise, tables

RATE_HZ = 16_000


def test_a_table_read_at_a_frequency_has_that_frequency_and_nothing_above_nyquist():
    cycle = tables(harmonics("saw", 1_000.0, RATE_HZ)[None])
    wave = read(cycle, 1_000.0 * np.arange(RATE_HZ) / RATE_HZ)
    spectrum = np.abs(np.fft.rfft(wave))
    strongest = np.sort(np.argsort(spectrum)[-7:])
    assert strongest.tolist() == [1_000 * k for k in range(1, 8)]
    assert spectrum[2_000] / spectrum[1_000] == pytest.approx(0.5, abs=0.02)
    assert np.delete(spectrum, strongest).max() < 0.02 * spectrum.max()


def test_noise_keeps_to_its_band_at_unit_power():
    noise = shaped_noise(RATE_HZ, RATE_HZ, 1_000.0, 2_000.0, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert np.mean(noise**2) == pytest.approx(1.0, rel=1e-3)
    assert power[700:2_900].sum() > 0.9 * power.sum()


def test_an_envelope_rises_decays_and_ends_at_nothing():
    shape = envelope(RATE_HZ, RATE_HZ, 0.8, 0.1, 0.2, 0.5, 0.1)
    assert shape[0] == 0.0 and shape[-1] == 0.0
    assert int(np.argmax(shape)) == pytest.approx(0.1 * RATE_HZ, abs=2)
    assert shape[int(0.75 * RATE_HZ)] == pytest.approx(0.5 + 0.5 * np.exp(-0.65 / 0.2), abs=0.01)


@pytest.mark.parametrize("n", [1, 2, 31, 1_000, 65_537, 960_000])
def test_fast_lengths_are_enough_and_not_wasteful(n):
    assert n <= fast_length(n) < 1.25 * n + 2


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_instrument_sounds_at_its_pitch(family):
    rng = np.random.default_rng(3)
    patch = dataclasses.replace(draw_patch(family, rng), vibrato_cents=0.0, glide=0.0, breath=0.0, knock=0.0, voices=1)
    sound = tone(patch, 57, 1.0, 0.5, RATE_HZ, rng)  # A3, 220 Hz
    assert sound.dtype == np.float32 and np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(1.0, abs=1e-3)
    ratio = patch.fm_ratio if patch.wave == "fm" else 1.0
    spectrum = np.abs(np.fft.rfft(sound[0] * np.hanning(sound.shape[1])))
    peak_hz = np.argmax(spectrum) * RATE_HZ / sound.shape[1]
    partials = [220.0 * abs(1 + k * ratio) for k in range(-12, 13)]
    assert min(abs(peak_hz - partial) for partial in partials) < 4.0


def test_brightness_opens_the_filter():
    patch = Patch(wave="saw", cutoff_hz=1_000.0)
    centroids = []
    for brightness in (0.0, 0.5, 1.0):
        sound = tone(patch, 45, 0.5, brightness, RATE_HZ, np.random.default_rng(0))[0]
        power = np.abs(np.fft.rfft(sound)) ** 2
        centroids.append(float(power @ np.arange(len(power)) / power.sum()))
    assert centroids[0] < 0.8 * centroids[1] < 0.64 * centroids[2]


def test_degrees_follow_the_mode_through_the_octaves():
    assert [degree_semitones("dorian", degree) for degree in (-1, 0, 2, 6, 7, 9)] == [-2, 0, 3, 10, 12, 15]
    assert degree_semitones("harmonic_minor", 6) == 11


def test_voices_keep_the_chord_and_move_little():
    first = voice(Chord(0, (0, 4, 7)), tonic=0, centre=60)
    second = voice(Chord(3, (5, 9, 12)), tonic=0, centre=60, before=first)
    assert {pitch % 12 for pitch in first} == {0, 4, 7}
    assert {pitch % 12 for pitch in second} == {5, 9, 0}
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) <= 5
    assert first == sorted(first)


@pytest.mark.parametrize("name", STYLES)
def test_every_pattern_fills_its_bar(name):
    style = style_of(name)
    steps = 4 * style.beats_per_bar
    patterns = [pattern for row in style.drums for pattern in row.patterns] + [*style.bass, *style.comp]
    assert {len(pattern) for pattern in patterns} == {steps}
    for group in (
        style.bass_families,
        style.comp_families,
        style.pad_families,
        style.arp_families,
        style.lead_families,
    ):
        assert group and set(group) <= set(FAMILIES)
    assert min(style.entries[0], style.entries[1], style.entries[3]) == 0.0, "nothing would play at energy 0"


def test_sections_cover_every_bar_once():
    for bars in (1, 3, 7, 16, 33, 60):
        for duration_s in (20.0, 90.0):
            form = draw_form(bars, duration_s, np.random.default_rng(bars))
            assert [bar for section in form for bar in range(section.first, section.last)] == list(range(bars))
    kinds = [section.kind for section in draw_form(30, 60.0, np.random.default_rng(0))]
    assert kinds[0] == "intro" and kinds[-1] == "outro" and "chorus" in kinds


def test_beats_are_even_and_start_anywhere_in_the_beat():
    phases = []
    for seed in range(40):
        recipe = MusicRecipe("rock", 100.0, seed=seed)
        beats = beat_times(recipe, 12.0)
        np.testing.assert_allclose(np.diff(beats), 0.6)
        assert 0.0 <= beats[0] < 0.6 and beats[-1] < 12.0 <= beats[-1] + 0.6
        phases.append(beats[0])
    assert np.ptp(phases) > 0.45


def test_swing_delays_only_the_steps_between():
    grid = dataclasses.replace(draw_grid(MusicRecipe("jazz", 120.0)), swing=2 / 3, swing_unit=2, offset_s=0.0)
    eighths = [grid.at_s(step) / grid.step_s for step in (0, 2, 4, 6, 8)]
    np.testing.assert_allclose(eighths, [0.0, 2.0 + 2 / 3, 4.0, 6.0 + 2 / 3, 8.0])
    times = [grid.at_s(step) for step in range(64)]
    assert times == sorted(times)


@pytest.mark.parametrize("name", STYLES)
def test_energy_brings_in_notes(name):
    counts = []
    for energy in (0.05, 0.45, 0.95):
        total = 0
        for seed in range(3):
            recipe = MusicRecipe(name, 110.0, energy=energy, seed=seed)
            total += len(write_score(recipe, draw_grid(recipe), 20.0, np.random.default_rng(seed)))
        counts.append(total)
    assert 0 < counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", STYLES)
def test_without_tension_every_note_is_of_the_key(name, mode):
    recipe = MusicRecipe(name, 120.0, tonic=9, mode=mode, energy=0.9, tension=0.0, seed=6)
    notes = write_score(recipe, draw_grid(recipe), 24.0, np.random.default_rng(6))
    pitches = {note.pitch for note in notes if note.pitch >= 0}
    assert {(pitch - 9) % 12 for pitch in pitches} <= set(MODES[mode])
    assert len(pitches) > 6 and min(pitches) >= 24 and max(pitches) <= 100
