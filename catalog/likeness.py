"""The tracks that are most like a query by plain similarity. An index searches by standard scores, so here every
segment is compared."""

import numpy as np

from .index.base import Hit, Segments, VectorIndex, Where
from .records import Floats
from .segments import SegmentTable
from .standard import similarities


def most_alike(index: VectorIndex, table: SegmentTable, query: Floats, n: int, where: Where) -> list[Hit]:
    """The best segment of each of the ``n`` best tracks for ``query`` (E,), best first; scores are cosines. Tracks that
    ``table`` does not know are left out."""
    tracks: list[str] = []
    segments, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for block in (known_part(block, table) for block in index.blocks(where)):
        if not block.tracks:
            continue
        ids, counts = [track.id for track in block.tracks], block.counts
        cosines = similarities(block.vectors, table.deviations(ids, counts), query)
        firsts = np.cumsum(counts) - counts
        best = np.maximum.reduceat(cosines, firsts)
        as_good = np.flatnonzero(cosines == np.repeat(best, counts))
        _, first = np.unique(np.repeat(np.arange(len(ids)), counts)[as_good], return_index=True)
        tracks += ids
        segments.append(as_good[first] - firsts)
        scores.append(best)
    score, segment = np.concatenate(scores), np.concatenate(segments)
    order = np.argsort(-score, kind="stable")[: max(n, 0)].tolist()  # equal ones stay by id
    return [Hit(tracks[i], int(segment[i]), float(score[i])) for i in order]


def known_part(block: Segments, table: SegmentTable) -> Segments:
    """The tracks of a block that ``table`` knows with as many segments."""
    known = table.known([track.id for track in block.tracks], block.counts)
    if known.all():
        return block
    tracks = [track for track, is_known in zip(block.tracks, known.tolist(), strict=True) if is_known]
    return Segments(tracks, block.counts[known], block.vectors[np.repeat(known, block.counts)])
