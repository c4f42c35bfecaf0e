"""A process that makes generation after generation, and is killed. ``python kill_merges.py FOLDER at STEP`` kills
itself at that step (a flush to the disk, a rename) of its second generation; ``... FOLDER on`` goes on until it is."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from catalog.index.base import IndexOptions, Segments
from catalog.index.compact import CompactIndex
from catalog.index.compact_build import build
from catalog.index.compact_sizes import Sizes
from catalog.records import Track

D = 24
TRACKS = 60
SMALL = Sizes(kept=1, coded=100, few=10, few_of_many=10, changed_least=1, changed_most=1)


def version(v: int) -> Segments:
    """All tracks; those of version v have v in their stamps and in their vectors."""
    vectors = np.random.default_rng(0).standard_normal((2 * TRACKS, D)).astype(np.float32)
    vectors[:, 0] = v
    tracks = [Track(f"{i:04}", "", "", Path("/music/a"), 60.0, 100.0, "", ()) for i in range(TRACKS)]
    return Segments(tracks, np.full(TRACKS, 2, np.int64), vectors, [f"v{v}"] * TRACKS)


def main(folder: Path, step: int | None) -> None:
    index = CompactIndex(IndexOptions(folder, D), SMALL, build)
    first = 1 + max((int(stamp[1:]) for stamp in index.stamps().values()), default=0)
    for v in range(first, first + 1_000_000):
        if step is not None and v == first + 1:
            kill_at(step)
        index.upsert(version(v))
        index.settle()
        print(v, flush=True)  # noqa: T201


def kill_at(step: int) -> None:
    passed = 0

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal passed
            passed += 1
            if passed == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    os.fsync = counted(os.fsync)
    os.rename = counted(os.rename)
    os.replace = counted(os.replace)
    Path.rename = counted(Path.rename)  # type: ignore[method-assign]
    Path.replace = counted(Path.replace)  # type: ignore[method-assign]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[3]) if sys.argv[2] == "at" else None)
