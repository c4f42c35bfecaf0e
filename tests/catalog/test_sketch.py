"""One recording in several files is known by its sound; other music, takes and arrangements are not taken for it."""

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog.catalog import Catalog
from catalog.indexer import index_folder
from catalog.report import IndexReport
from catalog.sketch import Sketch, same_recording, sketch
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine
from features.decode.sound import decode
from studio.library import demo_tracks
from studio.music import render as music

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "music"
Writer = Callable[..., Path]
Encode = Callable[..., Path]
# File ending and what FFmpeg is told.
ENCODINGS = {
    "mp3 64": ("mp3", ("-b:a", "64k")),
    "mp3 128": ("mp3", ("-b:a", "128k")),
    "mp3 320": ("mp3", ("-b:a", "320k")),
    "mono": ("mp3", ("-b:a", "64k", "-ac", "1", "-ar", "22050")),
    "opus": ("opus", ("-b:a", "48k")),
    "m4a": ("m4a", ("-b:a", "96k")),
    "vorbis": ("ogg", ("-q:a", "2")),
    "soft": ("flac", ("-af", "volume=-6dB")),
    "cut": ("flac", ("-ss", "0.5")),
    "cut mp3": ("mp3", ("-ss", "0.517", "-af", "volume=-6dB", "-b:a", "64k")),
}


def pieces(count: int, seconds: float = 30.0) -> list[np.ndarray]:
    """Made-up pieces of all styles, mono at 16 kHz."""
    recipes = [track.recipe for track in demo_tracks(count, 3)]
    return [music.render(recipe, seconds, rate_hz=16_000).mean(axis=1, dtype=np.float32) for recipe in recipes]


@pytest.fixture(scope="module")
def made() -> list[Sketch]:
    return [sketch(piece) for piece in pieces(14)]


def encode(source: Path, target: Path, *words: str) -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, "-map_metadata", "-1", *words, target]
    subprocess.run(command, check=True)
    return target


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("name", ["neverball_track1", "opensurge_menu"])
def test_encodings_of_a_human_made_track(tmp_path: Path, name: str) -> None:
    if not (REAL / f"{name}.ogg").exists():
        pytest.skip(f"{REAL} is absent")
    whole = encode(REAL / f"{name}.ogg", tmp_path / "whole.flac", "-t", "30")
    mine = sketch(decode(whole).samples)
    for kind, (ending, words) in ENCODINGS.items():
        other = sketch(decode(encode(whole, tmp_path / f"other.{ending}", *words)).samples)
        assert same_recording(mine, other) and same_recording(other, mine), kind


def test_human_made_tracks_are_not_taken_for_each_other() -> None:
    paths = sorted(REAL.glob("*.ogg"))
    if not paths:
        pytest.skip(f"{REAL} is absent")
    sketches = [sketch(decode(path).samples[: 35 * 16_000]) for path in paths]  # of one length, so that all compare
    for (one, mine), (other, its) in itertools.combinations(zip(paths, sketches, strict=True), 2):
        assert not same_recording(mine, its), (one, other)


def test_made_up_pieces_are_not_taken_for_each_other(made: list[Sketch]) -> None:
    assert not any(same_recording(one, other) for one, other in itertools.combinations(made, 2))
    assert all(same_recording(one, one) for one in made)


def test_without_its_lead_or_at_another_speed_it_is_another_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = demo_tracks(14, 3)[:8]
    whole = [music.render(track.recipe, 30.0, rate_hz=16_000).mean(axis=1, dtype=np.float32) for track in tracks]
    score = music.write_score
    heard = 0

    def without_lead(*given: object) -> list[object]:
        return [note for note in score(*given) if note.part != "lead"]  # type: ignore[arg-type]

    monkeypatch.setattr(music, "write_score", without_lead)
    for track, piece in zip(tracks, whole, strict=True):
        bare = music.render(track.recipe, 30.0, rate_hz=16_000).mean(axis=1, dtype=np.float32)
        if np.abs(bare - piece).mean() > 0.2 * np.abs(piece).mean():  # where there is a lead to speak of
            heard += 1
            assert not same_recording(sketch(piece), sketch(bare)), track.title
        faster = np.interp(np.arange(0, len(piece), 1.03), np.arange(len(piece)), piece).astype(np.float32)
        assert not same_recording(sketch(piece), sketch(faster)), track.title
    assert heard >= 3


