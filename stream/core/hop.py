"""One hop under way: what it was given so far, and what the next stage is asked with."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate

from .model import Model
from .ranking import Pictures
from .window import Window


@dataclass(slots=True)
class Hop:
    """``end`` is the second at which its window ends, ``pts_s`` the time to publish, ``start`` the slot at which the
    scene began."""

    end: int
    pts_s: float
    start: int
    ends: list[int] = field(default_factory=list)
    window: dict[str, NDArray[Any]] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)  # open questions: id -> stage
    found: list[Candidate] = field(default_factory=list)
    needed: frozenset[str] = frozenset()  # tracks to be ranked however far they are
    sought: list[str] = field(default_factory=list)
    mood: NDArray[np.float32] | None = None
    query: NDArray[np.float32] | None = None  # (E,), the window's vector
    passing: dict[str, bool] = field(default_factory=dict)  # filter, in words -> whether anything passes it alone

    def bound(self, most: int, needed: Set[str], without: Set[str]) -> None:
        """Keep ``most`` of what was retrieved, none of ``without``; those that are ``needed`` go first."""
        found = [candidate for candidate in self.found if candidate.track.id not in without]
        self.found = sorted(found, key=lambda candidate: candidate.track.id not in needed)[:most]

    def matcher_inputs(self, model: Model) -> dict[str, NDArray[Any]]:
        """The window against each candidate, a row each; see the manifest for the shapes."""
        rows = len(self.found)
        return {
            "video_clips": np.repeat(self.window["clips"], rows, axis=0),
            "video_mask": np.repeat(self.window["mask"], rows, axis=0),
            **{name: np.repeat(self.window[name], rows, axis=0) for name in model.matched},
            "music_clips": np.stack([candidate.clips for candidate in self.found]).astype(np.float32, copy=False),
            "music_mask": np.stack([candidate.mask for candidate in self.found]),
            **{name: np.stack([heard(candidate, name) for candidate in self.found]) for name in model.heard},
        }

    def pictures(self, window: Window, model: Model) -> Pictures:
        """What the pictures of its window are like."""
        brightness, contrast, colourfulness, warmth = window.colour(self.end, self.start)
        return Pictures(
            tempo=window.tempo(self.end, self.start),
            speed=window.speed(self.end, self.start),
            brightness=brightness,
            contrast=contrast,
            colourfulness=colourfulness,
            warmth=warmth,
            mood=self.mood,
            mood_places=model.mood_places(self.mood),
        )


def heard(candidate: Candidate, feature: str) -> NDArray[np.float32]:
    """(7, ...) of a candidate's segment, as the matcher takes it."""
    value = candidate.rhythm if feature == "rhythm" else candidate.extras[feature]
    return value.astype(np.float32, copy=False)
