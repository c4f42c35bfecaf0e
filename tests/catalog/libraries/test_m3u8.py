"""Playlists: what their lines mean, and what of them is left out and told."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import CatalogError
from catalog.libraries import m3u8
from catalog.libraries.m3u8 import MAX_DEPTH, PlaylistError, on_disk, read_playlist
from catalog.libraries.write_m3u8 import write_playlist
from catalog.records import Track


def make(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_all_ways_to_name_a_file(tmp_path: Path) -> None:
    files = make(tmp_path, "a.mp3", "x/b c.mp3", "x/d#e.mp3", "Ä/f.mp3")
    lines = [
        "#EXTM3U",
        "#PLAYLIST: Friday  night",
        "#EXTINF:123,Artist - Title",
        "a.mp3",
        "",
        "# a comment",
        "x\\b c.mp3",
        (tmp_path / "x" / "d#e.mp3").as_uri(),
        "D:\\Music\\Ä\\f.mp3",
        "./a.mp3",
        "gone/one.mp3",
        "https://radio.example/live",
        "http://radio.example/other.mp3",
    ]
    playlist = read_playlist(write(tmp_path / "p.m3u8", "\r\n".join(lines)), on_disk)
    assert playlist.name == "Friday night"
    assert playlist.files == files
    assert (playlist.absent, playlist.remote) == (["gone/one.mp3"], 2)
    assert list(playlist.notes()) == [
        "2 of its entries are addresses of the network, left out: only files are played",
        "1 of its entries are not there: 'gone/one.mp3'",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    [file] = make(tmp_path, "Müßig.mp3")
    playlist = read_playlist(write(tmp_path / "p.m3u", "#EXTM3U\nMüßig.mp3\n", encoding), on_disk)
    assert playlist.files == [file] and playlist.name == "p"


def test_playlists_in_playlists_end(tmp_path: Path) -> None:
    [file] = make(tmp_path, "in/a.mp3")
    write(tmp_path / "in/b.m3u8", "a.mp3\n../p.m3u8\n")
    playlist = read_playlist(write(tmp_path / "p.m3u8", "in/b.m3u8\nno.m3u\n"), on_disk)
    assert playlist.files == [file]
    assert playlist.absent == ["no.m3u"]
    assert playlist.remarks == ["names itself by '../p.m3u8', left out"]


def test_playlists_are_nested_so_deep_only(tmp_path: Path) -> None:
    for depth in range(MAX_DEPTH + 2):
        write(tmp_path / f"{depth}.m3u8", f"{depth}.mp3\n{depth + 1}.m3u8\n")
        make(tmp_path, f"{depth}.mp3")
    playlist = read_playlist(tmp_path / "0.m3u8", on_disk)
    assert len(playlist.files) == MAX_DEPTH
    assert playlist.remarks == [f"'{MAX_DEPTH}.m3u8' is nested more than {MAX_DEPTH} deep, left out"]


def test_playlists_that_all_name_each_other_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.m3u8" for number in range(40)]
    for name in names:
        write(tmp_path / name, "\n".join([*names, "a.mp3"]))
    files, reads = make(tmp_path, "a.mp3"), list[Path]()
    lines = m3u8._lines
    monkeypatch.setattr(m3u8, "_lines", lambda path: reads.append(path) or lines(path))
    playlist = read_playlist(tmp_path / names[0], on_disk)
    assert playlist.files == files and len(reads) <= MAX_DEPTH * len(names)
    assert len(set(playlist.remarks)) == len(playlist.remarks) <= m3u8.MAX_REMARKS


def test_a_playlist_that_was_cut_is_read_again_where_it_is_less_deep(tmp_path: Path) -> None:
    for depth in range(MAX_DEPTH):
        write(tmp_path / f"{depth}.m3u8", f"{depth + 1}.m3u8\n" + (f"{MAX_DEPTH - 1}.m3u8\n" if depth == 0 else ""))
    write(tmp_path / f"{MAX_DEPTH}.m3u8", "a.mp3\n")
    files = make(tmp_path, "a.mp3")
    assert read_playlist(tmp_path / "0.m3u8", on_disk).files == files


def test_what_is_no_list_of_files(tmp_path: Path) -> None:
    with pytest.raises(PlaylistError, match="HLS"):
        read_playlist(write(tmp_path / "h.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\na.ts\n"), on_disk)
    with pytest.raises(PlaylistError, match="No such file"):
        read_playlist(tmp_path / "none.m3u8", on_disk)
    large = tmp_path / "large.m3u8"
    with large.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(PlaylistError, match="16 MB"):
        read_playlist(large, on_disk)


@given(st.binary(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_bytes_are_a_playlist_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.m3u8"
    path.write_bytes(data)
    try:
        playlist = read_playlist(path, on_disk)
    except PlaylistError:
        return
    assert all(file.is_file() for file in playlist.files)
    assert all("\n" not in note for note in playlist.notes())


def track(path: Path, title: str = "T", artist: str = "A", begin_s: float = 0.0, end_s: float | None = None) -> Track:
    return Track("id", title, artist, path, 60.0, 0.0, "", (), begin_s, end_s)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    files = make(tmp_path, "lists/#1.mp3", "lists/ö/b.mp3", "other/c.mp3", "bad\n.mp3")
    tracks = [track(file) for file in files[:2]] + [track(files[2], begin_s=10.0, end_s=70.0), track(files[3])]
    path = tmp_path / "lists" / "out.m3u8"
    left_out = write_playlist(path, list(zip(tracks, [0.0, 1.5, 2.0, 0.0], strict=True)))
    assert len(left_out) == 1 and "line break" in left_out[0]
    text = path.read_text()
    assert text.startswith("#EXTM3U\n#EXTINF:60,A - T\n./#1.mp3\n")
    assert "#EXTVLCOPT:start-time=1.500\nö/b.mp3" in text
    assert f"#EXTVLCOPT:start-time=12.000\n#EXTVLCOPT:stop-time=70.000\n{files[2]}\n" in text
    assert read_playlist(path, on_disk).files == files[:3]
    with pytest.raises(CatalogError, match="cannot be written"):
        write_playlist(tmp_path / "nowhere" / "out.m3u8", [])
