"""Cue sheets as programs and people write them, and chapters: one file, several tracks."""

import codecs
from pathlib import Path

import pytest

from catalog.cuesheet import SheetError, decode_text, match_sheets, parse_sheet
from catalog.identity import Chapter, Identity
from catalog.parts import parts_of
from catalog.tags import Tags

SHEET = """REM GENRE Jazz
PERFORMER "The Band"
TITLE "Live"
FILE "album.wav" WAVE
  TRACK 01 AUDIO
    TITLE "First \u201cone\u201d"
    PERFORMER "Zoë"
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE Second
    INDEX 00 00:09:00
    INDEX 01 00:10:37
  TRACK 03 AUDIO
    INDEX 01 01:00:00
"""
TAGS = Tags("album", "", (), "CC0-1.0", 120.0)


def test_titles_artists_and_times() -> None:
    sheet = parse_sheet(SHEET)
    assert (sheet.file, sheet.title, sheet.performer, sheet.genre) == ("album.wav", "Live", "The Band", "Jazz")
    assert [(track.title, track.performer) for track in sheet.tracks] == [
        ("First \u201cone\u201d", "Zoë"),
        ("Second", ""),
        ("", ""),
    ]
    assert [track.begin_s for track in sheet.tracks] == [0.0, pytest.approx(10 + 37 / 75), 60.0]


@pytest.mark.parametrize("data", [SHEET.encode(), codecs.BOM_UTF8 + SHEET.encode(), SHEET.encode("cp1252"),
                                  SHEET.encode("utf-16"), SHEET.replace("\n", "\r\n").encode()])  # fmt: skip
def test_encodings(data: bytes) -> None:
    first = parse_sheet(decode_text(data)).tracks[0]
    assert (first.title, first.performer) == ("First \u201cone\u201d", "Zoë")


def test_latin_1_that_is_no_cp1252() -> None:
    assert decode_text(b"TITLE Zo\xeb \x81") == "TITLE Zoë \x81"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SHEET.replace("00:10:37", "00:00:00"), "track 2 does not begin after track 1"),
        (SHEET.replace("INDEX 01 01:00:00", "INDEX 01 00:05:00"), "track 3 does not begin after track 2"),
        (SHEET.replace('FILE "album.wav" WAVE', ""), "names no FILE"),
        (SHEET + 'FILE "other.wav" WAVE\nTRACK 04 AUDIO\nINDEX 01 00:00:00\n', "names 2 FILEs"),
        (SHEET.replace("01:00:00", "01:00:75"), "no MM:SS:FF"),
        (SHEET.replace("01:00:00", "1 minute"), "no MM:SS:FF"),
        (SHEET.replace("    INDEX 01 00:10:37\n", ""), "track 2 has no INDEX 01"),
        ('FILE "album.wav" WAVE', "names no track"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(SheetError, match=says):
        parse_sheet(text)


def test_data_tracks_are_no_music() -> None:
    text = 'FILE "x.wav" WAVE\nTRACK 01 MODE1/2352\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 01 00:30:00\n'
    assert [track.number for track in parse_sheet(text).tracks] == [2]


@pytest.mark.parametrize("name", ["album.wav", "ALBUM.WAV", "album.flac", "C:\\rips\\album.wav", "album.mp3"])
def test_a_sheet_finds_its_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "any.cue").write_text(SHEET.replace("album.wav", name))
    files = [tmp_path / "album.flac", tmp_path / "other.flac", tmp_path / "deep" / "album.wav"]
    matched, notes = match_sheets([tmp_path / "any.cue"], files)
    assert matched == {tmp_path / "album.flac": tmp_path / "any.cue"} and notes == []


def test_sheets_of_no_use_are_named(tmp_path: Path) -> None:
    for name, text in (("a", SHEET), ("b", SHEET), ("c", SHEET.replace("album", "gone")), ("d", "no sheet")):
        (tmp_path / f"{name}.cue").write_text(text)
    matched, notes = match_sheets([tmp_path / f"{name}.cue" for name in "abcde"], [tmp_path / "album.ape"])
    assert matched == {tmp_path / "album.ape": tmp_path / "a.cue"}
    said = {path.stem: text for path, text in notes}
    assert "cut by a.cue already" in said["b"] and "'gone.wav', which is not beside it" in said["c"]
    assert "names no FILE" in said["d"] and "cannot be read" in said["e"]


def test_the_parts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "album.cue"
    path.write_text(SHEET)
    parts, notes = parts_of(tmp_path / "album.flac", Identity("aa" * 8, 90.0, True, ()), TAGS, path)
    assert notes == [] and len({part.id for part in parts}) == 3
    assert [(part.begin_s, part.end_s) for part in parts] == [(0.0, 10 + 37 / 75), (10 + 37 / 75, 60.0), (60.0, None)]
    assert [part.tags.title for part in parts] == ["First \u201cone\u201d", "Second", "Live 03"]
    assert [part.tags.artist for part in parts] == ["Zoë", "The Band", "The Band"]
    assert all(part.tags.genres == ("Jazz",) and part.tags.licence == "CC0-1.0" for part in parts)
    assert all(part.tags.tempo_bpm == 0 for part in parts)  # an album has none


def test_times_past_the_end_leave_the_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "album.cue"
    path.write_text(SHEET)
    parts, notes = parts_of(tmp_path / "album.flac", Identity("aa" * 8, 59.0, True, ()), TAGS, path)
    assert [(part.id, part.begin_s, part.end_s) for part in parts] == [("aa" * 8, 0.0, None)]
    assert notes == ["album.cue: track 3 begins at 60.0 s, past the end at 59.0 s; the file is taken whole"]


def chapters(*titles: str, each_s: float = 30.0, overlap_s: float = 0.0) -> tuple[Chapter, ...]:
    return tuple(Chapter(title, i * each_s, (i + 1) * each_s + overlap_s) for i, title in enumerate(titles))


@pytest.mark.parametrize(
    ("found", "titles"),
    [
        (chapters("Dawn", "Noon", "Dusk"), ["Dawn", "Noon", "Dusk"]),
        (chapters("Dawn", "", "Dusk"), ["Dawn", "album", "Dusk"]),
        (chapters("Chapter 1", "Chapter 2", "Kapitel 3"), ["album"]),
        (chapters("", "", ""), ["album"]),
        (chapters("Dawn"), ["album"]),
        (chapters("Dawn", "Noon", overlap_s=5), ["album"]),
        (chapters("Dawn", "Noon", each_s=2), ["album"]),
        (chapters("Dawn", "Noon", each_s=5000), ["album"]),
        (chapters("Dawn", "Noon", "Dusk", "Night"), ["album"]),  # past the end
    ],
)
def test_chapters_that_could_be_tracks(found: tuple[Chapter, ...], titles: list[str]) -> None:
    length_s = 90.0 if found[-1].end_s < 1000 else 10_000.0
    parts, notes = parts_of(Path("album.mka"), Identity("aa" * 8, length_s, False, found), TAGS, None)
    assert [part.tags.title for part in parts] == titles and notes == []
