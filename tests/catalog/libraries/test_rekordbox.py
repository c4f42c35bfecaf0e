"""rekordbox's XML, as its own list of the format has it, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import LibraryError
from catalog.libraries.prepared import Cue, Prepared, Tempo
from catalog.libraries.rekordbox import read_rekordbox

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<DJ_PLAYLISTS Version="1.0.0"><PRODUCT Name="rekordbox" Version="7"/>'
WHOLE = (
    HEAD
    + """
<COLLECTION Entries="2">
  <TRACK TrackID="11" Name="Ä" Size="1000" TotalTime="201" AverageBpm="128.00" Rating="204" Tonality="8A"
         Location="file://localhost/C:/Music/%C3%84%20x.mp3">
    <TEMPO Inizio="100.5" Bpm="130.00" Metro="3/4" Battito="3"/>
    <TEMPO Inizio="0.025" Bpm="128.00" Metro="4/4" Battito="2"/>
    <POSITION_MARK Name="Drop" Type="0" Start="60.5" Num="0" Red="40" Green="226" Blue="20"/>
    <POSITION_MARK Name="" Type="0" Start="30.25" Num="-1"/>
    <POSITION_MARK Name="Outro starts" Type="0" Start="180" Num="-1"/>
    <POSITION_MARK Name="" Type="4" Start="90" End="120" Num="1"/>
    <POSITION_MARK Name="" Type="1" Start="1" Num="-1"/>
    <POSITION_MARK Name="" Type="3" Start="2" Num="-1"/>
  </TRACK>
  <TRACK TrackID="12" Name="B" Location="file://localhost/Users/me/b.flac" Rating="0" AverageBpm="0.00"/>
  <TRACK TrackID="13" Name="a stream, without a file"/>
</COLLECTION>
<PLAYLISTS><NODE Type="0" Name="ROOT" Count="2">
  <NODE Type="0" Name="Sets" Count="1"><NODE Type="1" Name="Friday" KeyType="0" Entries="3">
    <TRACK Key="11"/><TRACK Key="12"/><TRACK Key="11"/><TRACK Key="99"/></NODE></NODE>
  <NODE Type="1" Name="By place" KeyType="1" Entries="1"><TRACK Key="/Users/me/b.flac"/></NODE>
</NODE></PLAYLISTS></DJ_PLAYLISTS>"""
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "rekordbox.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_whole_export(tmp_path: Path) -> None:
    library = read_rekordbox(write(tmp_path, WHOLE))
    assert library.origin == "rekordbox" and library.notes == []
    assert list(library.tracks) == [
        Prepared(
            "file://localhost/C:/Music/%C3%84%20x.mp3",
            size=1000,
            length_s=201.0,
            tempo_bpm=128.0,
            key="Am",
            rating=4,
            tempi=(Tempo(0.025, 128.0, 2, 4), Tempo(100.5, 130.0, 3, 3)),
            cues=(
                Cue("hot", 60.5, None, "Drop"),
                Cue("memory", 30.25),
                Cue("outro", 180.0, None, "Outro starts"),
                Cue("loop", 90.0, 120.0),
                Cue("intro", 1.0),
                Cue("load", 2.0),
            ),
            playlists=("Sets/Friday",),
        ),
        Prepared("file://localhost/Users/me/b.flac", playlists=("Sets/Friday", "By place")),
    ]


def test_marks_without_a_time_are_left_out_and_counted(tmp_path: Path) -> None:
    marks = (
        '<TEMPO Inizio="x" Bpm="120"/><TEMPO Inizio="0" Bpm="0"/><TEMPO Inizio="1" Bpm="nan"/>'
        '<POSITION_MARK Type="0" Start="-1"/><POSITION_MARK Type="4" Start="5" End="4"/><POSITION_MARK Type="0"/>'
        '<TEMPO Inizio="1,5" Bpm="120,5" Metro="" Battito=""/>'
    )
    text = f'{HEAD}<COLLECTION><TRACK Location="a" Size="-4" Rating="9999">{marks}</TRACK></COLLECTION></DJ_PLAYLISTS>'
    library = read_rekordbox(write(tmp_path, text))
    assert list(library.tracks) == [Prepared("a", tempi=(Tempo(1.5, 120.5),))]
    assert library.notes == ["6 of its marks have no usable time, left out"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><DJ_PLAYLISTS>&b;</DJ_PLAYLISTS>', "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><DJ_PLAYLISTS/>', "document type"),
        ("<NML/>", "not of rekordbox"),
        (HEAD, "not whole"),
        ("", "not whole"),
        ('<?xml version="1.0" encoding="none"?><DJ_PLAYLISTS/>', "unknown encoding"),
        ('<?xml version="1.0" encoding="shift_jis"?><DJ_PLAYLISTS/>', "not whole"),
        ("no XML", "not whole"),
        (HEAD + "<PLAYLISTS>" + "<NODE>" * 100, "deep"),
    ],
)
def test_what_is_refused_is_told(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(LibraryError, match=reason) as caught:
        read_rekordbox(write(tmp_path, text))
    assert "Export Collection" in str(caught.value) and str(tmp_path) in str(caught.value)


def test_a_file_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="No such file"):
        read_rekordbox(tmp_path / "none.xml")


@given(st.integers(0, len(WHOLE.encode()) - 1), st.binary(max_size=12))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_export_is_read_or_refused(tmp_path: Path, at: int, put: bytes) -> None:
    data = WHOLE.encode()
    try:
        tracks = read_rekordbox(write(tmp_path, data[:at] + put + data[at + len(put) :])).tracks
    except LibraryError:
        return
    assert len(tracks) <= 3
