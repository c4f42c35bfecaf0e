"""Which files of a folder are tried, by their names."""

import os
from pathlib import Path

from catalog.scan import extension, named_as_music, scan


def test_endings_count_in_either_case(tmp_path: Path) -> None:
    for name in ("A.MP3", "b.Flac", "c.ogg", "COVER.JPG", "song.MOD", "Notes.TXT"):
        (tmp_path / name).touch()
    found = scan(tmp_path, tmp_path / "catalogue")
    assert [path.name for path in found.files] == ["A.MP3", "b.Flac", "c.ogg"]
    assert found.skipped == 2 and found.scores == {"mod": 1}
    assert extension(Path("x.MP3")) == "mp3" and named_as_music(Path("LIVE.WAV"))


def test_a_cue_sheet_in_capitals_is_found(tmp_path: Path) -> None:
    (tmp_path / "DISC.WAV").touch()
    sheet = 'FILE "DISC.WAV" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n  TRACK 02 AUDIO\n    INDEX 01 03:00:00\n'
    (tmp_path / "DISC.CUE").write_text(sheet)
    found = scan(tmp_path, tmp_path / "catalogue")
    assert found.sheets == {tmp_path / "DISC.WAV": tmp_path / "DISC.CUE"}


def test_what_lies_beside_is_read_only_from_plain_files(tmp_path: Path) -> None:
    for name in ("segue.csv", "a.cue", "b.m3u8"):
        os.mkfifo(tmp_path / name)
    found = scan(tmp_path, tmp_path / "catalogue")
    assert (found.sidecars, found.sheets, found.playlists, found.skipped) == ([], {}, [], 2)
    for path in tmp_path.iterdir():
        path.unlink()
        path.touch()
    found = scan(tmp_path, tmp_path / "catalogue")
    assert (len(found.sidecars), len(found.playlists)) == (1, 1)
