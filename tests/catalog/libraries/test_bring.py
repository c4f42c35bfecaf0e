"""Indexing with playlists and libraries: what a catalogue then says of its tracks, and that no sound is analysed."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from mixxx_database import MixxxDatabase, grid

from catalog import mirror
from catalog.catalog import Catalog
from catalog.errors import LibraryError, MusicFolderError
from catalog.indexer import index_folder
from catalog.libraries import agreement, bring
from catalog.libraries.delay import first_sound
from catalog.records import Filters, Track
from catalog.report import IndexReport
from catalog.worker import Job, RejectedFile
from engines.base import Engine

Writer = Callable[..., Path]
SOUND = 8


class Shelf:
    """A folder of music and its catalogue."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.music, self.catalog, self._engine = folder / "music", folder / "catalogue", engine

    def index(
        self, *libraries: Path, root: Path | None = None, forget: bool = False, missing: bool = False
    ) -> IndexReport:
        return index_folder(root or self.music, self.catalog, self._engine, 1, lambda *_: None,
                            forget_missing=missing, libraries=libraries, forget_libraries=forget)  # fmt: skip

    def open(self) -> Catalog:
        return Catalog.open(self.catalog, None)

    def tracks(self) -> dict[str, Track]:
        with self.open() as catalog:
            return {track.path.name: track for track in catalog.tracks()}


@pytest.fixture
def shelf(tmp_path: Path, engine: Engine, write_music: Writer) -> Shelf:
    made = Shelf(tmp_path, engine)
    for i, name in enumerate(("Artist/a.wav", "Artist/b.flac", "deep/er/c.ogg")):
        write_music(made.music / name, duration_s=6 + i, seed=i)
    return made


def rekordbox(path: Path, *tracks: str, playlists: str = "") -> Path:
    path.write_text(
        f'<DJ_PLAYLISTS Version="1.0.0"><COLLECTION>{"".join(tracks)}</COLLECTION><PLAYLISTS>'
        f'<NODE Type="0" Name="ROOT">{playlists}</NODE></PLAYLISTS></DJ_PLAYLISTS>',
        encoding="utf-8",
    )
    return path


def entry(id: int, location: str, inside: str = "", **fields: object) -> str:
    more = " ".join(f'{name}="{value}"' for name, value in fields.items())
    return f'<TRACK TrackID="{id}" Location="file://localhost/{quote(location)}" {more}>{inside}</TRACK>'


GRID = '<TEMPO Inizio="0.2" Bpm="90.00" Metro="3/4" Battito="2"/>'


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(job: Job, *_: object) -> RejectedFile:
        raise AssertionError(f"{job.path} is analysed")

    monkeypatch.setattr(mirror, "analyse_file", refuse)


