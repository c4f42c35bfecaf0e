"""``python -m benchmarks.search_fresh FOLDER DIM``: opens a catalogue's compact index, searches once for the query on
its standard input, and prints how long that took and what memory it has for itself alone since, as JSON."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from catalog.index.base import IndexOptions
from catalog.index.compact import CompactIndex


def private_mb() -> float | None:
    """What cannot be dropped or shared with other processes; None where the system does not tell."""
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.exists():
        return None
    sizes = [int(line.split()[1]) for line in rollup.read_text().splitlines() if line.startswith("Private_Dirty")]
    return sum(sizes) / 1024


def main(folder: Path, dim: int) -> None:
    query = np.array(json.loads(sys.stdin.read()), np.float32)
    before, begin = private_mb(), time.perf_counter()
    index = CompactIndex(IndexOptions(folder, dim))
    hits = index.search(query, 32)
    open_s = time.perf_counter() - begin
    for _ in range(20):
        index.search(query, 32)
    after = private_mb()
    grown = None if before is None or after is None else after - before
    sys.stdout.write(json.dumps({"open_s": open_s, "private_mb": grown, "hits": len(hits)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
