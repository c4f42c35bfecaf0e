"""Tracks: beats where they are said to be, tone and level where real tracks have them, noise as loud as asked."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.errors import StudioError
from studio.music.band import draw_band
from studio.music.recipe import MusicRecipe
from studio.music.score import Note
from studio.music.styles import style_of
from studio.world import spread
from studio.world.playing import Hand, drift_times, play_notes, soften
from studio.world.recording import Recording, record
from studio.world.sound import Track, beats_of, render

RATE_HZ = 16_000
PLAIN = Recording()


def track(recording: Recording = PLAIN, hand: Hand | None = None, **more: object) -> Track:
    music = MusicRecipe(**{"style": "techno", "tempo_bpm": 125.0, "energy": 0.6, "seed": 1, **more})  # type: ignore[arg-type]
    return Track(music, hand or Hand(), recording)


def onsets(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spectral flux of the mono mix, one value per 10 ms."""
    mono = samples.mean(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(mono, 512)[::160] * np.hanning(512).astype(np.float32)
    spectra = np.log1p(30.0 * np.abs(np.fft.rfft(windows, axis=1)))
    return np.asarray(np.maximum(np.diff(spectra, axis=0), 0.0).sum(axis=1), np.float64)


@pytest.mark.parametrize("style", ["folk", "house", "ambient"])
def test_clean_sound_twice_the_same(style: str) -> None:
    how = Recording(20.0, 4.0, 0.4, 0.6, -60.0, 1.0, 0.5, 0.5, 6_000.0, 8.0, 3.0, 0.5, 0.5, 0.5)
    made = track(how, Hand(0.01, 0.2, 0.02, slower=3.0, longer=1.3, detune_cents=3.0, vibrato_cents=8.0), style=style)
    samples = render(made, 4.0, RATE_HZ)
    assert samples.shape == (4 * RATE_HZ, 2) and samples.dtype == np.float32
    assert np.isfinite(samples).all() and 0.02 < np.abs(samples).max() < 1.0
    assert samples.tobytes() == render(dataclasses.replace(made), 4.0, RATE_HZ).tobytes()


@pytest.mark.parametrize("cents", [-40.0, 0.0, 40.0])
def test_drums_fall_on_the_beats_that_are_reported(cents: float) -> None:
    made = track(Recording(tuning_cents=cents), Hand(drift=0.03, drift_hz=0.06, drift_phase=1.0))
    strength, beats = onsets(render(made, 16.0, RATE_HZ)), beats_of(made, 15.0)[1:]
    on = [strength[max(0, int(beat * 100) - 4) : int(beat * 100) + 2].max() for beat in beats]
    off = [strength[int((beat + 0.12) * 100) - 4 : int((beat + 0.12) * 100) + 2].max() for beat in beats[:-1]]
    assert np.median(on) > 1.3 * np.median(off)
    assert beats[-1] > 14.0 and np.all(np.diff(beats) > 0.4)


def test_tempo_drifts_by_no_more_than_it_says() -> None:
    times = np.arange(0.0, 28.0, 0.01)
    pace = np.diff(drift_times(times, Hand(drift=0.03, drift_hz=0.1))) / 0.01
    assert pace.min() == pytest.approx(0.97, abs=1e-3) and pace.max() == pytest.approx(1.03, abs=1e-3)
    assert drift_times([0.0], Hand(drift=0.03))[0] == 0.0
    assert np.array_equal(drift_times(times, Hand()), times)


def test_a_hand_moves_notes_and_softens_attacks() -> None:
    rng = np.random.default_rng(0)
    notes = [Note("bass", float(k), 0.5, 40, 1.0, 0.5) for k in range(400)]
    assert play_notes(notes, Hand(), rng) == notes
    loose = play_notes(notes, Hand(late_s=0.01, uneven=0.2), rng)
    away = np.array([after.at_s - before.at_s for before, after in zip(notes, loose, strict=True)])
    assert away.std() == pytest.approx(0.01, rel=0.15)
    assert np.log([note.velocity for note in loose]).std() == pytest.approx(0.2, rel=0.15)
    band = draw_band(MusicRecipe("rock", 120.0), style_of("rock"), rng)
    soft = soften(band, Hand(slower=4.0, drums=0.0), rng)
    assert all(soft.players[part].patch.attack_s > player.patch.attack_s for part, player in band.players.items())
    assert set(soft.drum_gains.values()) == {0.0}


def centroid_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    mono = samples.mean(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(mono, 2048)[::4096] * np.hanning(2048).astype(np.float32)
    magnitude = np.abs(np.fft.rfft(windows, axis=1))
    return float(np.mean(magnitude @ np.fft.rfftfreq(2048, 1 / rate_hz) / (magnitude.sum(axis=1) + 1e-9)))


def test_tone_and_level_lie_where_real_tracks_have_them() -> None:
    low_hz, high_hz = spread.REAL["centroid_hz"][0], spread.REAL["centroid_hz"][-1]
    tones, levels = [], []
    for seed, brightness in enumerate((0.05, 0.5, 0.95)):
        samples = render(track(brightness=brightness, style="synthwave", seed=seed), 6.0, 22_050)
        tones.append(centroid_hz(samples, 22_050))
        levels.append(20 * np.log10(float(np.sqrt(np.mean(np.square(samples.mean(axis=1)))))))
    assert all(0.9 * low_hz < tone < 1.1 * high_hz for tone in tones) and tones[0] < tones[-1]
    assert all(-32.0 < level < -9.0 for level in levels)


def test_noise_is_as_loud_as_asked_and_the_top_is_cut() -> None:
    silence = np.zeros((2, RATE_HZ), np.float32)
    rng = np.random.default_rng(0)
    made = record(silence, Recording(noise_db=-50.0), RATE_HZ, RATE_HZ, rng)
    assert 20 * np.log10(float(made.std())) == pytest.approx(-50.0, abs=1.0)
    noise = rng.standard_normal((2, 2 * RATE_HZ)).astype(np.float32) * np.float32(0.1)
    spectra = [
        np.abs(np.fft.rfft(record(noise, Recording(top_hz=top_hz), 2 * RATE_HZ, RATE_HZ, np.random.default_rng(1))[0]))
        for top_hz in (20_000.0, 3_000.0)
    ]
    shares = [float(np.square(spectrum[12_000:]).sum() / np.square(spectrum).sum()) for spectrum in spectra]
    assert shares[1] < 0.1 * shares[0]


def test_a_master_flattens_and_a_room_rings_on() -> None:
    rng = np.random.default_rng(2)
    steps = np.repeat(np.array([0.03, 0.3], np.float32), RATE_HZ)
    mix = steps * rng.standard_normal((2, 2 * RATE_HZ)).astype(np.float32)
    ranges = []
    for ratio in (1.0, 4.0):
        made = record(mix, Recording(ratio_to_one=ratio), 2 * RATE_HZ, RATE_HZ, np.random.default_rng(1))
        ranges.append(made[:, RATE_HZ:].std() / made[:, :RATE_HZ].std())
    assert ranges[1] < 0.6 * ranges[0]
    click = np.zeros((2, 2 * RATE_HZ), np.float32)
    click[:, 100] = 0.9
    dry, wet = (
        record(click, Recording(wet=share, decay_s=0.8), 2 * RATE_HZ, RATE_HZ, np.random.default_rng(1))
        for share in (0.0, 0.8)
    )
    late = [float(np.square(made[:, 4_000:]).sum() / np.square(made).sum()) for made in (dry, wet)]
    assert late[0] < 1e-3 < late[1]


@pytest.mark.parametrize("duration_s", [0.01, 0.7])
def test_short_pieces_render(duration_s: float) -> None:
    samples = render(track(Recording(wet=0.3, wow_cents=5.0, tuning_cents=-30.0)), duration_s, RATE_HZ)
    assert samples.shape == (round(duration_s * RATE_HZ), 2)


def test_what_cannot_be_rendered_is_refused() -> None:
    with pytest.raises(StudioError, match="duration_s"):
        render(track(), float("nan"))
    with pytest.raises(StudioError, match=r"rate_hz 4000.*8000"):
        render(track(), 1.0, 4_000)
