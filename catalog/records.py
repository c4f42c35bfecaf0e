"""What is kept of a track, and what a search is asked with and answers with.

*Conventions*: times in seconds, tempi in beats per minute; C, E and 7 as in the bundle (clip width, embedding width,
clips in a window). Clips stand oldest first, the valid ones first, zeros behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .licence import matches

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Track:
    """One piece of music: the part of the file ``path`` from ``begin_s`` to ``end_s``, which is mostly the whole file.

    ``id`` is of the sound: see ``identity.py``. Every other time of a track (``duration_s``, its beats, a candidate's
    ``start_s``) counts from ``begin_s``: who plays or cuts the file adds that, and stops at ``end_s``. Both count as
    ``features.decode.sound.decode`` does, in a player's time.
    """

    id: str
    title: str
    artist: str  # empty where the file does not say
    path: Path
    duration_s: float
    tempo_bpm: float  # 0 where no pulse was found
    licence: str  # empty where the file does not say
    tags: tuple[str, ...]  # genres and the like, as the file spells them
    begin_s: float = 0.0
    end_s: float | None = None  # None: the file's end


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """The best segment of one track for a query, with what ranking needs to look closer."""

    track: Track
    start_s: float  # on a beat of the track, inside it
    similarity: float  # cosine of query and segment, [-1, 1]
    clips: Floats  # (7, C) clip embeddings
    mask: Mask  # (7,), true where a clip is valid
    rhythm: Floats  # (7, 3), the fields of features.spec.RHYTHM_FIELDS
    mood: Floats | None  # (3,) in [0, 1], features.spec.MOOD_AXES; None where the bundle has no mood graph
    extras: Mapping[str, Floats] = field(default_factory=dict)  # (7, ...) further features that the matcher takes


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What is heard in one track: n clips, k segments. All arrays float32 but ``first_clips`` (int64)."""

    duration_s: float
    tempo_bpm: float  # 0 where no pulse was found
    beats: Floats  # (m,) seconds, rising
    clips: Floats  # (n, C) clip embeddings
    rhythm: Floats  # (n, 3)
    first_clips: NDArray[np.int64]  # (k,) the clip that each segment begins with
    starts_s: Floats  # (k,) where to start playing each segment: on a beat
    vectors: Floats  # (k, E), unit norm
    moods: Floats | None  # (k, 3) in [0, 1]
    extras: Mapping[str, Floats] = field(default_factory=dict)  # (n, ...) what the catalogue keeps beside


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tracks may be suggested; the default lets everything pass. Words are compared without regard to case."""

    min_bpm: float | None = None
    max_bpm: float | None = None
    licences: frozenset[str] = field(default_factory=frozenset)  # any of these, see ``licence.matches``; empty: any
    tags: frozenset[str] = field(default_factory=frozenset)  # at least one of these; empty: any tags
    exclude: frozenset[str] = field(default_factory=frozenset)  # track ids never to return
    only: frozenset[str] | None = None  # the only track ids to return; None: all
    min_duration_s: float = 0.0

    def passes(self, track: Track) -> bool:
        """Whether ``track`` may be suggested. A track without a pulse fails any tempo limit."""
        if track.id in self.exclude or (self.only is not None and track.id not in self.only):
            return False
        if track.duration_s < self.min_duration_s:
            return False
        if self.min_bpm is not None or self.max_bpm is not None:
            low, high = self.min_bpm or 0.0, float("inf") if self.max_bpm is None else self.max_bpm
            if track.tempo_bpm <= 0 or not low <= track.tempo_bpm <= high:
                return False
        if self.licences and not any(matches(wanted, track.licence) for wanted in self.licences):
            return False
        return not self.tags or not _folded(self.tags).isdisjoint(_folded(track.tags))


def _folded(words: frozenset[str] | tuple[str, ...]) -> set[str]:
    return {word.casefold() for word in words}
