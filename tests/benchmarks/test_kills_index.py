"""The bench that kills an index while it is made anew finds what is wrong; here, losses are planted instead."""

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import kills_merging
from benchmarks.kills_index import Rebuilt
from catalog.index.base import IndexOptions
from catalog.index.compact import CompactIndex
from catalog.index.compact_build import build
from catalog.index.compact_files import INDEX, ROWS, current


@pytest.fixture
def rebuilt(tmp_path: Path) -> Rebuilt:
    """Two rounds, made in this process."""
    with closing(CompactIndex(IndexOptions(tmp_path, kills_merging.DIM), kills_merging.SIZES, build)) as index:
        for round, chosen in ((0, None), (1, 1)):
            index.upsert(kills_merging.replaced(kills_merging.ids(chosen), round))
            index.settle()
    return Rebuilt(tmp_path, random.Random(0), killed=1, round=1)


def cut_a_byte(rebuilt: Rebuilt) -> None:
    folder = current(rebuilt.folder / INDEX)
    assert folder is not None
    (folder / ROWS).write_bytes((folder / ROWS).read_bytes()[:-1])


def expect_another_round(rebuilt: Rebuilt) -> None:
    rebuilt.round = 2


def lose_what_counts(rebuilt: Rebuilt) -> None:
    (rebuilt.folder / INDEX / "current").unlink()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda rebuilt: None, ""),
        (cut_a_byte, "bytes"),
        (expect_another_round, "100 tracks that were held are lost or of an earlier round"),
        (lose_what_counts, "300 tracks that were held are lost"),
    ],
)
def test_a_loss_is_found(rebuilt: Rebuilt, harm: Callable[[Rebuilt], object], says: str) -> None:
    harm(rebuilt)
    rebuilt.check()
    assert bool(rebuilt.wrong) == bool(says)
    assert not says or says in rebuilt.wrong[0]


def test_what_a_generation_holds_at_least() -> None:
    assert [kills_merging.least(f"{i:04}", 7) for i in range(4)] == [6, 7, 5, 6]
    assert [kills_merging.least(f"{i:04}", 0) for i in range(3)] == [0, 0, 0]
    assert kills_merging.ids(4)[:2] == ["0001", "0004"] and len(kills_merging.ids(None)) == kills_merging.TRACKS
