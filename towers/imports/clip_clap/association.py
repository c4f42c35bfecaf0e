"""What tags mean for the match: by hand, and learnt again where there are pairs.

Both sides are taken to ``vocabulary.MEANINGS`` by the matrix written by hand. With pairs of videos and the music that
somebody chose for them, the video's matrix is learnt: ridge regression from a video's tags to where its music is,
towards the matrix by hand instead of towards zero. How far it may go from it is chosen by leaving each video out, and
judged likewise; never at all is one of the choices.
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
    """``matrix``: of the video side (tags, meanings); ``penalty``: infinite where it is the one by hand. The share of
    the other videos' music that a video's own one beats, in the mean: by hand, and as chosen without each video."""

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


def learn(seen: Floats, heard: Floats, hand: Floats) -> Learnt:
    """``seen``, ``heard`` (pairs, tags): of each video and of its own music, tags squashed and averaged over clips;
    ``hand`` (tags, meanings). Of fewer than 20 pairs nothing is learnt."""
    pairs = len(seen)
    if pairs < FEWEST:
        figure = float(own(_scaled(seen @ hand), _scaled(heard @ hand)).mean()) if pairs > 1 else 0.5
        return Learnt(hand, float("inf"), pairs, figure, figure)
    deviation = np.maximum((seen @ hand).std(axis=0), 1e-6)
    target, base = _scaled(heard @ hand), _scaled(seen @ hand)
    centre = seen - seen.mean(axis=0)
    kernel, missed = centre @ centre.T, target - base
    table = np.stack([own(base + _left_out(kernel, missed, penalty), target) for penalty in PENALTIES])
    best, kept = judged(table)
    penalty = PENALTIES[best]
    matrix = hand
    if np.isfinite(penalty):
        change = centre.T @ np.linalg.solve(kernel + penalty * np.eye(pairs), missed)
        matrix = hand + change * deviation
    return Learnt(matrix, penalty, pairs, float(table[-1].mean()), kept)


def judged(table: Floats) -> tuple[int, float]:
    """Of figures (choices, videos): the best choice, and the mean figure of what is chosen without each video."""
    kept = [table[_best(np.delete(table, video, axis=1)), video] for video in range(table.shape[1])]
    return _best(table), float(np.mean(kept))


def own(seen: Floats, heard: Floats) -> Floats:
    """(pairs,): the share of the others' music that a video's own one beats by cosine, ties by half."""
    cosines = _unit(seen) @ _unit(heard).T
    mine = np.diag(cosines)[:, None]
    beaten = (cosines < mine).sum(axis=1) + 0.5 * ((cosines == mine).sum(axis=1) - 1)
    return np.asarray(beaten / (len(cosines) - 1))


def _left_out(kernel: Floats, missed: Floats, penalty: float) -> Floats:
    """What ridge says of each row when it is learnt without that row."""
    if np.isinf(penalty):
        return np.zeros_like(missed)
    inverse = np.linalg.inv(kernel + penalty * np.eye(len(kernel)))
    return np.asarray(missed - (inverse @ missed) / np.diag(inverse)[:, None])


def _best(table: Floats) -> int:
    """The penalty with the highest mean; of equals the one nearest to the matrix by hand."""
    means = table.mean(axis=1)
    return int(np.flatnonzero(means >= means.max() - 1e-9)[-1])


def _scaled(places: Floats) -> Floats:
    return np.asarray((places - places.mean(axis=0)) / np.maximum(places.std(axis=0), 1e-6))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
