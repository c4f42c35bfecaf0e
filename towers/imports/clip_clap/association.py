"""The meaning of tags for the match: written by hand, and learnt again where there are pairs.

Both sides are mapped to ``vocabulary.MEANINGS`` by the matrix written by hand. With pairs of videos and the music that
somebody chose for them, the video's matrix is learnt: ridge regression from a video's tags to the place of its music,
towards the matrix by hand instead of towards zero. The penalty is chosen by leaving each video out, and judged in the
same way; one of the choices keeps the matrix by hand.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from .vocabulary import TAGS

Floats = NDArray[np.float64]

FEWEST: Final = 20  # videos
PENALTIES: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, float("inf"))  # the last one: as written by hand


def by_hand() -> torch.Tensor:
    """(tags, meanings) float32."""
    return torch.tensor([tag.meaning() for tag in TAGS])


@dataclass(frozen=True)
class Learnt:
    """``matrix``: of the video side (tags, meanings); ``penalty``: infinite for the matrix by hand. ``by_hand`` and
    ``left_out``: the mean share of the other videos' music that a video's own music beats, with the matrix by hand, and
    as chosen without each video."""

    matrix: Floats
    penalty: float
    pairs: int
    by_hand: float
    left_out: float

    def text(self) -> str:
        if self.pairs < FEWEST:
            return f"association: {self.pairs} pairs, {FEWEST} are needed to learn from; it stays as written by hand"
        learnt = bool(np.isfinite(self.penalty))
        chosen = f"learnt (penalty {self.penalty:g})" if learnt else "as written by hand"
        return (
            f"association: {chosen}, of {self.pairs} pairs; own music beats others: by hand {self.by_hand:.3f}, chosen "
            f"with each video left out {self.left_out:.3f}"
        ) + ("; a share chosen on the same pairs flatters it" if learnt else "")


def learn(video_tags: Floats, music_tags: Floats, hand: Floats) -> Learnt:
    """``video_tags``, ``music_tags`` (pairs, tags): of each video and of its own music, tags squashed and averaged over
    clips; ``hand`` (tags, meanings). From fewer than 20 pairs nothing is learnt."""
    pairs = len(video_tags)
    if pairs < FEWEST:
        figure = float(own_shares(_scaled(video_tags @ hand), _scaled(music_tags @ hand)).mean()) if pairs > 1 else 0.5
        return Learnt(hand, float("inf"), pairs, figure, figure)
    deviation = np.maximum((video_tags @ hand).std(axis=0), 1e-6)
    target, base = _scaled(music_tags @ hand), _scaled(video_tags @ hand)
    centre = video_tags - video_tags.mean(axis=0)
    kernel, missed = centre @ centre.T, target - base
    table = np.stack([own_shares(base + _left_out(kernel, missed, penalty), target) for penalty in PENALTIES])
    best, left_out = judge_choices(table)
    penalty = PENALTIES[best]
    matrix = hand
    if np.isfinite(penalty):
        change = centre.T @ np.linalg.solve(kernel + penalty * np.eye(pairs), missed)
        matrix = hand + change * deviation
    return Learnt(matrix, penalty, pairs, float(table[-1].mean()), left_out)


def judge_choices(table: Floats) -> tuple[int, float]:
    """Of figures (choices, videos): the best choice, and the mean figure of the choices made without each video."""
    left_out = [table[_best(np.delete(table, video, axis=1)), video] for video in range(table.shape[1])]
    return _best(table), float(np.mean(left_out))


def own_shares(videos: Floats, musics: Floats) -> Floats:
    """(pairs,): the share of the others' music that a video's own music beats by cosine; a tie counts half."""
    cosines = _unit(videos) @ _unit(musics).T
    mine = np.diag(cosines)[:, None]
    beaten = (cosines < mine).sum(axis=1) + 0.5 * ((cosines == mine).sum(axis=1) - 1)
    return np.asarray(beaten / (len(cosines) - 1))


def _left_out(kernel: Floats, missed: Floats, penalty: float) -> Floats:
    """The prediction of each row by a ridge regression without that row."""
    if np.isinf(penalty):
        return np.zeros_like(missed)
    inverse = np.linalg.inv(kernel + penalty * np.eye(len(kernel)))
    return np.asarray(missed - (inverse @ missed) / np.diag(inverse)[:, None])


def _best(table: Floats) -> int:
    """The penalty with the highest mean; of equal ones the nearest to the matrix by hand."""
    means = table.mean(axis=1)
    return int(np.flatnonzero(means >= means.max() - 1e-9)[-1])


def _scaled(places: Floats) -> Floats:
    return np.asarray((places - places.mean(axis=0)) / np.maximum(places.std(axis=0), 1e-6))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
