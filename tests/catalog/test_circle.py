"""Neighbours on the circle of fifths, and Camelot's numbers."""

import pytest

from catalog.circle import camelot, mixes, neighbours
from catalog.libraries.keys import KEYS, key_of


@pytest.mark.parametrize(
    ("key", "others"), [("C", {"Am", "G", "F"}), ("Am", {"C", "Em", "Dm"}), ("F#", {"Ebm", "Db", "B"})]
)
def test_neighbours(key: str, others: set[str]) -> None:
    assert neighbours(key) == others


@pytest.mark.parametrize("key", KEYS)
def test_camelot_and_back(key: str) -> None:
    assert key_of(camelot(key)) == key
    assert all(abs(int(camelot(other)[:-1]) - int(camelot(key)[:-1])) in (0, 1, 11) for other in neighbours(key))
    assert all(key in neighbours(other) for other in neighbours(key))


def test_what_mixes() -> None:
    assert mixes("Am", {"Am"}, False) and not mixes("Am", {"C"}, False)
    assert mixes("Am", {"C"}, True) and not mixes("Am", {"D"}, True)
    assert not mixes("", {"Am"}, True) and camelot("") == ""
