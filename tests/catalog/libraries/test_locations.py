"""What other machines call a file -> the file here."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.libraries.locations import Finder, candidates, is_remote, plain

HERE = {
    Path("/music/Artist/Album/01 Song.mp3"): 100,
    Path("/music/Other/Album/01 Song.mp3"): 200,
    Path("/music/Björk/Jóga.flac"): 300,
    Path("/music/loose.ogg"): 400,
    Path("/music/100% Pure.mp3"): 500,
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("file://localhost/C:/Music/a%20b.mp3", "/C:/Music/a b.mp3"),
        ("file:///Users/me/a%23b.mp3", "/Users/me/a#b.mp3"),
        ("file:///Users/me/a#b?c.mp3", "/Users/me/a#b?c.mp3"),
        ("FILE://LOCALHOST/x", "/x"),
        ("file://C:/x.mp3", "C:/x.mp3"),
        ("file://server/share/x.mp3", "//server/share/x.mp3"),
        ("file:///", "/"),
        ("/plain/100%25", "/plain/100%25"),
    ],
)
def test_addresses_of_files(text: str, path: str) -> None:
    assert plain(text) == path


def test_only_other_addresses_are_remote() -> None:
    assert all(map(is_remote, ("http://x/a.mp3", "RTSP://x", "mms://x", "icyx://1")))
    assert not any(map(is_remote, ("file:///a.mp3", "C:\\a.mp3", "C:/a.mp3", "a:b.mp3", "http.mp3", "/a//b.mp3")))


@pytest.mark.parametrize(
    ("text", "size", "found"),
    [
        ("file://localhost/C:/Users/me/Music/Artist/Album/01%20Song.mp3", 0, "/music/Artist/Album/01 Song.mp3"),
        ("D:\\artist\\ALBUM\\01 song.MP3", 0, "/music/Artist/Album/01 Song.mp3"),
        ("/Volumes/USB/Album/01 Song.mp3", 0, None),  # either
        ("/Volumes/USB/Album/01 Song.mp3", 200, "/music/Other/Album/01 Song.mp3"),
        ("/x/Bjo\u0308rk/Jo\u0301ga.flac", 0, "/music/Björk/Jóga.flac"),
        ("/x/loose.ogg", 0, None),  # only its name agrees
        ("/x/loose.ogg", 400, "/music/loose.ogg"),
        ("/x/loose.ogg", 401, None),
        ("loose.ogg", 0, "/music/loose.ogg"),
        ("E:/music/100% Pure.mp3", 0, "/music/100% Pure.mp3"),
        ("file:///music/100%25%20Pure.mp3", 0, "/music/100% Pure.mp3"),
        ("", 0, None),
        ("/", 0, None),
    ],
)
def test_a_file_is_found_by_the_end_of_its_path(text: str, size: int, found: str | None) -> None:
    assert Finder(HERE).find(text, size) == (None if found is None else Path(found))


def test_candidates_of_a_playlist_in_a_folder() -> None:
    folder = Path("/music/lists")
    assert next(candidates("../a.mp3", folder)) == Path("/music/a.mp3")
    assert next(candidates("/b/a.mp3", folder)) == Path("/b/a.mp3")
    assert Path("/music/lists/x/a b.mp3") in candidates("x\\a%20b.mp3", folder)
    assert Path("/music/lists/Artist/a.mp3") in candidates("D:\\Music\\Artist\\a.mp3", folder)
    assert Path("/music/lists/a/a.mp3") in (found := [*candidates("/" + 4000 * "a/" + "a.mp3", folder)])
    assert len(found) < 40


@given(st.text(max_size=80), st.integers(0, 600))
@settings(deadline=None)
def test_any_text_is_looked_for(text: str, size: int) -> None:
    assert Finder(HERE).find(text, size) in (None, *HERE)
    assert all(path.is_absolute() for path in candidates(text, Path("/music")))
