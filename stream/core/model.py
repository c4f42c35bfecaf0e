"""What a session must know of a bundle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .window import Window


@dataclass(frozen=True, slots=True)
class Model:
    """What a session must know of the bundle: the width of its vectors, which optional graphs it has, and which
    features they take: ``clip`` the clip tower, ``sequence`` the sequence tower, ``matched`` the matcher of the
    video, ``heard`` the matcher of the music."""

    clip_dim: int
    embedding_dim: int
    matcher: bool
    mood: bool
    clip: tuple[str, ...] = ("clip_image",)
    sequence: tuple[str, ...] = ("displacement",)
    matched: tuple[str, ...] = ("displacement",)
    heard: tuple[str, ...] = ("rhythm",)
    moods: tuple[tuple[float, ...], ...] = ()  # of the bank's footage, rising, for each axis; none without a bank

    def window(self) -> Window:
        """An empty window that measures what the graphs take."""
        return Window(self.clip_dim, self.clip, tuple(dict.fromkeys((*self.sequence, *self.matched))))

    def mood_places(self, mood: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """(3,): the share of the bank's footage whose mood is lower than ``mood`` (3,), axis by axis; None where either
        is not known."""
        if mood is None or not self.moods:
            return None
        return np.array(
            [np.interp(at, axis, np.linspace(0.0, 1.0, len(axis))) for at, axis in zip(mood, self.moods, strict=True)]
        )
