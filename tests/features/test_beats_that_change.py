"""Beats of music whose tempo changes, and what else a tempo may be called."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from features.beats import track_beats
from features.music import track_features
from features.spec import BEAT_HOP, MUSIC_RATE_HZ
from features.tempogram import GRID_BPM, tempo_path, tempogram
from studio.music.render import MusicRecipe, beat_times, render

RATE_HZ = MUSIC_RATE_HZ
Times = NDArray[np.float64]


def clicks_at(times_s: Times, duration_s: float, hiss: float = 1e-3) -> NDArray[np.float32]:
    """Noise bursts over faint hiss."""
    rng = np.random.default_rng(3)
    samples = hiss * rng.standard_normal(int(duration_s * RATE_HZ))
    for time_s in times_s:
        at = round(time_s * RATE_HZ)
        burst = rng.standard_normal(320) * np.exp(-np.arange(320) / 80)
        samples[at : at + 320] += burst[: len(samples) - at]
    return (0.5 * samples).astype(np.float32)


def kit_at(times_s: Times, duration_s: float) -> NDArray[np.float32]:
    """A drum kit: bass drum and snare in turns, a closed hi-hat on the beats and, softer, between them."""
    rng = np.random.default_rng(5)
    samples = 1e-3 * rng.standard_normal(int(duration_s * RATE_HZ) + RATE_HZ)
    t = np.arange(3_200) / RATE_HZ
    bass = 0.8 * np.sin(2 * np.pi * (50 * t + 2 * (1 - np.exp(-30 * t)))) * np.exp(-18 * t)
    for count, time_s in enumerate(times_s):
        at = round(time_s * RATE_HZ)
        snare = 0.5 * rng.standard_normal(3_200) * np.exp(-32 * t) + 0.3 * np.sin(2 * np.pi * 190 * t) * np.exp(-27 * t)
        samples[at : at + 3_200] += snare if count % 2 else bass
        after_s = times_s[count + 1] if count + 1 < len(times_s) else 2 * time_s - times_s[count - 1]
        for place_s, gain in ((time_s, 0.15), (0.5 * (time_s + after_s), 0.08)):
            begin = round(place_s * RATE_HZ)
            samples[begin : begin + 800] += gain * np.diff(rng.standard_normal(801)) * np.exp(-np.arange(800) / 200)
    return (0.5 * samples[: int(duration_s * RATE_HZ)]).astype(np.float32)


def in_turn(tempi_bpm: list[float], each_s: float, gap_s: float = 0.0) -> tuple[Times, float]:
    """Beats of one steady tempo after another, and how long all of it lasts."""
    parts, begin_s = [], 0.3
    for bpm in tempi_bpm:
        parts.append(np.arange(begin_s, begin_s + each_s - 0.05, 60.0 / bpm))
        begin_s += each_s + gap_s
    return np.concatenate(parts), begin_s - gap_s + 0.5


def ramp(from_bpm: float, to_bpm: float, duration_s: float) -> Times:
    """Beats whose tempo moves evenly, on a logarithmic scale, from one to the other."""
    times = [0.5]
    while times[-1] < duration_s - 0.5:
        times.append(times[-1] + 60.0 / (from_bpm * (to_bpm / from_bpm) ** (times[-1] / duration_s)))
    return np.array(times[:-1])


def hits(found_s: Times, truth_s: Times, within_s: float = 0.03) -> float:
    """The share of ``found_s`` that has one of ``truth_s`` within that many seconds."""
    if not len(found_s) or not len(truth_s):
        return 0.0
    places = np.searchsorted(truth_s, found_s)
    near = [np.abs(truth_s[np.clip(places + shift, 0, len(truth_s) - 1)] - found_s) for shift in (-1, 0)]
    return float((np.minimum(*near) <= within_s).mean())


def starts(found_s: Times, duration_s: float) -> Times:
    """The beat nearest to each multiple of 4 s: where a catalogue lets a track start."""
    wanted = np.arange(0.0, duration_s - 16.0, 4.0)
    return found_s[np.abs(found_s[:, None] - wanted).argmin(axis=0)]


@pytest.mark.parametrize("sound", [clicks_at, kit_at])
@pytest.mark.parametrize("tempi_bpm", [[100, 140], [140, 100, 120], [128, 95, 150, 110, 100]])
@pytest.mark.parametrize("gap_s", [0.0, 6.0])
def test_each_tempo_has_its_beats(sound, tempi_bpm, gap_s) -> None:
    truth_s, duration_s = in_turn(tempi_bpm, 60.0, gap_s)
    beats = track_beats(sound(truth_s, duration_s))
    assert hits(beats.times_s, truth_s) >= 0.95
    assert hits(truth_s, beats.times_s) >= 0.95
    assert hits(starts(beats.times_s, duration_s), truth_s) >= 0.94
    assert any(tempo.bpm == pytest.approx(tempi_bpm[0], rel=0.02) for tempo in beats.tempi)


@pytest.mark.parametrize(("from_bpm", "to_bpm"), [(70, 105), (105, 70), (90, 180), (140, 100)])
@pytest.mark.parametrize("duration_s", [60.0, 150.0])
def test_a_tempo_that_moves_is_followed(from_bpm, to_bpm, duration_s) -> None:
    truth_s = ramp(from_bpm, to_bpm, duration_s)
    beats = track_beats(clicks_at(truth_s, duration_s))
    assert hits(beats.times_s, truth_s) >= 0.95
    assert hits(truth_s, beats.times_s) >= 0.95
    # Drums count on the eighths too: which of two levels is the beat cannot be heard.
    beats = track_beats(kit_at(truth_s, duration_s))
    assert hits(beats.times_s, np.sort(np.concatenate([truth_s, 0.5 * (truth_s[1:] + truth_s[:-1])]))) >= 0.95
    assert hits(truth_s, beats.times_s) >= 0.95


def test_a_mix_is_as_good_as_its_pieces() -> None:
    styles, pieces, truth, at_s = ("house", "rock", "synthwave", "folk"), [], [], 0.0
    for number in range(24):
        recipe = MusicRecipe(style=styles[number % 4], tempo_bpm=82.0 + 11.0 * (number * 5 % 7), seed=number)
        pieces.append(render(recipe, 40.0, rate_hz=RATE_HZ).mean(axis=1))
        truth.append(at_s + beat_times(recipe, 40.0))
        at_s += 40.0
    truth_s = np.concatenate(truth)
    eighths_s = np.sort(np.concatenate([truth_s, 0.5 * (truth_s[1:] + truth_s[:-1])]))
    alone = [hits(40.0 * number + track_beats(piece).times_s, eighths_s) for number, piece in enumerate(pieces)]
    beats = track_beats(np.concatenate(pieces))
    assert hits(beats.times_s, eighths_s) >= np.mean(alone) - 0.03
    assert hits(starts(beats.times_s, at_s), eighths_s) >= 0.85
    assert len(beats.times_s) > 0.9 * len(truth_s) * 0.8


def test_silence_and_noise_between_have_no_beats() -> None:
    rng = np.random.default_rng(7)
    first_s, _ = in_turn([120], 40.0)
    clicks = clicks_at(first_s, 41.0)
    between = np.concatenate([np.zeros(15 * RATE_HZ), 0.1 * rng.standard_normal(90 * RATE_HZ), np.zeros(15 * RATE_HZ)])
    beats = track_beats(np.concatenate([clicks, between, clicks]).astype(np.float32))
    inside = (beats.times_s > 58.0) & (beats.times_s < 146.0)
    assert not inside.any()
    assert hits(np.concatenate([first_s, first_s + 161.0]), beats.times_s) >= 0.95


def test_an_hour_takes_little_memory() -> None:
    piece = clicks_at(in_turn([100, 140], 30.0)[0], 60.8)
    samples = np.tile(piece, 60)
    tracemalloc.start()
    beats = track_beats(samples)
    above = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert above < 120  # MB
    assert len(beats.times_s) == pytest.approx(60 * 120, rel=0.02)


def test_clicks_are_placed_to_5_ms() -> None:
    for bpm in (70, 97.3, 120, 151):
        truth_s = in_turn([bpm], 30.0)[0]
        for sound in (clicks_at, kit_at):
            found_s = track_beats(sound(truth_s, 31.0)).times_s
            on_beat = found_s[np.abs(found_s[:, None] - truth_s).min(axis=1) < 0.05]
            assert np.abs(on_beat[:, None] - truth_s).min(axis=1).max() <= 0.005, (bpm, sound.__name__)


@pytest.mark.parametrize("style", ["folk", "house", "jazz", "rock", "synthwave", "waltz"])
def test_music_is_placed_where_it_sounds(style) -> None:
    recipe = MusicRecipe(style=style, tempo_bpm=108.0, seed=5)
    found_s = track_beats(render(recipe, 24.0, rate_hz=RATE_HZ).mean(axis=1)).times_s
    errors = found_s[:, None] - beat_times(recipe, 24.0)
    errors = errors[np.arange(len(errors)), np.abs(errors).argmin(axis=1)]
    assert np.abs(np.median(errors[np.abs(errors) < 0.05])) < 0.004


@pytest.mark.parametrize(("bpm", "called"), [(170, 85), (170, 170), (65, 130), (65, 65), (120, 240), (120, 60)])
def test_a_tagged_tempo_decides_between_the_levels(bpm, called) -> None:
    truth_s = in_turn([bpm], 40.0)[0]
    samples = kit_at(truth_s, 41.0)
    beats = track_beats(samples, tagged_bpm=called)
    assert beats.tempo_bpm == pytest.approx(called, rel=0.01)
    assert np.median(np.diff(beats.times_s)) == pytest.approx(60 / called, rel=0.02)
    fine_s = np.sort(np.concatenate([truth_s, 0.5 * (truth_s[1:] + truth_s[:-1])]))
    assert hits(beats.times_s, fine_s) >= 0.95


@pytest.mark.parametrize("tagged_bpm", [0.0, 1.0, 113.0, 5000.0, float("nan"), float("inf"), -120.0])
def test_a_tag_that_is_no_level_is_passed_over(tagged_bpm) -> None:
    samples = kit_at(in_turn([100], 30.0)[0], 31.0)
    assert track_beats(samples, tagged_bpm).times_s.tolist() == track_beats(samples).times_s.tolist()


def test_a_tag_says_nothing_of_a_track_that_changes() -> None:
    samples = kit_at(*in_turn([90, 140], 30.0))
    assert track_beats(samples, 224.0).times_s.tolist() == track_beats(samples).times_s.tolist()


def test_what_else_the_tempo_may_be_called() -> None:
    tempi = track_beats(kit_at(in_turn([85], 40.0)[0], 41.0)).tempi
    assert sum(tempo.weight for tempo in tempi) == pytest.approx(1.0)
    assert [tempo.weight for tempo in tempi] == sorted((tempo.weight for tempo in tempi), reverse=True)
    assert {85, 170} <= {round(tempo.bpm) for tempo in tempi}
    parts = track_beats(clicks_at(*in_turn([100, 140, 100], 30.0))).tempi
    assert {100, 140} <= {round(tempo.bpm, -1) for tempo in parts}


def test_no_feature_depends_on_a_tag() -> None:
    samples = kit_at(in_turn([85], 30.0)[0], 31.0)
    told, tagged = track_features(samples, ("rhythm",)), track_features(samples, ("rhythm",), tagged_bpm=170.0)
    assert told.arrays["rhythm"].tolist() == tagged.arrays["rhythm"].tolist()
    assert tagged.beats.tempo_bpm == pytest.approx(2 * told.beats.tempo_bpm, rel=0.01)


def test_the_path_keeps_to_a_steady_tempo_through_what_contradicts_it() -> None:
    rng = np.random.default_rng(0)
    envelope = 0.02 * rng.random(6000)
    period = 60.0 * RATE_HZ / BEAT_HOP / 120.0
    envelope[np.arange(10, 6000, period).astype(int)] = 1.0
    envelope[2500:2900] = rng.random(400)  # 6 s of something else
    path = GRID_BPM[tempo_path(tempogram(envelope.astype(np.float32)))]
    assert (np.abs(path / 120.0 - 1.0) < 0.03).all()


def beatless() -> dict[str, NDArray[np.float32]]:
    """Long enough that something repeats somewhere by chance."""
    rng = np.random.default_rng(8)
    t = np.arange(120 * RATE_HZ) / RATE_HZ
    pads = sum(
        np.sin(2 * np.pi * pitch * t + phase) * (1 + 0.5 * np.sin(2 * np.pi * 0.07 * t + phase))
        for phase, pitch in enumerate((220, 277, 330, 440))
    )
    rain = 1e-3 * rng.standard_normal(len(t))
    for at in rng.integers(0, len(t) - 400, 600):
        rain[at : at + 320] += 0.3 * rng.standard_normal(320) * np.exp(-np.arange(320) / 80)
    wind = np.convolve(rng.standard_normal(len(t)), np.ones(60) / 60, "same") * (1 + 0.6 * np.sin(2 * np.pi * 0.11 * t))
    sounds = {
        "noise": 0.1 * rng.standard_normal(300 * RATE_HZ),
        "pads": 0.1 * pads,
        "pads and noise": 0.1 * pads + 0.02 * rng.standard_normal(len(t)),
        "rain": rain,
        "wind": wind,
    }
    return {name: np.asarray(sound, np.float32) for name, sound in sounds.items()}


@pytest.mark.parametrize("kind", beatless())
def test_what_is_long_and_has_no_beats(kind) -> None:
    beats = track_beats(beatless()[kind])
    assert beats.times_s.size == 0 and beats.tempo_bpm == 0.0 and beats.tempi == ()
