"""What is most alike, against a look at every segment; and what is known of segments by row."""

from pathlib import Path

import numpy as np
import pytest

from catalog.index.base import EVERYWHERE, IndexOptions, Where
from catalog.index.flat import FlatIndex
from catalog.likeness import most_alike
from catalog.records import Filters, Track
from catalog.segments import Rows, SegmentTable
from catalog.standard import index_width
from catalog.standing import Order
from catalog.stored import StoredSegments, StoredTrack

E = 8
NOTHING = np.zeros(0, np.float32)


def stored(id: str, tempo_bpm: float) -> StoredTrack:
    track = Track(id, "", "", Path("a"), 60.0, tempo_bpm, "", ())
    return StoredTrack(track, NOTHING, NOTHING, "", False, id)


def segments(ids: list[str], counts: list[int], vectors: np.ndarray) -> StoredSegments:
    """A segment each 4 s; every third one but the first cannot be started."""
    numbers = np.concatenate([np.arange(count) for count in counts])
    starts_s = np.where(numbers % 3 == 1, np.nan, 4.0 * numbers).astype(np.float32)
    return StoredSegments(ids, np.array(counts), numbers, starts_s, np.zeros(len(numbers), np.float32), vectors, None)


def made(seed: int, counts: list[int]) -> tuple[SegmentTable, np.ndarray, FlatIndex]:
    """Tracks 00, 01, 02 ... of so many segments, every second one as the one before; their tempi are their numbers."""
    rng = np.random.default_rng(seed)
    tracks = [stored(f"{i:02}", float(i)) for i in range(len(counts))]
    vectors = rng.normal(size=(sum(counts), E)).astype(np.float32)
    for own in np.split(vectors, np.cumsum(counts)[:-1]):
        own[1::2] = own[0::2][: len(own[1::2])]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bank = rng.normal(size=(20, E)).astype(np.float32)
    rows = Rows(tracks, segments([stored.track.id for stored in tracks], counts, vectors))
    yardstick = rows.yardstick(bank / np.linalg.norm(bank, axis=1, keepdims=True), Order(rows.raw()))
    table, indexed = SegmentTable(yardstick).changed((), rows)
    index = FlatIndex(IndexOptions(Path("/nowhere"), index_width(E)))
    index.upsert(indexed.segments())
    return table, vectors, index


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("where", [EVERYWHERE, Where(condition=Filters(max_bpm=9.0)), Where(frozenset({"03", "zz"}))])
def test_the_most_alike_of_all_that_passes(seed: int, where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.index.rows.BLOCK", 8)
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 7, 20).tolist()
    table, vectors, index = made(seed, counts)
    query = vectors[3]
    cosines = np.split(vectors @ query, np.cumsum(counts)[:-1])
    passing = [
        i
        for i in range(20)
        if counts[i] and (where.only is None or f"{i:02}" in where.only) and (where.condition is None or 1 <= i <= 9)
    ]
    wanted = sorted(passing, key=lambda i: (-round(float(cosines[i].max()), 5), i))
    hits = most_alike(index, table, query, 20, where)
    assert [hit.track for hit in hits] == [f"{i:02}" for i in wanted]
    for hit, i in zip(hits, wanted, strict=True):
        assert hit.segment == int(np.flatnonzero(cosines[i] > cosines[i].max() - 1e-5)[0])
        assert hit.score == pytest.approx(float(cosines[i].max()), abs=1e-5)
    assert most_alike(index, table, query, 3, where) == hits[:3]
    assert most_alike(index, table, query, 0, where) == []


def test_rows_and_starts_of_a_track() -> None:
    table, *_ = made(0, [2, 0, 5])
    assert (table.count("00"), table.count("01"), table.count("02"), table.count("zz")) == (2, 0, 5, 0)
    own, other = table.of_track("02"), table.of_track("00")
    assert own is not None and len(own) == 5 and own.first_clips.tolist() == [0, 1, 2, 3, 4]
    assert other is not None and own.deviation != other.deviation
    deviations = table.deviations(["02", "00"], np.array([5, 2]))
    assert deviations.tolist() == [own.deviation] * 5 + [other.deviation] * 2
    assert table.known(["00", "zz", "02"], np.array([2, 1, 4])).tolist() == [True, False, False]
    assert own.segments.tolist() == [0, 2, 3]
    assert own.starts_s.tolist() == [0.0, 8.0, 12.0]
    assert table.of_track("zz") is None


def test_segments_out_of_order_are_refused() -> None:
    turned = segments(["01", "00"], [1, 1], np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match="by their track's id"):
        Rows([stored("00", 1.0), stored("01", 1.0)], turned)


def test_the_segments_of_a_part_of_a_track() -> None:
    own = made(0, [9])[0].of_track("00")
    assert own is not None  # segments of 28 s begin every 4 s: their middles are at 14, 18, 22 ... 46 s
    assert own.between(0.0, float("inf")).tolist() == list(range(9))
    assert own.between(18.0, 26.0).tolist() == [1, 2, 3]
    assert own.between(0.0, 5.0).tolist() == [0] and own.between(200.0, 210.0).tolist() == [8]
    assert own.between(19.0, 21.0).tolist() in ([1], [2])
