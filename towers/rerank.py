"""Reorders a first stage's shortlist by the second; evaluation and benchmarks report it as ``matcher``."""

import numpy as np
import numpy.typing as npt
import torch

from .batch import Batch
from .metrics import reordered_ranks
from .system import Reranking

SHORTLIST = 50


@torch.inference_mode()
def reranked_ranks(
    system: Reranking, gallery: Batch, similarity: npt.NDArray[np.floating], direction: str, shortlist: int = SHORTLIST
) -> npt.NDArray[np.int64]:
    """Ranks (n,) of the right candidates after the second stage has ordered each query's first ``shortlist``.

    ``similarity`` (n, n), video by row; ``direction`` v2m or m2v: which side is the query.
    """
    matrix = similarity if direction == "v2m" else similarity.T
    order = np.argsort(-matrix, axis=1, kind="stable")[:, : min(shortlist, matrix.shape[1])]
    scores = []
    for query, candidates in enumerate(torch.from_numpy(order)):
        same = torch.full_like(candidates, query)
        video_rows, music_rows = (same, candidates) if direction == "v2m" else (candidates, same)
        scores.append(system.score(gallery.video.rows(video_rows), gallery.music.rows(music_rows)).numpy())
    return reordered_ranks(matrix, np.stack(scores), order)
