import dataclasses
from pathlib import Path

import numpy as np

from catalog.index.directory import Directory, Entry
from catalog.index.kept_vectors import KeptVectors
from catalog.records import Filters, Track


def entry(id: str, version: int = 1, count: int = 2, tempo_bpm: float = 100.0) -> Entry:
    return Entry(Track(id, "", "", Path("/a"), 60.0, tempo_bpm, "", ()), version, count)


def test_it_counts_what_it_holds_and_snapshots_stay() -> None:
    directory = Directory([entry("a"), entry("b", count=3)])
    before = directory.entries
    directory.change([entry("a", 2, 5), entry("c")], ["b", "nobody"])
    assert directory.segments == 7 and directory.entries.keys() == {"a", "c"}
    assert before.keys() == {"a", "b"} and before["a"].version == 1


def test_versions_rise_whoever_gave_them() -> None:
    directory = Directory([entry("a", 1 << 62)])
    first, second = directory.next_version(), directory.next_version()
    assert (1 << 62) < first < second == directory.newest
    directory.change([entry("b", second + 10)])
    assert directory.next_version() > second + 10


def test_passing_is_asked_anew_of_what_changed_alone() -> None:
    asked = []

    @dataclasses.dataclass(frozen=True)
    class Quick:
        def passes(self, track: Track) -> bool:
            asked.append(track.id)
            return track.tempo_bpm > 110

    directory = Directory([entry("a"), entry("b", tempo_bpm=120.0)])
    assert directory.passing(Quick(), directory.entries).ids == {"b"} and asked == ["a", "b"]
    before = directory.entries
    directory.change([entry("a", 2, tempo_bpm=130.0), entry("c", tempo_bpm=90.0)], ["b"])
    assert directory.passing(Quick(), directory.entries).ids == {"a"} and asked == ["a", "b", "a", "c"]
    assert directory.passing(Quick(), before).ids == {"b"}  # a search that began before


def test_a_licence_that_comes_later_is_in_the_expression() -> None:
    directory = Directory([entry("a")])
    free = Filters(licences=frozenset({"CC-BY"}))
    before = directory.passing(free, directory.entries).needed
    new = entry("b")
    directory.change([dataclasses.replace(new, track=dataclasses.replace(new.track, licence="CC-BY-4.0"))])
    passing = directory.passing(free, directory.entries)
    after = passing.needed
    assert (
        passing.ids == {"b"}
        and passing.rows == 2
        and before is not None
        and after is not None
        and len(after.groups[0]) > len(before.groups[0])
    )


def test_an_answer_that_was_overtaken_is_not_taken_over() -> None:
    directory = Directory([entry("a"), entry("b"), entry("c")])
    asked = directory.entries
    directory.change([entry("a", 3)], ["b"])
    directory.follow(["a", "b", "c", "d"], asked, {"a": entry("a", 2), "b": entry("b"), "d": entry("d", 4)})
    assert {id: one.version for id, one in directory.entries.items()} == {"a": 3, "d": 4}


def test_vectors_are_kept_of_one_version_and_up_to_a_bound() -> None:
    kept = KeptVectors(most_bytes=3 * 2 * 4 * 4)
    rows = {id: np.full((2, 4), number, np.float32) for number, id in enumerate("abcd")}
    for id in "abc":
        kept.put(entry(id), rows[id])
    assert kept.get(entry("a")) is rows["a"] and kept.get(entry("a", 2)) is None
    kept.put(entry("d"), rows["d"])
    assert kept.get(entry("b")) is None  # used least of late
    kept.put(entry("a", 2), rows["a"][:1])
    assert kept.get(entry("a")) is None and kept.get(entry("c")) is rows["c"] and kept.get(entry("d")) is rows["d"]