def test_a_library_of_another_machine(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.index()
    before = shelf.tracks()["a.wav"]
    library = rekordbox(
        tmp_path / "rekordbox.xml",
        entry(1, "D:/Music/ARTIST/a.wav", GRID, TotalTime=6, Rating=153, Tonality="8A"),
        entry(2, "D:/Music/deep/er/C.OGG"),
        entry(3, "D:/Music/gone/x.mp3", GRID),
        playlists='<NODE Type="1" Name="Friday" KeyType="0"><TRACK Key="1"/><TRACK Key="3"/></NODE>',
    )
    forbid(monkeypatch)
    report = shelf.index(library)
    assert (report.unchanged, report.prepared, report.tracks) == (3, 2, 3)
    assert [note.text for note in report.notes] == ["knows 2 of the files here (3 tracks)"]
    with shelf.open() as catalog:
        track = next(track for track in catalog.tracks() if track.path.name == "a.wav")
        assert (track.key, track.rating, track.tempo_bpm, track.playlists) == ("Am", 3, 90.0, ("Friday",))
        np.testing.assert_allclose(catalog.beats(track.id), np.arange(0.2, 6.0, 2 / 3), atol=1e-4)
        outline = catalog.outline(track.id)
        assert outline is not None
        np.testing.assert_allclose(outline.downbeats_s, np.arange(0.2 + 4 / 3, 6.0, 2.0), atol=1e-4)
        [found] = catalog.like(track.id, 1, Filters(only=frozenset({track.id})))
        assert found.start_s in catalog.beats(track.id)
        assert catalog.playlists() == {"Friday": 1}
    assert shelf.index().notes == ()  # without a library what it said stays
    assert shelf.tracks()["a.wav"] == track
    changed = rekordbox(tmp_path / "rekordbox.xml", entry(1, "D:/Music/ARTIST/a.wav", Rating=255))
    assert shelf.index(changed).prepared == 1
    assert (shelf.tracks()["a.wav"].rating, shelf.tracks()["a.wav"].key) == (5, "")
    shelf.index(forget=True)
    assert shelf.tracks()["a.wav"] == before


def test_grids_are_compared_with_the_beats_that_were_measured(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "LOSSY", {".wav": "WAV"})
    monkeypatch.setattr(agreement, "LEAST_FILES", 1)
    monkeypatch.setattr(agreement, "LEAST_BEATS", 4)
    shelf.index()
    track = shelf.tracks()["a.wav"]
    with shelf.open() as catalog:
        beats_s = catalog.beats(track.id)
    bpm, first = np.polyfit(np.arange(len(beats_s)), beats_s, 1)
    tempo = f'<TEMPO Inizio="{first + 0.02:.4f}" Bpm="{60.0 / bpm:.4f}" Metro="4/4" Battito="1"/>'
    report = shelf.index(rekordbox(tmp_path / "r.xml", entry(1, str(track.path), tempo)))
    _, told = [note.text for note in report.notes]
    assert told.startswith("beats were measured -2") and "ms behind the grids of 1 WAVs moved by 0 ms" in told


def test_the_sound_of_a_file_is_looked_for_once(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    shift = bring.mixxx_shift_s

    def counted(path: Path, first_sound_s: float | None) -> float:
        asked.append(path.name)
        return shift(path, first_sound_s)

    monkeypatch.setattr(bring, "mixxx_shift_s", counted)
    mixxx = MixxxDatabase(tmp_path / "mixxxdb.sqlite")
    wave = shelf.music / "Artist/a.wav"
    track = mixxx.add(str(wave), wave.stat().st_size, 6.0, 100.0, grid(100.0, 0.6))
    mixxx.cue(track, SOUND, 0.02)
    for _ in range(2):
        shelf.index(mixxx.path)
    first = shelf.tracks()["a.wav"]
    assert asked == ["a.wav"]
    mixxx.run("UPDATE cues SET position = position + 8820")  # 0.1 s
    shelf.index(mixxx.path)
    assert asked == ["a.wav", "a.wav"]
    own_s = first_sound(wave)
    assert own_s is not None
    with shelf.open() as catalog:
        assert float(catalog.beats(first.id)[0]) == pytest.approx(0.6 + own_s - 0.12, abs=0.002)


def test_mixxx_and_rekordbox_together(shelf: Shelf, tmp_path: Path) -> None:
    shelf.index()
    (tmp_path / "mixxx").mkdir()
    mixxx = MixxxDatabase(tmp_path / "mixxx" / "mixxxdb.sqlite")
    wave, flac = shelf.music / "Artist/a.wav", shelf.music / "Artist/b.flac"
    first = mixxx.add(str(wave), wave.stat().st_size, 6.0, 100.0, grid(100.0, 0.6), rating=2, key="D")
    second = mixxx.add(str(flac), flac.stat().st_size, 7.0, 100.0, grid(100.0, 0.6))
    mixxx.cue(second, SOUND, 0.1, 5.0)
    mixxx.crate("Calm", [first, second])
    library = rekordbox(tmp_path / "r.xml", entry(1, str(wave), GRID, TotalTime=6, Size=wave.stat().st_size))
    assert shelf.index(library, tmp_path / "mixxx").prepared == 2
    tracks = shelf.tracks()
    assert (tracks["a.wav"].tempo_bpm, tracks["a.wav"].rating, tracks["a.wav"].key) == (90.0, 2, "D")
    assert tracks["b.flac"].tempo_bpm == 100.0
    assert tracks["a.wav"].playlists == tracks["b.flac"].playlists == ("Calm",)
    with shelf.open() as catalog:
        assert catalog.playlists() == {"Calm": 2}


def test_a_bad_library_stops_before_anything_is_done(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text("<NML/>")
    for library in (tmp_path / "r.xml", tmp_path / "none.xml", tmp_path):
        with pytest.raises(LibraryError):
            shelf.index(library)
    assert not shelf.catalog.exists()


def test_playlists_in_the_folder(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = shelf.music / "lists"
    lists.mkdir()
    (lists / "Friday.m3u8").write_text("../Artist/a.wav\nE:\\music\\deep\\er\\c.ogg\ngone.mp3\nhttp://x/y.mp3\n")
    (lists / "all.m3u").write_text("#PLAYLIST:Alles\n" + "\n".join(map(str, shelf.music.rglob("*.*"))))
    (lists / "radio.m3u8").write_text("#EXTM3U\n#EXT-X-VERSION:3\n")
    report = shelf.index()
    assert report.playlists == 2 and report.tracks == 3
    said = {note.path.name: note.text for note in report.notes}
    assert said.keys() == {"Friday.m3u8", "radio.m3u8", "all.m3u"}
    assert said["Friday.m3u8"] == "1 of its entries are not there: 'gone.mp3'"
    assert {name: set(track.playlists) for name, track in shelf.tracks().items()} == {
        "a.wav": {"Friday", "Alles"},
        "b.flac": {"Alles"},
        "c.ogg": {"Friday", "Alles"},
    }
    forbid(monkeypatch)
    (lists / "Friday.m3u8").write_text("../Artist/b.flac\n")
    (lists / "all.m3u").unlink()
    shelf.index()
    assert {name: track.playlists for name, track in shelf.tracks().items()} == {
        "a.wav": (),
        "b.flac": ("Friday",),
        "c.ogg": (),
    }
    with shelf.open() as catalog:
        query = catalog.vector(next(iter(catalog.tracks())).id)
        found = catalog.search(query, 5, Filters(playlists=frozenset({"FRIDAY", "other"})))
        assert [candidate.track.path.name for candidate in found] == ["b.flac"]


def test_a_playlist_as_the_root(shelf: Shelf, tmp_path: Path, write_music: Writer) -> None:
    away = write_music(tmp_path / "elsewhere" / "d.wav", duration_s=5, seed=9)
    show = tmp_path / "show.m3u8"
    show.write_text(f"music/Artist/a.wav\n{away}\nmissing.mp3\n")
    report = shelf.index(root=show)
    assert (report.added, report.playlists, report.tracks) == (2, 1, 2)
    assert [note.text for note in report.notes] == ["1 of its entries are not there: 'missing.mp3'"]
    assert {name: track.playlists for name, track in shelf.tracks().items()} == {"a.wav": ("show",), "d.wav": ("show",)}
    assert shelf.index().added == 2  # the folder: its playlists do not touch the other ones
    assert shelf.tracks()["a.wav"].playlists == ("show",)
    show.write_text("music/Artist/b.flac\n")
    report = shelf.index(root=show)
    assert (report.unchanged, report.missing, report.tracks) == (1, 0, 4)
    assert {name for name, track in shelf.tracks().items() if track.playlists} == {"b.flac"}


def test_a_file_that_a_playlist_names_in_vain(shelf: Shelf, tmp_path: Path) -> None:
    show = tmp_path / "show.m3u8"
    show.write_text("music/Artist/a.wav\nmusic/Artist/b.flac\n")
    shelf.index(root=show)
    (shelf.music / "Artist/a.wav").unlink()
    assert shelf.index(root=show).missing == 1
    report = shelf.index(root=show, missing=True)
    assert (report.removed, report.tracks) == (1, 1)


def test_roots_that_hold_no_music(shelf: Shelf, tmp_path: Path) -> None:
    for text, reason in (("gone.mp3\n", "names no music that is here"), ("#EXT-X-ENDLIST\n", "HLS")):
        (tmp_path / "p.m3u8").write_text(text)
        with pytest.raises(MusicFolderError, match=reason):
            shelf.index(root=tmp_path / "p.m3u8")
    with pytest.raises(MusicFolderError, match="No such file"):
        shelf.index(root=tmp_path / "none.m3u8")
    assert not shelf.catalog.exists()


def test_cue_sheets_hold_for_files_of_a_playlist(shelf: Shelf, tmp_path: Path, write_music: Writer) -> None:
    album = write_music(tmp_path / "album" / "x.wav", duration_s=8, seed=4)
    sheet = 'FILE "x.wav" WAVE\nTRACK 01 AUDIO\nTITLE "One"\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 01 00:04:00\n'
    album.with_suffix(".cue").write_text(sheet)
    (tmp_path / "p.m3u8").write_text("album/x.wav\n")
    assert shelf.index(root=tmp_path / "p.m3u8").added == 2
    assert shelf.index(root=tmp_path / "album").unchanged == 2


def test_names_that_are_no_text(shelf: Shelf, write_music: Writer) -> None:
    odd = Path(os.fsdecode(os.fsencode(shelf.music) + b"/\xff.wav"))
    (shelf.music / "Artist/a.wav").rename(odd)
    (Path(os.fsdecode(os.fsencode(shelf.music) + b"/\xfe.m3u"))).write_bytes(b"Artist/b.flac\n")
    report = shelf.index()
    assert report.playlists == 1 and report.tracks == 3
    assert shelf.index().playlists == 1
