"""``segue bench search --vectors N``: the compact index and the exact one, of one catalogue, turn by turn.

*speedup_flat*: the exact index's processor time for a search by the compact one's, medians, strictly in turns of one
search each, in one process on one core: the exact search reads half a gigabyte for a million vectors, so that each
search of the compact index begins with the processor's caches empty of everything, programs too. All other figures of
searches are of these turns as well. *speedup_flat_warm*: the same in turns of 8 searches each. *track_recall32*: the
share of the exact index's 32 best tracks. *private_mb*, *open_s*: of another process that opens the index and searches
once; what it has for itself alone, and until it has the first answer, its imports not counted, the files in the
system's cache.
*searchable_s*: from the call that adds or removes 100 tracks until a search shows it. *slowest_...*: the slowest search
while that goes on and a new generation is made and taken, by the median of all, by processor time and by the wall;
*..._idle*: the same of as many searches while nothing changes, which tells what the machine's other work does.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from catalog.index.base import EVERYWHERE, Hit, IndexOptions, Segments, VectorIndex, Where
from catalog.index.compact import CompactIndex
from catalog.index.flat import FlatIndex
from catalog.records import Filters, Floats, Track

from .errors import BenchError
from .harness import Row
from .search_data import Shape, catalogue_queries, catalogue_rows, queries_of, segments_of, shape_of, tracks_of

TRACKS: Final = 32
WARM: Final = 8  # searches of one index in a turn
QUERIES: Final = 400
FILTERED: Final = 120  # queries of each filter
SHARES: Final = (0.5, 0.1, 0.01, 0.001)
CHANGED: Final = 100  # tracks
OPENED: Final = 5  # processes
ROUNDS: Final = 9
PAUSE_S: Final = 0.002
Labels = dict[str, str | int | float]


def measure_compact(count: int, dim: int, standard: bool, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows for a catalogue of ``count`` segments, of vectors of ``dim`` numbers, or of as many as its index has for
    them (``standard``)."""
    rng, shape = np.random.default_rng(count), shape_of(dim)
    labels: Labels = {"vectors": count, "kind": "catalogue" if standard else "plain"}
    given = made(shape, rng, count, standard)
    asked = queries_of(shape, rng, given.vectors, QUERIES)
    if standard:
        asked = catalogue_queries(asked, rng)
    width = given.vectors.shape[1]
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as name:
        compact = CompactIndex(IndexOptions(Path(name), width))
        flat = FlatIndex(IndexOptions(Path(name), width))
        try:
            say(f"{count} vectors: making the compact index")
            begin = time.perf_counter()
            compact.upsert(given)
            yield Row("build_s", time.perf_counter() - begin, 1, "s", labels)
            flat.upsert(given)
            tracks, counts = given.tracks, given.counts
            del given
            folder = compact.generation
            if folder is None:
                raise BenchError(f"--vectors {count}: no generation was made; use more, and look at the log")
            size = sum(path.stat().st_size for path in folder.iterdir())
            yield Row("bytes_per_segment", size / count, count, "bytes", labels)
            yield from fresh(Path(name), width, asked[0], labels)
            say(f"{count} vectors: searching, in turns")
            yield from in_pairs(flat, compact, asked, labels)
            for share in SHARES:
                most = float(np.sort([track.tempo_bpm for track in tracks])[max(0, round(share * len(tracks)) - 1)])
                where = Where(condition=Filters(max_bpm=most))
                yield from in_pairs(flat, compact, asked[:FILTERED], labels | {"passing": share}, where)
            flat.close()
            del flat
            say(f"{count} vectors: adding and removing tracks")
            yield from changing(compact, shape, rng, asked, int(counts.mean()), standard, labels)
        finally:
            compact.close()


def made(shape: Shape, rng: np.random.Generator, count: int, standard: bool) -> Segments:
    parts = list(tracks_of(shape, rng, count))
    counts = np.concatenate([counts for counts, _ in parts])
    vectors = np.concatenate([vectors for _, vectors in parts])
    if standard:
        vectors = catalogue_rows(vectors, counts, rng)
    tempi = 60.0 + 120.0 * rng.permutation(len(counts)) / len(counts)
    return Segments([track(f"{i:016x}", float(tempo)) for i, tempo in enumerate(tempi)], counts, vectors)


def track(id: str, tempo_bpm: float) -> Track:
    path = Path(f"/music/artist of {id}/{id}.flac")
    return Track(id, f"Title of {id}", f"Artist of {id}", path, 200.0, tempo_bpm, "CC-BY-4.0", ("ambient", "calm"))


def in_pairs(
    flat: VectorIndex, compact: VectorIndex, asked: Floats, labels: Labels, where: Where = EVERYWHERE
) -> Iterator[Row]:
    """Every query to both."""
    flat_ms, compact_ms, recall = in_turns(flat, compact, asked, where, 1)
    half, most = np.percentile(compact_ms, (50, 99))
    count = len(asked)
    yield Row("track_recall32", recall, count, "", labels)
    yield Row("speedup_flat", float(np.median(flat_ms) / half), count, "", labels)
    yield Row("p50_ms", float(half), count, "ms", labels)
    yield Row("p99_ms", float(most), count, "ms", labels)
    yield Row("flat_p50_ms", float(np.median(flat_ms)), count, "ms", labels)
    flat_ms, compact_ms, _ = in_turns(flat, compact, asked, where, WARM)
    yield Row("speedup_flat_warm", float(np.median(flat_ms) / np.median(compact_ms)), count, "", labels)
    yield Row("p50_warm_ms", float(np.median(compact_ms)), count, "ms", labels)


