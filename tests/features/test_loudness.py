"""Loudness against the standard's own figures and FFmpeg's meter, and the gain that follows from it."""

import numpy as np
import pytest

from features.errors import FeatureError
from features.loudness import level_gain, loudness
from features.music import PER_CLIP, PER_TRACK, clip_features, track_features
from features.spec import LEVEL_LUFS


def sine(hz: float, seconds: float, peak: float = 1.0) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * 16_000)) / 16_000)).astype(np.float32)


def music(seconds: float = 10.0) -> np.ndarray:
    """Hits that grow over a chord."""
    rng, n = np.random.default_rng(2), round(seconds * 16_000)
    sound = 0.05 * sine(220, seconds) + 0.05 * sine(331, seconds)
    for at in range(4_000, n - 2_000, 8_000):
        sound[at : at + 2_000] += 0.4 * at / n * rng.standard_normal(2_000) * np.exp(-np.arange(2_000) / 400)
    return sound.astype(np.float32)


def ffmpeg_lufs(samples: np.ndarray) -> float:
    """By its meter ``ebur128``, at 48 kHz as the standard has it."""
    import av
    from av.audio.resampler import AudioResampler
    from av.filter import Graph

    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = 16_000
    graph = Graph()
    source = graph.add_abuffer(format="flt", sample_rate=48_000, layout="mono")
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    resampler = AudioResampler("flt", "mono", 48_000, frame_size=4_800)
    last = float("nan")
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        source.push(piece)
        while True:
            try:
                last = float(sink.pull().metadata["lavfi.r128.I"])
            except (BlockingIOError, EOFError, av.error.EOFError):
                break
    return last


def test_the_standards_own_figure() -> None:
    assert loudness(sine(997, 5)) == pytest.approx(-3.01, abs=0.05)
    assert loudness(sine(997, 5, peak=0.1)) == pytest.approx(-23.01, abs=0.05)


@pytest.mark.parametrize("kind", ["music", "noise", "bass", "soft end"])
def test_as_ffmpeg_measures(kind: str) -> None:
    sounds = {
        "music": music(),
        "noise": (0.1 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32),
        "bass": sine(60, 10, 0.5),
        "soft end": np.concatenate([music(), 0.003 * music(), np.zeros(80_000, np.float32)]),
    }
    # What lies above 8 kHz is missing at 16 kHz on both sides; the shelf just below it bends a little.
    assert loudness(sounds[kind]) == pytest.approx(ffmpeg_lufs(sounds[kind]), abs=0.3)


def test_silence_and_what_is_short() -> None:
    assert loudness(np.zeros(16_000, np.float32)) == float("-inf")
    assert loudness(np.zeros(0, np.float32)) == float("-inf")
    assert loudness(sine(997, 0.25)) == pytest.approx(-3.01, abs=0.3)
    with pytest.raises(FeatureError, match="NaN"):
        loudness(np.full(16_000, np.nan, np.float32))


def test_long_tracks_are_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = loudness(music())
    monkeypatch.setattr("features.loudness._PIECE", 3_200)
    assert loudness(music()) == pytest.approx(whole, abs=1e-9)


def test_the_gain_is_bounded() -> None:
    samples = music()
    assert loudness(level_gain(samples) * samples) == pytest.approx(LEVEL_LUFS, abs=1e-3)
    assert level_gain(np.zeros(16_000, np.float32)) == 1.0
    assert level_gain(np.zeros(0, np.float32)) == 1.0
    hiss = (1e-4 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32)  # below the gate
    assert level_gain(hiss) == 1.0
    soft = (6e-4 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32)
    assert level_gain(soft) == pytest.approx(100.0, rel=0.3)
    soft[50_000] = 8.0
    assert np.abs(level_gain(soft) * soft).max() <= 32.001


@pytest.mark.parametrize("gain_db", [-18.0, -12.0, -6.0, 6.0])
def test_no_feature_depends_on_how_loud_a_track_is(gain_db: float) -> None:
    samples = music()
    other = (samples * 10 ** (gain_db / 20)).astype(np.float32)
    pairs = zip(clip_features(samples, PER_CLIP), clip_features(other, PER_CLIP), strict=True)
    for clip, (one, two) in enumerate(pairs):
        for name in PER_CLIP:
            scale = np.abs(one[name]).max()
            assert np.abs(one[name] - two[name]).max() < 2e-3 * scale, (clip, name)
    told, again = track_features(samples, PER_TRACK), track_features(other, PER_TRACK)
    for name in PER_TRACK:
        assert told.arrays[name] == pytest.approx(again.arrays[name], abs=2e-2), name
    assert again.lufs - told.lufs == pytest.approx(gain_db, abs=0.01)


def test_what_is_soft_in_a_track_stays_soft() -> None:
    samples = np.concatenate([0.1 * music(8.0), music(8.0)])
    mels = [clip["clip_mel"].mean() for clip in clip_features(samples, ("clip_mel",))]
    assert max(mels[2:]) > min(mels[:2]) + 2.0


def test_a_part_is_levelled_as_its_whole() -> None:
    whole = np.concatenate([0.1 * music(8.0), music(8.0)])
    first = next(clip_features(whole, ("clip_mel",)))["clip_mel"]
    part = next(clip_features(whole[: 8 * 16_000], ("clip_mel",), loudness(whole)))["clip_mel"]
    alone = next(clip_features(whole[: 8 * 16_000], ("clip_mel",)))["clip_mel"]
    assert part == pytest.approx(first, abs=1e-5)
    assert alone.mean() > part.mean() + 1.0
