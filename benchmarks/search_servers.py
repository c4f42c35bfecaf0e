"""Search on a server, Milvus or PostgreSQL: how fast, and how many of the best tracks are found.

Vectors shaped like those of real catalogues (``search_data``), as a catalogue's index holds them: five numbers longer,
of unequal norms, every other query leaning. The exact index answers the same questions in turn, in
the same process. Wall times count: the server works in processes of its own. ``track_recall32``: the share of the 32
best tracks, by the exact index, that the server's search finds. The collection is filled where it is empty, and left.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from catalog.index.address import shown_index
from catalog.index.base import EVERYWHERE, IndexOptions, Segments, VectorIndex, Where
from catalog.index.flat import FlatIndex
from catalog.index.registry import open_index
from catalog.records import Filters, Floats, Track

from .errors import BenchError
from .harness import Report, Row, print_rows
from .report.counts import enough
from .report.run import publish, run_of
from .search_data import catalogue_queries, catalogue_rows, queries_of, shape_of, tracks_of

VECTORS: Final = 100_000
BEST: Final = 32
QUERIES: Final = 100
TEMPI: Final = 1000  # different ones, of which a filter passes a share
SHARES: Final = (1.0, 0.5, 0.1, 0.01, 0.001)
CHANGED: Final = 100  # tracks
ASKED: Final = 20  # times the vectors of 32 tracks


@dataclass(frozen=True)
class Every:
    """A condition that no server knows an expression of."""

    step: int

    def passes(self, track: Track) -> bool:
        return int(track.id) % self.step == 0


def search_server(options: argparse.Namespace) -> int:
    """``segue bench search --index ADDRESS [--vectors N]``"""
    with tempfile.TemporaryDirectory() as folder:
        run, count = run_of(options), options.vectors or VECTORS
        rows = enough(run.keep(measure_server(options.index, count, options.dim, Path(folder), run.say)))
    print_rows(rows, Console(), f"{shown_index(options.index)}, {options.vectors or VECTORS} segments")
    return publish(options, Report("search", rows, {"dim": options.dim}))


def measure_server(address: str, count: int, dim: int, folder: Path, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of the index at ``address`` with ``count`` segments of ``dim`` numbers and five more. Raises ``BenchError``
    where its collection holds something else, ``SearchIndexError`` where it does not answer."""
    shape, rng = shape_of(dim), np.random.default_rng(1)
    parts = list(tracks_of(shape, rng, count))
    counts, plain = np.concatenate([part for part, _ in parts]), np.concatenate([part for _, part in parts])
    vectors = catalogue_rows(plain, counts, rng)
    tracks = [_track(number) for number in range(len(counts))]
    options = IndexOptions(folder, vectors.shape[1])
    labels: dict[str, str | int | float] = {"index": shown_index(address).partition("://")[0], "vectors": count}
    begun = time.perf_counter()
    index = open_index(address, options)
    yield Row("open_s", time.perf_counter() - begun, 1, "s", labels)
    if len(index) not in (0, count):
        raise BenchError(f"{shown_index(address)}: holds {len(index)} segments, not {count}; name another collection")
    if not len(index):
        say(f"adding {count} segments ...")
        begun = time.perf_counter()
        index.upsert(Segments(tracks, counts, vectors))
        yield Row("filled_s", time.perf_counter() - begun, 1, "s", labels)
    flat = FlatIndex(options)
    flat.upsert(Segments(tracks, counts, vectors))
    queries = catalogue_queries(queries_of(shape, rng, plain, QUERIES), rng)
    for share in SHARES:
        where = EVERYWHERE if share == 1.0 else Where(condition=Filters(max_bpm=TEMPI * share))
        yield from _compared(index, flat, queries, where, labels | {"filter": f"{share:.1%}"})
    for step in (2, 10):
        yield from _compared(
            index, flat, queries, Where(condition=Every(step)), labels | {"filter": f"ids, 1 in {step}"}
        )
    yield from _vectors(index, len(tracks), labels)
    yield _changed(index, Segments(tracks[:CHANGED], counts[:CHANGED], vectors[: int(counts[:CHANGED].sum())]), labels)
    index.close()


def _track(number: int) -> Track:
    tempo_bpm = float(1 + number * 7919 % TEMPI)
    return Track(f"{number:08}", f"Track {number}", "", Path(f"/{number}.ogg"), 200.0, tempo_bpm, "CC-BY-4.0", ("a",))


def _compared(
    index: VectorIndex, flat: VectorIndex, queries: Floats, where: Where, labels: dict[str, str | int | float]
) -> Iterator[Row]:
    index.search(queries[0], BEST, where)  # the condition's mask is made once
    wall, cpu, found = [], [], []
    for query in queries:
        best = {hit.track for hit in flat.search(query, BEST, where)}
        begun, begun_cpu = time.perf_counter(), time.thread_time()
        hits = index.search(query, BEST, where)
        wall.append(1e3 * (time.perf_counter() - begun))
        cpu.append(1e3 * (time.thread_time() - begun_cpu))
        found.append(len(best & {hit.track for hit in hits}) / max(len(best), 1))
    yield Row("track_recall32", float(np.mean(found)), len(found), "share", labels)
    yield Row("p50_ms", float(np.median(wall)), len(wall), "ms", labels)
    yield Row("p99_ms", float(np.quantile(wall, 0.99)), len(wall), "ms", labels)
    yield Row("client_cpu_p50_ms", float(np.median(cpu)), len(cpu), "ms", labels)


def _vectors(index: VectorIndex, tracks: int, labels: dict[str, str | int | float]) -> Iterator[Row]:
    """Of tracks that were not asked for before, and again of those."""
    rng = np.random.default_rng(2)
    times: dict[str, list[float]] = {"vectors_ms": [], "kept_vectors_ms": []}
    for ids in rng.choice(tracks, (ASKED, BEST)):
        for taken in times.values():
            begun = time.perf_counter()
            index.vectors([f"{number:08}" for number in ids])
            taken.append(1e3 * (time.perf_counter() - begun))
    for metric, taken in times.items():
        yield Row(metric, float(np.median(taken)), len(taken), "ms", labels)


def _changed(index: VectorIndex, some: Segments, labels: dict[str, str | int | float]) -> Row:
    """Tracks replaced by themselves, until a search sees it."""
    begun = time.perf_counter()
    index.upsert(some)
    index.search(some.vectors[0], BEST)
    return Row("changed_s", time.perf_counter() - begun, 1, "s", labels | {"tracks": len(some.tracks)})
