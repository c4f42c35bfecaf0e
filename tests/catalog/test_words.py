"""Tracks by words: every script, accents, short words, quotes; against a look at every text."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Track
from catalog.words import WordSearch, folded

TRACKS = [
    Track("a", "Jóga", "Björk", Path("/m/01 joga.flac"), 60.0, 100.0, "", ("Electronica", "Trip-Hop")),
    Track("b", "東京の夜", "椎名", Path("/m/tokyo.mp3"), 60.0, 100.0, "", ()),
    Track("c", 'She said "no" AND left', "O'Neil", Path("/m/c.ogg"), 60.0, 100.0, "", (), moods=("dark",)),
    Track("d", "Straße", "", Path("/m/Hip.ogg"), 60.0, 100.0, "", ("hip hop",), playlists=("Friday Night",)),
    Track("e", "Night", "Night", Path("/m/e.ogg"), 60.0, 100.0, "", ()),
]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("bjork", "a"), ("BJÖRK jóga", "a"), ("joga bjork", "a"), ("ork", "a"), ("東京", "b"), ("東京の", "b"),
        ("夜", "b"), ("dark", "c"),
        ('"no" and', "c"), ("o'neil", "c"), ("AND", "c"), ("strasse", "d"), ("hop", "ad"), ("night", "ed"),
        ("hop night", "d"), ("tokyo", "b"), ("", ""), ("   ", ""), ("nothing", ""), ("no nothing", ""), ("*", ""),
        ("title:joga", ""), ("\udcff", ""), ("bjork \ud800", ""), ("a\0b", ""), ("é" * 300, ""), ("-", "a"),
    ],
)  # fmt: skip
def test_words(text: str, ids: str) -> None:
    found = WordSearch(TRACKS).search(text)
    assert sorted(found) == sorted(ids)
    if text == "night":  # in the title before in a playlist
        assert found == ["e", "d"]


texts = st.text(st.sampled_from("aébÄ東京 '\"*-"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=6), texts)
def test_as_a_look_at_every_text(named: list[tuple[str, str]], query: str) -> None:
    tracks = [
        replace(TRACKS[0], id=str(i), title=title, artist=artist, tags=()) for i, (title, artist) in enumerate(named)
    ]

    def has(track: Track, word: str) -> bool:
        return any(word in folded(text) for text in (track.title, track.artist, track.path.name))

    words = folded(query).split()
    wanted = {track.id for track in tracks if words and all(has(track, word) for word in words)}
    assert set(WordSearch(tracks).search(query)) == wanted


def test_tracks_come_change_and_go() -> None:
    search = WordSearch(TRACKS)
    search.change(["a", "nobody"], [replace(TRACKS[4], title="Morning", artist="")])
    assert search.search("bjork") == [] and search.search("morning") == ["e"] and search.search("night") == ["d"]
    search.change([], TRACKS)
    assert search.search("bjork") == ["a"] and search.search("morning") == []


def test_what_is_no_text_does_no_harm() -> None:
    """JSON may hold half a character, in a note as in a query."""
    search = WordSearch(TRACKS)
    search.change([], [replace(TRACKS[0], title="Halves \ud800 here")])
    assert search.search("halves") == ["a"] and search.search("night") == ["e", "d"]


def test_several_threads() -> None:
    search = WordSearch(TRACKS)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda i: search.search(("night", "hop", "bjork")[i % 3]), range(300)))
    assert [sorted(one) for one in found] == [["d", "e"], ["a", "d"], ["a"]] * 100
