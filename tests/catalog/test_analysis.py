"""Segments, starts and windows, against small cases worked out by hand and against the graphs run one by one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.analysis import analyse, segment_starts, windows
from engines.onnx_engine import OnnxEngine
from features.errors import AudioError
from features.music import clip_features, track_features


def music(duration_s: float) -> np.ndarray:
    """Clicks at 120 bpm, the first at 0.5 s, over a chord that changes with every clip."""
    rng = np.random.default_rng(1)
    t = np.arange(int(duration_s * 16_000)) / 16_000
    sound = 0.1 * np.sin(2 * np.pi * (200 + 60 * (t // 4)) * t)
    for at in range(8_000, len(t) - 800, 8_000):
        sound[at : at + 800] += 0.5 * rng.normal(size=800) * np.exp(-np.linspace(0, 6, 800))
    return sound.astype(np.float32)


@pytest.mark.parametrize(("clips", "last"), [(1, 0), (3, 0), (7, 0), (8, 4), (20, 16)])
def test_segments_start_at_each_clip_until_most_of_one_would_be_empty(clips: int, last: int) -> None:
    assert segment_starts(clips).tolist() == list(range(last + 1))


def test_windows_hold_zeros_behind_the_end() -> None:
    values = np.arange(1, 11, dtype=np.float32)[:, None]
    picked, mask = windows(values, np.array([0, 6]))
    assert picked[:, :, 0].tolist() == [[1, 2, 3, 4, 5, 6, 7], [7, 8, 9, 10, 0, 0, 0]]
    assert mask.tolist() == [[True] * 7, [True] * 4 + [False] * 3]


def test_a_track_as_the_graphs_see_it_one_by_one(engine: OnnxEngine) -> None:
    samples = music(150.0)  # 38 clips: more than one batch
    found = analyse(samples, engine)
    mels = np.stack([clip["clip_mel"] for clip in clip_features(samples, ("clip_mel",))])
    rhythm = track_features(samples, ("rhythm",)).arrays["rhythm"]
    assert found.duration_s == 150.0 and found.tempo_bpm == pytest.approx(120, abs=1)
    assert found.first_clips.tolist() == list(range(35))
    clips = np.concatenate([engine.run("music_clip", {"clip_mel": mel[None]})["embedding"] for mel in mels])
    np.testing.assert_allclose(found.clips, clips, atol=1e-5)
    np.testing.assert_array_equal(found.rhythm, rhythm)
    for i in (0, 31, 32, 34):
        valid = min(7, len(clips) - i)
        inputs = {
            "clips": np.zeros((1, 7, clips.shape[1]), np.float32),
            "mask": np.arange(7)[None] < valid,
            "rhythm": np.zeros((1, 7, 3), np.float32),
        }
        inputs["clips"][0, :valid], inputs["rhythm"][0, :valid] = clips[i : i + 7], rhythm[i : i + 7]
        vector = engine.run("music_sequence", inputs)["embedding"]
        np.testing.assert_allclose(found.vectors[i], vector[0], atol=1e-5)
        np.testing.assert_allclose(found.moods[i], engine.run("mood", {"embedding": vector})["mood"][0], atol=1e-5)
    starts = found.starts_s[~np.isnan(found.starts_s)]
    assert found.outline is not None and found.borders is not None
    on_beat = np.isin(starts, found.beats) | np.isin(starts, found.outline.sections_s)
    assert on_beat.all() and (np.diff(starts) > 0).all() and starts[-1] <= 105.0
    assert len(starts) == 27 and np.isnan(found.starts_s[27:]).all()
    assert np.abs(starts - 4.0 * np.arange(27)).max() <= 2.0


def test_a_short_track_is_one_segment(engine: OnnxEngine) -> None:
    found = analyse(music(9.5), engine)
    assert found.clips.shape[0] == 3 and found.vectors.shape[0] == 1
    assert np.linalg.norm(found.vectors[0]) == pytest.approx(1, abs=1e-4)


def test_a_bundle_without_mood(engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine.bundle.__dict__, "graphs", replace(engine.bundle.graphs, mood=None))
    assert analyse(music(5), engine).moods is None


@pytest.mark.parametrize("level", [0.0, 5e-4])
def test_silence_is_refused(engine: OnnxEngine, level: float) -> None:
    with pytest.raises(AudioError, match="silent"):
        analyse(np.full(48_000, level, np.float32), engine)


def test_the_real_tracks_have_plausible_beats(engine: OnnxEngine) -> None:
    from features.decode.sound import decode

    path = Path(__file__).parents[2].parent / "shared" / "data" / "music" / "neverball_track3.ogg"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    found = analyse(decode(path).samples, engine)
    assert found.tempo_bpm == pytest.approx(120, abs=1.5)
    assert len(found.beats) == pytest.approx(2 * found.duration_s, rel=0.05)


@pytest.mark.parametrize("gain_db", [-18.0, -6.0, 6.0])
def test_a_louder_master_is_the_same_track(gain_db: float) -> None:
    """Through the towers that ship; the real tracks, where they are, cut to what a test has time for."""
    from engines.bundle import default_bundle, load_bundle
    from features.decode.sound import decode
    from features.spec import FEATURES

    files = sorted((Path(__file__).parents[2].parent / "shared" / "data" / "music").glob("*.ogg"))
    tracks = {"made": music(30.0)} | {file.stem: decode(file).samples[: 30 * 16_000] for file in files[::4]}
    towers = OnnxEngine(load_bundle(default_bundle(), FEATURES))
    for name, samples in tracks.items():
        one, other = analyse(samples, towers), analyse(samples * np.float32(10 ** (gain_db / 20)), towers)
        assert (one.vectors * other.vectors).sum(axis=1).min() >= 0.98, name
        assert one.moods is not None and other.moods is not None
        assert np.abs(one.moods - other.moods).max() < 0.03, name
    towers.close()
