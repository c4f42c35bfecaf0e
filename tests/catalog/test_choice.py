"""Where the index is asked to look, for what a session asks."""

from pathlib import Path

import numpy as np

from catalog.choice import Choice
from catalog.index.base import Where
from catalog.records import Filters, Track
from catalog.stored import StoredTrack


def stored(id: str, seconds: float = 60.0) -> StoredTrack:
    nothing = np.zeros(0, np.float32)
    return StoredTrack(Track(id, "", "", Path("a"), seconds, 100.0, "", ()), nothing, nothing, "", False, id)


def places(choice: Choice, filters: Filters) -> list[Where]:
    return list(choice.places(filters))


def test_nothing_asked_is_everywhere_at_once() -> None:
    assert places(Choice({"a": stored("a")}), Filters()) == [Where()]
    assert places(Choice({"a": stored("a", 5.0)}), Filters(jingles=True)) == [Where()]


def test_jingles_come_where_nothing_else_does() -> None:
    choice = Choice({"a": stored("a"), "b": stored("b", 19.9)})
    assert places(choice, Filters()) == [Where(condition=Filters(min_duration_s=20.0)), Where()]
    both = places(choice, Filters(min_bpm=90.0, min_duration_s=10.0))
    assert both == [
        Where(condition=Filters(min_bpm=90.0, min_duration_s=20.0)),
        Where(condition=Filters(min_bpm=90.0, min_duration_s=10.0)),
    ]
    longer = places(choice, Filters(min_duration_s=30.0, exclude=frozenset({"a"})))
    assert longer[0] == Where(exclude=frozenset({"a"}), condition=Filters(min_duration_s=30.0))


def test_ids_of_other_files_name_the_track_that_stands_for_them() -> None:
    best = stored("a")
    choice = Choice({"a": best, "copy": best, "b": stored("b", 5.0)})
    asked = Filters(only=frozenset({"copy", "b", "nobody"}), exclude=frozenset({"nobody", "copy"}), max_bpm=120.0)
    assert places(choice, asked) == [Where(frozenset({"a", "b"}), frozenset({"a"}), Filters(max_bpm=120.0))]