def test_a_piece_that_goes_on_otherwise_is_another(made: list[Sketch]) -> None:
    spliced = Sketch(made[0].levels, np.concatenate([made[0].words[:600], made[1].words[600:]]))
    assert not same_recording(made[0], spliced)


def test_one_rhythm_in_two_harmonies() -> None:
    """Bursts at the same moments over chords that never move."""
    sounds = []
    for seed in range(14):
        rng, t = np.random.default_rng(seed), np.arange(12 * 16_000) / 16_000
        sound = 0.05 * sum(np.sin(2 * np.pi * f * t) for f in rng.uniform(150, 900, 3))
        for at in range(4_000, len(t) - 800, 8_000):
            sound[at : at + 640] += 0.4 * rng.normal(size=640) * np.exp(-np.linspace(0, 6, 640))
        sounds.append(sketch(sound.astype(np.float32)))
    assert not any(same_recording(one, other) for one, other in itertools.combinations(sounds, 2))


def test_a_sketch_comes_back_as_it_was_stored(made: list[Sketch]) -> None:
    back = Sketch.of(made[0].data)
    np.testing.assert_array_equal(back.levels, made[0].levels)
    np.testing.assert_array_equal(back.words, made[0].words)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 3.0])
def test_what_is_too_short_is_never_taken_for_one(seconds: float) -> None:
    short = sketch(pieces(1, 4.0)[0][: int(seconds * 16_000)])
    assert not same_recording(short, short)


def test_silence_tells_nothing() -> None:
    silence = sketch(np.zeros(20 * 16_000, np.float32))
    assert not same_recording(silence, silence)


@pytest.mark.needs("ffmpeg")
def test_a_library_in_two_formats_has_one_row_a_recording(
    tmp_path: Path, engine: OnnxEngine, bundle: Bundle, write_music: Writer
) -> None:
    import soundfile

    for number, piece in enumerate(pieces(3)):
        path = tmp_path / "music" / f"{number}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, piece, 16_000)
        encode(path, path.with_suffix(".mp3"), "-b:a", "128k")
        encode(path, path.with_suffix(".opus"), "-ss", "0.4")

    def indexed() -> IndexReport:
        return index_folder(tmp_path / "music", tmp_path / "catalogue", engine, 1, lambda *_: None)

    def suggested() -> list[str]:
        with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
            tracks = catalog.tracks()
            found = catalog.search(catalog.vector(tracks[0].id), 9)
            assert len(found) == len(tracks) == len(catalog)
            return sorted(candidate.track.path.name for candidate in found)

    report = indexed()
    assert (report.added, report.copies, report.tracks) == (9, 6, 3)
    assert suggested() == ["0.flac", "1.flac", "2.flac"]  # lossless before lossy
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        flac = next(track for track in catalog.tracks() if track.path.name == "0.flac")
    (tmp_path / "music" / "0.flac").unlink()
    assert (indexed().tracks, suggested()) == (3, ["0.mp3", "1.flac", "2.flac"])  # longer before shorter
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog, pytest.raises(ValueError, match="no such track"):
        catalog.track(flac.id)
    (tmp_path / "music" / "0.mp3").unlink()
    assert (indexed().missing, suggested()) == (2, ["0.opus", "1.flac", "2.flac"])


def test_a_piece_and_the_same_played_backwards_have_one_row(tmp_path: Path, engine: OnnxEngine, bundle: Bundle) -> None:
    import soundfile

    (tmp_path / "music").mkdir()
    for number, piece in enumerate(pieces(2)):
        soundfile.write(tmp_path / "music" / f"{number}.flac", piece, 16_000)
    soundfile.write(tmp_path / "music" / "backwards.flac", 0.6 * piece[::-1], 16_000)
    report = index_folder(tmp_path / "music", tmp_path / "catalogue", engine, 1, lambda *_: None)
    assert (report.added, report.copies, report.tracks) == (3, 1, 2)
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        assert len(catalog.search(catalog.vector(catalog.tracks()[0].id), 9)) == 2
