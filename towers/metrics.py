"""Retrieval measures, pure.

Conventions: ``similarity`` is (n, n) float, queries by row, candidates by column; the only right answer of query i is
candidate i. Ranks start at 1. A tie counts against us: equal candidates stand before the right one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = (1, 5, 10, 25)

Matrix = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Retrieval:
    """``recall`` in percent by K, the ``median_rank``, the number of ``candidates``, and the mean natural logarithm of
    the ranks, which differs where recalls are equal."""

    recall: dict[int, float]
    median_rank: float
    candidates: int
    mean_log_rank: float


def ranks(similarity: Matrix) -> npt.NDArray[np.int64]:
    """Rank of the right candidate per query, (n,)."""
    right = np.diagonal(similarity)
    return np.asarray((similarity >= right[:, None]).sum(axis=1), np.int64)


def summarise(rank: npt.NDArray[np.int64], candidates: int, levels: Sequence[int] = LEVELS) -> Retrieval:
    """Recall@K in percent and the median rank, of ranks (n,)."""
    recall = {k: 100.0 * float(np.mean(rank <= k)) for k in levels}
    return Retrieval(recall, float(np.median(rank)), candidates, float(np.log(rank).mean()))


def retrieval(similarity: Matrix, levels: Sequence[int] = LEVELS) -> Retrieval:
    return summarise(ranks(similarity), similarity.shape[1], levels)


def chance(candidates: int, levels: Sequence[int] = LEVELS) -> Retrieval:
    """The average result of a random order."""
    recall = {k: 100.0 * min(k, candidates) / candidates for k in levels}
    every = np.log(np.arange(1, candidates + 1))
    return Retrieval(recall, (candidates + 1) / 2, candidates, float(every.mean()))


def reordered_ranks(similarity: Matrix, scores: Matrix, shortlist: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Ranks after a second stage has reordered the first's ``shortlist`` (n, k) by ``scores`` (n, k).

    A right candidate outside its shortlist keeps the rank that the first stage gave it.
    """
    first = ranks(similarity)
    inside = shortlist == np.arange(len(similarity))[:, None]
    right = np.where(inside, scores, -np.inf).max(axis=1)
    second = (scores >= right[:, None]).sum(axis=1)
    return np.asarray(np.where(inside.any(axis=1), second, first), np.int64)
