"""What is most like a query by plain similarity, among everything that an index holds: it searches by standard scores,
so every segment is looked at."""

import numpy as np

from .index.base import Hit, VectorIndex, Where
from .index.grouping import best_of_each
from .records import Floats
from .segments import SegmentTable


def most_alike(index: VectorIndex, table: SegmentTable, query: Floats, n: int, where: Where) -> list[Hit]:
    """The best segment of each of the ``n`` best tracks for ``query`` (E,), best first; scores are cosines."""
    tracks: list[str] = []
    counts, cosines = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for block in index.blocks(where):
        ids = [track.id for track in block.tracks]
        tracks += ids
        counts.append(block.counts)
        cosines.append(table.standard.similarities(block.vectors, table.rows_of(ids, block.counts), query))
    count, cosine = np.concatenate(counts), np.concatenate(cosines)
    firsts = np.cumsum(count) - count
    owners = np.repeat(np.arange(len(tracks)), count)
    best = best_of_each(owners, cosine, np.arange(len(cosine)), n)
    return [
        Hit(tracks[owner], at - int(firsts[owner]), float(cosine[at]))
        for at, owner in zip(best.tolist(), owners[best].tolist(), strict=True)
    ]
