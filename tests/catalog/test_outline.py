"""What is told of a track's course and where it may be started, on pieces whose course is known."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from catalog.analysis import analyse
from catalog.gain import gain_db
from catalog.records import Analysis, Outline
from engines.onnx_engine import OnnxEngine
from features.decode.sound import decode
from features.r128 import levels_of

RATE_HZ = 16_000
BEAT_S = 0.5
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "music"
Heard = Callable[[np.ndarray], Analysis]


def piece(seconds: float, level: float = 1.0, root_hz: float = 110.0, hits: float = 0.5) -> np.ndarray:
    """120 beats a minute from 0 s on, a chord a bar of four in turn, a bass drum on the first beat of each."""
    n = round(seconds * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    bar = (t // (4 * BEAT_S)).astype(int)
    steps = np.array([0, 5, 9, 7])[bar % 4]
    sound = sum(0.08 * np.sin(2 * np.pi * root_hz * 2 ** ((steps + third) / 12) * t) for third in (0, 4, 7))
    rng = np.random.default_rng(1)
    burst = rng.normal(size=800) * np.exp(-np.linspace(0, 6, 800))
    drum = np.sin(2 * np.pi * 60 * np.arange(2400) / RATE_HZ) * np.exp(-np.linspace(0, 5, 2400))
    for beat, at in enumerate(range(0, n - 2400, round(BEAT_S * RATE_HZ))):
        sound[at : at + 800] += hits * 0.6 * burst
        if beat % 4 == 0:
            sound[at : at + 2400] += hits * drum
    return (level * sound).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@pytest.fixture
def heard(engine: OnnxEngine) -> Heard:
    return lambda samples: analyse(samples.astype(np.float32), engine)


def outline(found: Analysis) -> Outline:
    assert found.outline is not None
    return found.outline


def starts(found: Analysis) -> np.ndarray:
    return found.starts_s[~np.isnan(found.starts_s)]


def test_a_piece_of_two_minutes(heard: Heard) -> None:
    found = heard(np.concatenate([piece(40, 0.3, hits=0.1), piece(80)]))
    told = outline(found)
    assert told.music_s == ((0.0, pytest.approx(120.0, abs=0.2)),)
    assert told.intro_s == pytest.approx(40.0, abs=0.6)
    assert 110.0 <= told.outro_s <= 118.0  # it stops at full level: its last two bars
    assert np.abs(told.sections_s - 40.0).min() < 0.1
    assert len(told.loudness) == 120 and told.loudness[60] - told.loudness[20] > 6.0
    assert 1000 <= len(told.peaks) <= 2000 and told.peaks.max() > 2 * told.peaks[:500].max()
    assert told.tempi[0][0] == pytest.approx(120, rel=0.02)
    assert told.loops and all(20 <= loop.from_s < loop.to_s <= told.outro_s for loop in told.loops[:1])
    ok = starts(found)
    assert ok[-1] <= 120.0 - 45.0 and len(ok) >= 17
    at = int(np.argmin(np.abs(found.starts_s[: len(ok)] - 40.0)))
    assert found.borders is not None and found.borders[at] >= 0.3


def test_bars_begin_where_the_chord_changes(heard: Heard) -> None:
    told = outline(heard(piece(90)))
    assert len(told.downbeats_s) > 30
    assert np.abs((told.downbeats_s + 1.0) % 2.0 - 1.0).max() < 0.05
    assert all(abs((place + 1.0) % 2.0 - 1.0) < 0.05 for loop in told.loops for place in (loop.from_s, loop.to_s))


def test_clicks_alone_have_no_bars(heard: Heard) -> None:
    clicks = silence(60)
    for at in range(0, len(clicks) - 400, 8_000):
        clicks[at : at + 400] = 0.5 * np.random.default_rng(1).normal(size=400)
    assert len(outline(heard(clicks)).downbeats_s) == 0


def test_a_long_fade_out_is_the_outro(heard: Heard) -> None:
    samples = piece(120)
    fade = np.ones(len(samples))
    fade[80 * RATE_HZ :] = 10 ** (-50 / 20 * np.linspace(0, 1, 40 * RATE_HZ))
    found = heard(samples * fade)
    assert outline(found).outro_s == pytest.approx(82.0, abs=5.0)
    assert starts(found).max() < 82.0


@pytest.mark.parametrize(("first_db", "last_db"), [(0.0, -60.0), (-60.0, 0.0)])
def test_one_fade_from_end_to_end(heard: Heard, first_db: float, last_db: float) -> None:
    samples = piece(120)
    gain = 10 ** (np.linspace(first_db, last_db, len(samples)) / 20)
    found = heard(samples * gain)
    told = outline(found)
    seconds = levels_of((samples * gain).astype(np.float32), RATE_HZ).seconds()
    assert len(starts(found)) >= 1
    for start_s in starts(found):
        assert start_s < told.outro_s and seconds[int(start_s)] > told.lufs - 30.0


def test_a_hidden_track_behind_minutes_of_silence(heard: Heard) -> None:
    found = heard(np.concatenate([piece(60), silence(180), piece(70, root_hz=150)]))
    told = outline(found)
    assert told.music_s == (
        (0.0, pytest.approx(60.0, abs=0.3)), (pytest.approx(240.0, abs=0.3), pytest.approx(310.0, abs=0.3))
    )  # fmt: skip
    ok = starts(found)
    assert ok[ok < 200].max() <= 15.1 and ok[ok > 60].min() >= 239.9 and ok.max() <= 265.1
    short = heard(np.concatenate([piece(60), silence(180), piece(20, root_hz=150)]))
    assert starts(short).max() <= 15.1


def test_silence_before_within_and_behind(heard: Heard) -> None:
    found = heard(np.concatenate([silence(10), piece(50), silence(4), piece(60), silence(23)]))
    told = outline(found)
    assert [round(place) for pair in told.music_s for place in pair] == [10, 60, 64, 124]
    ok = starts(found)
    assert ok.min() == pytest.approx(10.0, abs=0.1)
    assert not ((ok > 15.1) & (ok < 63.9)).any() and ok.max() <= 124 - 45 + 0.1


def test_a_pause_of_two_seconds_parts_nothing(heard: Heard) -> None:
    assert len(outline(heard(np.concatenate([piece(40), silence(2), piece(40)]))).music_s) == 1


def test_a_count_in_is_no_music(heard: Heard) -> None:
    clicks = silence(4)
    for at in range(0, len(clicks), RATE_HZ):
        clicks[at : at + 300] = 0.4 * np.sin(2 * np.pi * 1000 * np.arange(300) / RATE_HZ)
    found = heard(np.concatenate([clicks, piece(80)]))
    assert outline(found).music_s[0][0] == pytest.approx(4.0, abs=0.15)
    assert starts(found).min() == pytest.approx(4.0, abs=0.15)


@pytest.mark.parametrize("seconds", [1.0, 1.3, 5.0, 20.0, 30.0, 44.0])
def test_a_short_track_is_started_at_its_first_beat(heard: Heard, seconds: float) -> None:
    for before in (0.0, 3.5):
        found = heard(np.concatenate([silence(before), piece(seconds)]))
        (start_s,) = starts(found)
        assert before - 0.1 <= start_s <= max(before + 2.0, 0.0)
        assert start_s <= found.duration_s - 1.0 + 1e-6
        assert outline(found).music_s and 0.0 <= outline(found).outro_s <= found.duration_s


def test_what_is_softer_than_all_that_counts_has_a_start_too(heard: Heard) -> None:
    found = heard(piece(60, 0.006))
    assert len(starts(found)) and outline(found).lufs < -55
    hiss = 1.2e-4 * np.random.default_rng(0).normal(size=30 * RATE_HZ)
    hiss[RATE_HZ] = 2e-3
    found = heard(hiss)
    assert outline(found).lufs == float("-inf") and len(starts(found)) == 1 and gain_db(outline(found)) == 0.0


def test_an_hour_is_bounded(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outline and starts alone, from what was measured of an hour: beats, bands, chroma, levels."""
    from catalog.outline import outline_of
    from catalog.starts import starts_of
    from features.beats import BeatTrack, Course
    from features.music import TrackFeatures

    rng = np.random.default_rng(0)
    seconds = 3600
    beats = BeatTrack(np.arange(0.0, seconds - 1, 0.4), np.ones(8998, np.float32), 150.0, 0.9)
    course = Course(rng.random(int(seconds * 62.5), np.float32), rng.random((int(seconds * 62.5), 16), np.float32))
    chroma = rng.random((seconds // 4, 30, 24), np.float32)
    levels = levels_of(0.1 * rng.normal(size=seconds * 8_000).astype(np.float32), 8_000)
    features = TrackFeatures({}, beats, np.zeros(900, np.float32), -20.0, course, chroma)
    begun = time.process_time()
    found = outline_of(float(seconds), levels, features)
    segments = np.arange(0, seconds - 12, 4, dtype=np.float32)
    places, _ = starts_of(
        segments, float(seconds), levels, found.stretches, found.outline.sections_s, found.strengths, found.grid_s
    )
    assert time.process_time() - begun < 5.0  # 0.8 s on a busy machine
    assert (~np.isnan(places)).sum() > 800 and len(found.outline.loops) <= 3 and len(found.outline.peaks) <= 2000


def of(lufs: float, peak_db: float) -> Outline:
    nothing = np.zeros(0, np.float32)
    return Outline(lufs, 5.0, peak_db, nothing, np.zeros(0, np.uint8), ((0.0, 1.0),), 0.0, 1.0, nothing, nothing, ())


@pytest.mark.parametrize(
    ("lufs", "peak_db", "expected"),
    [(-10.0, 0.5, -6.0), (-20.0, -9.0, 4.0), (-20.0, -3.0, 2.0), (-16.5, 2.0, -3.0), (-40.0, -30.0, 12.0),
     (9.0, 12.0, -24.0), (float("-inf"), -60.0, 0.0)],
)  # fmt: skip
def test_the_gain_is_bounded_and_never_clips(lufs: float, peak_db: float, expected: float) -> None:
    assert gain_db(of(lufs, peak_db)) == pytest.approx(expected)


def test_the_gain_for_another_target() -> None:
    assert gain_db(of(-20.0, -9.0), target_lufs=-23.0) == pytest.approx(-3.0)
    assert gain_db(of(-20.0, -9.0), ceiling_db=-6.0) == pytest.approx(3.0)


def test_real_music_is_never_started_where_it_is_silent(heard: Heard) -> None:
    path = REAL / "opensurge_intro.ogg"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    sound = decode(path, levels=True)
    engine_free = heard(sound.samples)
    assert outline(engine_free).music_s == ((pytest.approx(0.0, abs=0.3), pytest.approx(100.8, abs=0.3)),)
    assert starts(engine_free).max() <= 56.0 and len(starts(engine_free)) >= 10
    assert sound.levels is not None and sound.levels.lufs == pytest.approx(-9.1, abs=0.2)  # as FFmpeg's meter says


@pytest.mark.parametrize("channels", [1, 6])
def test_any_number_of_channels(tmp_path: Path, heard: Heard, channels: int) -> None:
    path = tmp_path / "some.wav"
    soundfile.write(path, np.repeat(0.5 * piece(60)[:, None], channels, axis=1), RATE_HZ)
    sound = decode(path, levels=True)
    assert sound.levels is not None and len(sound.levels.power) == 600
    assert starts(heard(sound.samples)).max() <= 15.1


@pytest.mark.parametrize("first", [True, False])
def test_a_soft_half_is_no_intro_or_outro(heard: Heard, first: bool) -> None:
    halves = [piece(60, 0.35, hits=0.1), piece(60)]
    found = heard(np.concatenate(halves if first else halves[::-1]))
    assert outline(found).intro_s <= (61.0 if first else 2.1) and outline(found).outro_s >= 110.0
    assert len(starts(found)) >= 15
