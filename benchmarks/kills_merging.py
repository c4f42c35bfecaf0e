"""``python -m benchmarks.kills_merging FOLDER``: replaces tracks of a compact index and lets it make one generation
after another, until it is killed. Round R replaces every third track; ``R`` is printed when a generation holds it."""

import sys
from pathlib import Path
from typing import Final

import numpy as np

from catalog.index.base import IndexOptions, Segments
from catalog.index.compact import CompactIndex
from catalog.index.compact_sizes import Sizes
from catalog.records import Track

DIM: Final = 32
TRACKS: Final = 300
SEGMENTS: Final = 20  # of a track
PARTS: Final = 3
SIZES: Final = Sizes(coded=1_000, few=100, changed_least=500)
OPENED: Final = "opened"


def ids(round: int | None) -> list[str]:
    """The tracks that a round replaces; None: all."""
    return [f"{i:04}" for i in range(TRACKS) if round is None or i % PARTS == round % PARTS]


def replaced(chosen: list[str], round: int) -> Segments:
    """These tracks with the round in their stamps and in their vectors."""
    vectors = np.random.default_rng(round).standard_normal((len(chosen) * SEGMENTS, DIM)).astype(np.float32)
    vectors[:, 0] = round
    tracks = [Track(id, "", "", Path(f"/music/{id}"), 60.0, 100.0, "", ()) for id in chosen]
    return Segments(tracks, np.full(len(tracks), SEGMENTS, np.int64), vectors, [str(round)] * len(tracks))


def least(id: str, round: int) -> int:
    """The round that a track is of, at least, where a generation holds ``round``."""
    return max(0, round - (round - int(id)) % PARTS)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    index = CompactIndex(IndexOptions(folder, DIM), SIZES)
    held = index.stamps()
    round = max(map(int, held.values()), default=-1)
    _say(OPENED)
    while True:
        round += 1
        index.upsert(replaced(ids(round if round else None), round))
        index.settle()
        _say(str(round))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
