"""Measures of retrieval by label, where every candidate of the query's label is right, and of two classes; pure.

Conventions: ``similarity`` (n, m), queries by row; labels int64. A tie is broken by the candidate's place.
"""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]


def hits(similarity: Matrix, queries: Labels, candidates: Labels) -> npt.NDArray[np.bool_]:
    """(n, m): whether the k-th best candidate has the query's label."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    return np.asarray(candidates[order] == queries[:, None])


def mean_average_precision(similarity: Matrix, queries: Labels, candidates: Labels) -> float:
    """In percent; queries whose label no candidate has are left out."""
    right = hits(similarity, queries, candidates)
    right = right[right.any(axis=1)]
    precision = right.cumsum(axis=1) / np.arange(1, right.shape[1] + 1)
    return 100.0 * float(np.mean((precision * right).sum(axis=1) / right.sum(axis=1)))


def top(similarity: Matrix, queries: Labels, candidates: Labels, k: int) -> float:
    """Percent of queries with their label among the first ``k``."""
    return 100.0 * float(hits(similarity, queries, candidates)[:, :k].any(axis=1).mean())


def accuracy(guess: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """In percent."""
    return 100.0 * float((guess == truth).mean())


def f1(guess: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Of the class True; 0 where nothing is right."""
    right = float((guess & truth).sum())
    return 2.0 * right / float(guess.sum() + truth.sum()) if right else 0.0


def auc(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.bool_]) -> float:
    """Chance that a true one scores above a false one, ties half (Mann and Whitney 1947)."""
    differences = scores[truth][:, None] - scores[~truth][None]
    return float(((differences > 0) + 0.5 * (differences == 0)).mean())
