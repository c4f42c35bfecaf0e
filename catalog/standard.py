"""Standard scores: how near a track is to a query, against how near it is to real footage.

A track is as near as its nearest segment, so its nearness to the bundle's bank has a mean and a deviation of its own:
a track that is near to everything has a high mean, and so has a long track, since it has more segments. A query has to
be nearer than that to count. In the field: z-normalisation of scores, as in the verification of speakers
(Auckenthaler, Carey, Lloyd-Thomas, "Score normalization for text-independent speaker verification systems", 2000). It
is linear in the query, so that an index of inner products finds the best exactly:

    (v . q - mean) / deviation  =  [v / deviation, -mean / deviation] . [q, 1]

Of 66 real tracks of 1 to 137 segments and the 36 windows of 13 videos, each against a bank without its own video: two
lists of five share .118 (Jaccard) by plain similarity, .060 with each segment standardised by itself, .033 so; blind
lists share .037.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .records import LEANS, Floats

LEAN_REACH: Final = 2.0  # deviations, for a fully turned dial
LEAST: Final = 0.02  # of a deviation: less is the noise of a few windows
SAMPLED: Final = 256  # segments whose similarities give the scale where the bundle has no bank
BLOCK: Final = 65_536  # rows of a product


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Of each segment's track: ``means`` and ``deviations`` (rows,) of its similarities to the bank."""

    means: Floats
    deviations: Floats
    known: bool = True  # by a bank

    def rows(self, vectors: Floats, standings: Floats) -> Floats:
        """(rows, E + 5), what the index holds for ``vectors`` (rows, E) and ``standings`` (rows, 4)."""
        width = vectors.shape[1]
        stored = np.empty((len(vectors), index_width(width)), np.float32)  # half a gigabyte for a million segments
        np.divide(vectors, self.deviations[:, None], out=stored[:, :width])
        np.divide(-self.means, self.deviations, out=stored[:, width])
        np.multiply(standings, LEAN_REACH, out=stored[:, width + 1 :])
        return stored


def plain(stored: Floats, deviations: Floats | np.float32) -> Floats:
    """The vectors (m, E) that the index's ``stored`` (m, E + 5) were made of, with each row's deviation (m, 1), or that
    of all of them."""
    vectors: Floats = stored[:, : -(1 + len(LEANS))]
    return vectors * deviations


def similarities(stored: Floats, deviations: Floats | np.float32, query: Floats) -> Floats:
    """(..., m): cosines of ``query`` (E,) with the vectors of which the index has ``stored`` (..., m, E or more); each
    row's deviation (..., m), or that of all of them."""
    near: Floats = stored[..., : len(query)] @ query
    near *= deviations
    return near


def scale_of(vectors: Floats) -> float:
    """All tracks' deviation where the bundle has no bank: that of the similarities among ``vectors`` (rows, E)."""
    few = vectors[:: max(1, -(-len(vectors) // SAMPLED))]
    return max(LEAST, float((few @ few.T).std())) if len(vectors) else LEAST


def standard_of(vectors: Floats, bank: Floats | None, owners: NDArray[np.int64], scale: float) -> Standard:
    """Compare ``vectors`` (rows, E) of the tracks ``owners`` (rows,), whose rows lie together, with ``bank`` (n, E).

    Without a bank, similarities only get the same ``scale`` (see ``scale_of``).
    """
    count = len(vectors)
    if bank is None:
        return Standard(np.zeros(count, np.float32), np.full(count, scale, np.float32), known=False)
    best = np.full((int(owners.max(initial=-1)) + 1, len(bank)), -np.inf, np.float32)
    for at in range(0, count, BLOCK):
        near = vectors[at : at + BLOCK] @ bank.T
        own = owners[at : at + len(near)]
        firsts = np.flatnonzero(np.diff(own, prepend=-1))
        tracks = own[firsts]
        best[tracks] = np.maximum(best[tracks], np.maximum.reduceat(near, firsts))
    present = np.unique(owners)
    means, deviations = np.zeros((2, len(best)), np.float32)
    means[present], deviations[present] = best[present].mean(axis=1), best[present].std(axis=1)
    return Standard(means[owners], np.maximum(deviations, LEAST)[owners])


def index_width(width: int) -> int:
    """D: how many numbers the index holds of a vector of ``width`` numbers."""
    return width + 1 + len(LEANS)


def index_query(query: Floats, lean: Sequence[float]) -> Floats:
    """(E + 5,): a query (E,) in the index's form, leaning by ``lean`` (one number for each of ``LEANS``)."""
    width = len(query)
    full = np.zeros(index_width(width), np.float32)
    full[:width], full[width] = query, 1.0
    if lean:
        full[width + 1 :] = share_lean(lean)
    return full


def share_lean(lean: Sequence[float]) -> Floats:
    """(4,): several dials share the weight that the furthest one would have alone; zeros for none."""
    turned = np.asarray(lean or (0.0,) * len(LEANS), np.float32)
    share: Floats = turned * (np.abs(turned).max() / max(float(np.abs(turned).sum()), 1e-9))
    return share
