"""Keys in all spellings are one."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.libraries.keys import KEYS, MAJOR, MINOR, key_of


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Am", "Am"),
        ("A minor", "Am"),
        ("a moll", "Am"),
        ("8A", "Am"),
        ("8a", "Am"),
        ("1m", "Am"),
        ("C", "C"),
        ("C major", "C"),
        ("8B", "C"),
        ("1d", "C"),
        ("9B", "G"),
        ("7B", "F"),
        ("12A", "C#m"),
        ("1A", "G#m"),
        ("2d", "G"),
        ("12d", "F"),
        ("D♭", "Db"),
        ("C#", "Db"),
        ("G♭m", "F#m"),
        ("Ebm", "Ebm"),
        ("D#m", "Ebm"),
        ("CM", "C"),
        ("Cb", "B"),
        ("", ""),
        ("13A", ""),
        ("0d", ""),
        ("H2O", ""),
        ("Amazing", ""),
    ],
)
def test_spellings(text: str, key: str) -> None:
    assert key_of(text) == key


def test_wheels_go_round_by_fifths() -> None:
    for names, ring in ((MAJOR, "B"), (MINOR, "A")):
        hours = [names.index(key_of(f"{hour}{ring}")) for hour in range(1, 13)]
        assert sorted(hours) == list(range(12))
        assert all((after - before) % 12 == 7 for before, after in pairwise(hours))
    assert all(key_of(f"{hour}A") == key_of(f"{(hour - 8) % 12 + 1}m") for hour in range(1, 13))


@given(st.text(max_size=20))
@settings(deadline=None)
def test_a_key_is_in_one_spelling(text: str) -> None:
    key = key_of(text)
    assert key in ("", *KEYS) and key_of(key) == key