def in_turns(
    flat: VectorIndex, compact: VectorIndex, asked: Floats, where: Where, turn: int
) -> tuple[list[float], list[float], float]:
    """Milliseconds of the searches of each, ``turn`` of one and then as many of the other; and the share of the exact
    index's tracks that the compact one finds."""
    for index in (flat, compact):
        index.search(asked[0], TRACKS, where)
    times: dict[VectorIndex, list[float]] = {flat: [], compact: []}
    shares = []
    for first in range(0, len(asked), turn):
        found: dict[VectorIndex, list[list[Hit]]] = {flat: [], compact: []}
        for index in (flat, compact):
            for query in asked[first : first + turn]:
                begin = time.process_time()
                found[index].append(index.search(query, TRACKS, where))
                times[index].append((time.process_time() - begin) * 1e3)
        for exact, quick in zip(found[flat], found[compact], strict=True):
            wanted = {hit.track for hit in exact}
            shares.append(len(wanted & {hit.track for hit in quick}) / max(1, len(wanted)))
    return times[flat], times[compact], float(np.mean(shares))


def fresh(folder: Path, dim: int, query: Floats, labels: Labels) -> Iterator[Row]:
    """Opened in another process, several times."""
    opened, private = [], []
    for _ in range(OPENED):
        command = [sys.executable, "-m", "benchmarks.search_fresh", str(folder), str(dim)]
        done = subprocess.run(command, input=json.dumps(query.tolist()), capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise BenchError(f"{folder}: cannot be opened ({done.stderr.strip()[-300:]}); look at the log")
        said = json.loads(done.stdout)
        opened.append(said["open_s"])
        private.append(said["private_mb"])
    yield Row("open_s", float(np.median(opened)), len(opened), "s", labels)
    if private[0] is not None:
        yield Row("private_mb", float(np.median(private)), len(private), "MB", labels)


def changing(
    index: CompactIndex,
    shape: Shape,
    rng: np.random.Generator,
    asked: Floats,
    each: int,
    standard: bool,
    labels: Labels,
) -> Iterator[Row]:
    """Tracks are added and removed, past the bound at which a generation is made, beside a thread that searches."""

    def searching(stop: Callable[[int], bool], wall: list[float], cpu: list[float]) -> None:
        while not stop(len(wall)):
            query = asked[len(wall) % len(asked)]
            begin, busy = time.perf_counter(), time.thread_time()
            index.search(query, TRACKS)
            cpu.append((time.thread_time() - busy) * 1e3)
            wall.append((time.perf_counter() - begin) * 1e3)
            time.sleep(PAUSE_S)

    done = threading.Event()
    wall, cpu, wall_idle, cpu_idle = list[float](), list[float](), list[float](), list[float]()
    thread = threading.Thread(target=searching, args=[lambda _: done.is_set(), wall, cpu])
    thread.start()
    seconds: list[float] = []
    before = index.generation
    try:
        for number in range(ROUNDS):
            counts = np.full(CHANGED, each, np.int64)
            vectors = segments_of(shape, rng, counts)
            if standard:
                vectors = catalogue_rows(vectors, counts, rng)
            ids = frozenset(f"new {number} {i:04}" for i in range(CHANGED))
            new = Segments([track(id, 100.0) for id in sorted(ids)], counts, vectors)
            begin = time.perf_counter()
            index.upsert(new)
            there = len(index.search(asked[0], CHANGED, Where(ids))) == CHANGED
            seconds.append(time.perf_counter() - begin)
            if number % 3 == 0:
                begin = time.perf_counter()
                index.remove(ids)
                there &= not index.search(asked[0], 1, Where(ids))
                seconds.append(time.perf_counter() - begin)
            if not there:
                raise BenchError("a search does not show what was changed; tell the authors")
        index.settle()
    finally:
        done.set()
        thread.join()
    searching(lambda count: count >= min(len(wall), 2000), wall_idle, cpu_idle)
    yield Row("searchable_s", max(seconds), len(seconds), "s", labels)
    for name, samples in (("cpu", cpu), ("wall", wall), ("cpu_idle", cpu_idle), ("wall_idle", wall_idle)):
        slowest = max(samples) / float(np.median(samples))
        yield Row(f"slowest_{name}", slowest, len(samples), "x median", labels)
    count = len(cpu)
    yield Row("p50_ms", float(np.median(cpu)), count, "ms", labels | {"while": "changing"})
    yield Row("p99_ms", float(np.percentile(cpu, 99)), count, "ms", labels | {"while": "changing"})
    yield Row("new_generation", float(index.generation != before), 1, "", labels | {"while": "changing"})
