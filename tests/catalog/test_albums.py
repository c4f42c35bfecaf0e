"""One file that holds an album: its tracks in the catalogue, each with its own name, times and analysis."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.flac
import numpy as np
import pytest
import soundfile

from catalog.catalog import Catalog
from catalog.indexer import index_folder
from catalog.records import Track
from catalog.report import IndexReport
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine

Writer = Callable[..., Path]
CUE = """TITLE "Album"
PERFORMER "Band"
FILE "{name}" WAVE
TRACK 01 AUDIO
TITLE "Slow"
INDEX 01 00:00:00
TRACK 02 AUDIO
TITLE "Fast"
PERFORMER "Guest"
INDEX 01 00:12:00
"""


@pytest.fixture
def album(tmp_path: Path, write_music: Writer) -> Path:
    """12 s at 100 bpm and 10 s at 150, in one FLAC file."""
    kinds = ((1, 12, 100), (2, 10, 150))
    parts = [write_music(tmp_path / f"{i}.wav", duration_s=s, bpm=bpm, seed=i) for i, s, bpm in kinds]
    path = tmp_path / "music" / "album.flac"
    path.parent.mkdir()
    soundfile.write(path, np.concatenate([soundfile.read(part)[0] for part in parts]), 22_050)
    return path


def indexed(tmp_path: Path, engine: OnnxEngine, jobs: int = 1) -> IndexReport:
    return index_folder(tmp_path / "music", tmp_path / "catalogue", engine, jobs, lambda *_: None)


def tracks_of(tmp_path: Path, bundle: Bundle) -> list[Track]:
    with Catalog.open(tmp_path / "catalogue", bundle) as catalog:
        return sorted(catalog.tracks(), key=lambda track: track.begin_s)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cue_sheet_makes_tracks(
    tmp_path: Path, album: Path, engine: OnnxEngine, bundle: Bundle, write_music: Writer, jobs: int
) -> None:
    album.with_suffix(".cue").write_text(CUE.format(name="album.wav"))
    report = indexed(tmp_path, engine, jobs)
    assert (report.added, report.tracks, report.failed, report.notes) == (2, 2, (), ())
    slow, fast = tracks_of(tmp_path, bundle)
    assert (slow.title, slow.artist, fast.title, fast.artist) == ("Slow", "Band", "Fast", "Guest")
    assert (slow.begin_s, slow.end_s, fast.begin_s, fast.end_s) == (0.0, 12.0, 12.0, None)
    assert slow.id != fast.id and slow.path == fast.path == album
    assert slow.duration_s == pytest.approx(12, abs=0.01) and fast.duration_s == pytest.approx(10, abs=0.01)
    assert slow.tempo_bpm == pytest.approx(100, abs=1) and fast.tempo_bpm == pytest.approx(150, abs=1.5)
    # What is heard of a part is what is heard of the same sound in a file of its own.
    shutil.copy(tmp_path / "2.wav", write_music(tmp_path / "alone" / "x.wav").with_name("fast.wav"))
    (tmp_path / "alone" / "x.wav").unlink()
    index_folder(tmp_path / "alone", tmp_path / "other", engine, 1, lambda *_: None)
    with Catalog.open(tmp_path / "catalogue", bundle) as one, Catalog.open(tmp_path / "other", bundle) as other:
        (alone,) = other.tracks()
        assert float(one.vector(fast.id) @ other.vector(alone.id)) > 0.999
        np.testing.assert_allclose(one.beats(fast.id), other.beats(alone.id), atol=0.01)
        whole, part = one.outline(slow.id), one.outline(fast.id)
        assert whole is not None and part is not None
        assert (len(whole.loudness), len(part.loudness)) == (12, 10)
        assert part.music_s[0][0] < 1.0 and part.music_s[-1][1] == pytest.approx(10.0, abs=0.5)
        own = other.outline(alone.id)
        assert own is not None and part.lufs == pytest.approx(own.lufs, abs=0.3)
        for candidate in one.search(one.vector(fast.id), 2):
            assert 0 <= candidate.start_s <= candidate.track.duration_s - 1
            assert candidate.start_s in one.beats(candidate.track.id)
    assert indexed(tmp_path, engine).unchanged == 2


def test_a_changed_sheet_and_one_that_goes(tmp_path: Path, album: Path, engine: OnnxEngine, bundle: Bundle) -> None:
    assert indexed(tmp_path, engine).tracks == 1
    sheet = album.with_suffix(".cue")
    sheet.write_text(CUE.format(name="album.flac"))
    assert indexed(tmp_path, engine).tracks == 2
    before = [track.id for track in tracks_of(tmp_path, bundle)]
    sheet.write_text(CUE.format(name="album.flac").replace("Slow", "Very slow"))
    report = indexed(tmp_path, engine)
    assert (report.retagged, report.unchanged) == (1, 1)
    after = tracks_of(tmp_path, bundle)
    assert after[0].title == "Very slow" and [track.id for track in after] == before
    album.rename(album.with_name("renamed.flac"))
    sheet.write_text(CUE.format(name="renamed.flac"))
    report = indexed(tmp_path, engine)
    assert (report.renamed, report.tracks, report.missing) == (2, 2, 0)
    assert [track.id for track in tracks_of(tmp_path, bundle)] == before
    sheet.unlink()
    assert indexed(tmp_path, engine).tracks == 1


def embedded(path: Path) -> None:
    file = mutagen.File(path)
    file["cuesheet"] = [CUE.replace('FILE "{name}" WAVE\n', "")]
    file.save()


def block(path: Path) -> None:
    file = mutagen.flac.FLAC(path)
    file["title"] = ["Album"]
    sheet = mutagen.flac.CueSheet(None)
    for number, at in ((1, 0), (2, 12 * 22_050), (170, 22 * 22_050)):
        track = mutagen.flac.CueSheetTrack(number, at)
        if number != 170:
            track.indexes.append(mutagen.flac.CueSheetTrackIndex(1, 0))
        sheet.tracks.append(track)
    file.cuesheet = sheet
    file.metadata_blocks.append(sheet)
    file.save()


@pytest.mark.parametrize(
    ("write", "titles"), [(embedded, ["Slow", "Fast"]), (block, ["Album 01", "Album 02"])], ids=["tag", "block"]
)
def test_a_cue_sheet_inside_the_file(
    tmp_path: Path, album: Path, engine: OnnxEngine, bundle: Bundle, write: Callable[[Path], None], titles: list[str]
) -> None:
    write(album)
    assert indexed(tmp_path, engine).tracks == 2
    tracks = tracks_of(tmp_path, bundle)
    assert [track.title for track in tracks] == titles and [track.begin_s for track in tracks] == [0.0, 12.0]


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("kind", ["m4b", "mka"])
def test_chapters(tmp_path: Path, album: Path, engine: OnnxEngine, bundle: Bundle, kind: str) -> None:
    text = ";FFMETADATA1\n" + "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={begin}\nEND={end}\ntitle={title}\n"
        for begin, end, title in ((0, 12_000, "Slow"), (12_000, 22_000, "Fast"))
    )
    (tmp_path / "chapters").write_text(text)
    words = ["-i", album, "-i", tmp_path / "chapters", "-map_metadata", "1", "-map", "0:a"]
    subprocess.run(["ffmpeg", "-v", "error", *words, album.with_suffix(f".{kind}")], check=True)
    album.unlink()
    assert indexed(tmp_path, engine).tracks == 2
    slow, fast = tracks_of(tmp_path, bundle)
    assert (slow.title, fast.title, fast.begin_s, fast.end_s) == ("Slow", "Fast", 12.0, None)
    assert fast.tempo_bpm == pytest.approx(150, abs=1.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CUE.replace("00:12:00", "00:00:00"), "does not begin after"),
        (CUE.replace("00:12:00", "00:30:00"), "past the end"),
        (CUE.replace("{name}", "gone.wav"), "not beside it"),
        (CUE + 'FILE "b.wav" WAVE\nTRACK 03 AUDIO\nINDEX 01 00:00:00\n', "names 2 FILEs"),
        ("no cue sheet", "names no FILE"),
    ],
)
def test_a_bad_sheet_is_named_and_the_file_taken_whole(
    tmp_path: Path, album: Path, engine: OnnxEngine, bundle: Bundle, text: str, says: str
) -> None:
    album.with_suffix(".cue").write_text(text.format(name="album.flac"))
    report = indexed(tmp_path, engine)
    assert report.tracks == 1 and [says in note.text for note in report.notes] == [True]
    (track,) = tracks_of(tmp_path, bundle)
    assert (track.title, track.begin_s, track.end_s) == ("album", 0.0, None)


def test_a_part_that_cannot_be_used_harms_no_other(tmp_path: Path, album: Path, engine: OnnxEngine) -> None:
    samples, rate = soundfile.read(album)
    samples[11 * rate :] = 0
    soundfile.write(album, samples, rate)
    album.with_suffix(".cue").write_text(CUE.format(name="album.flac"))
    report = indexed(tmp_path, engine)
    assert report.tracks == 1
    assert [note.text.startswith("track 'Fast' is silent") for note in report.failed] == [True]


def test_a_file_with_a_sheet_that_is_touched_is_not_heard_again(
    tmp_path: Path, album: Path, engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.with_suffix(".cue").write_text(CUE.format(name="album.flac"))
    indexed(tmp_path, engine)
    os.utime(album, (1, 1))
    monkeypatch.setattr("features.decode.sound.decode", lambda *_: pytest.fail("decoded again"))
    assert indexed(tmp_path, engine).unchanged == 2
