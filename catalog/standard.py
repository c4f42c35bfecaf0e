"""Standard scores: how near a segment is to a query, against how near it is to real footage.

A segment's similarities to the bundle's bank have a mean and a deviation of its own. What is near to everything stands
high on both; a query has to be nearer than that to count. In the field: z-normalisation of scores, as in the
verification of speakers (Auckenthaler, Carey, Lloyd-Thomas, "Score normalization for text-independent speaker
verification systems", 2000). It is linear in the query, so that an index of inner products finds the best exactly:

    (v . q - mean) / deviation  =  [v / deviation, -mean / deviation] . [q, 1]
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .records import LEANS, Floats

LEAN_REACH: Final = 2.0  # deviations, for the whole of a dial
LEAST: Final = 0.02  # of a deviation: less is the noise of a few windows
SAMPLED: Final = 64  # segments that stand in for a bank where the bundle has none


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """Of each segment: ``means`` and ``deviations`` (rows,) of its similarities to the bank."""

    means: Floats
    deviations: Floats

    def rows(self, vectors: Floats, standings: Floats) -> Floats:
        """(rows, E + 5), what the index holds for ``vectors`` (rows, E) and ``standings`` (rows, 4)."""
        scale = 1.0 / self.deviations[:, None]
        parts = (vectors * scale, -self.means[:, None] * scale, LEAN_REACH * standings)
        return np.concatenate(parts, axis=1).astype(np.float32)

    def plain(self, rows: Floats, numbers: NDArray[np.int64] | slice | int) -> Floats:
        """The vectors (..., E) that ``numbers`` of the index's ``rows`` were made of."""
        taken: Floats = rows[numbers, : -(1 + len(LEANS))]
        return taken * self.deviations[numbers][..., None]

    def zscore(self, similarity: float, row: int) -> float:
        """A similarity to segment ``row``, standardised."""
        return float((similarity - self.means[row]) / self.deviations[row])


def standard_of(vectors: Floats, bank: Floats | None) -> Standard:
    """``vectors`` (rows, E) against ``bank`` (n, E); None: against a few of themselves, better than nothing."""
    footage = vectors[:: max(1, -(-len(vectors) // SAMPLED))] if bank is None else bank
    means, deviations = np.zeros(len(vectors), np.float32), np.ones(len(vectors), np.float32)
    for at in range(0, len(vectors), 65_536):  # a bounded product
        near = vectors[at : at + 65_536] @ footage.T
        means[at : at + len(near)], deviations[at : at + len(near)] = near.mean(axis=1), near.std(axis=1)
    return Standard(means, np.maximum(deviations, LEAST))


def asked(query: Floats, lean: tuple[float, ...]) -> Floats:
    """(E + 5,): a query (E,) as the index is asked with it, leaning by ``lean`` (one number for each of ``LEANS``)."""
    return np.concatenate([query, np.ones(1), np.asarray(lean or (0.0,) * len(LEANS))]).astype(np.float32)
