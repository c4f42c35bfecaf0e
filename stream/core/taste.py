"""Likes move tracks that sound alike up, and skips move tracks that sound alike down a little.

Relevance feedback in the manner of Rocchio ("Relevance feedback in information retrieval", 1971): a candidate gains by
its similarity to the mean of what was liked and loses, with a smaller weight, by that to the mean of what was skipped.
Similarity is the mean cosine between the clips of the candidate and the clips of the other track, over all pairs; since
the cosines of one backbone lie close together, it counts relative to the other candidates, as in ``ranking``.

*Bound*: likes move a score by at most half of ``LIKE_SPAN`` up or down and skips by at most half of ``SKIP_SPAN``, so
two candidates further apart than the sum of the spans never change places because of taste. Without likes and
skips all is 0.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate

from .ranking import spread

Floats = NDArray[np.float64]

LIKE_SPAN: Final = 0.16
SKIP_SPAN: Final = 0.06
SKIPS_COUNTED: Final = 50  # newest skips that count as taste; older ones are only left out of the list
KEPT_PROFILES: Final = 512


def profiles(candidates: Sequence[Candidate]) -> Floats:
    """(n, M), n at least 1: the mean of each segment's valid clips, every clip of unit length first. The dot product of
    two profiles is the mean cosine over all pairs of their clips. A segment without a valid clip has zeros."""
    clips = np.stack([candidate.clips for candidate in candidates]).astype(np.float64)
    mask = np.stack([candidate.mask for candidate in candidates])[..., None]
    units = mask * clips / np.maximum(np.linalg.norm(clips, axis=2, keepdims=True), 1e-12)
    return np.asarray(units.sum(axis=1) / np.maximum(mask.sum(axis=1), 1))


def by_track(candidates: Sequence[Candidate]) -> dict[str, Floats]:
    """The profile (M,) of each candidate by its track's id."""
    if not candidates:
        return {}
    return dict(zip((candidate.track.id for candidate in candidates), profiles(candidates), strict=True))


def taste(pool: Floats, liked: Floats, skipped: Floats) -> Floats:
    """(n,) what to add to the scores of candidates with the profiles ``pool`` (n, M); examples (k, M), k may be 0."""
    return LIKE_SPAN * _standing(pool, liked) - SKIP_SPAN * _standing(pool, skipped)


def pull(candidates: Sequence[Candidate], known: "Profiles", liked: Sequence[str], skipped: Sequence[str]) -> Floats:
    """(n,) what to add to the scores of candidates, for the tracks that were liked and skipped."""
    if not candidates or not (liked or skipped):
        return np.zeros(len(candidates))
    pool = profiles(candidates)
    width = pool.shape[1]
    return taste(pool, known.of(liked, width), known.of(skipped[-SKIPS_COUNTED:], width))


def _standing(pool: Floats, examples: Floats) -> Floats:
    """(n,) in (-1/2, 1/2): how similar each candidate is to the examples, compared with the other candidates."""
    if not len(examples):
        return np.zeros(len(pool))
    return spread(pool @ examples.mean(axis=0)) - 0.5


class Profiles:
    """Profiles of the tracks that were liked or skipped: at most ``KEPT_PROFILES``, those used last.

    A track that is not in the catalogue is remembered with None.
    """

    def __init__(self) -> None:
        self._by_track: OrderedDict[str, Floats | None] = OrderedDict()

    def keep(self, track: str, value: Floats | None) -> None:
        """Remember a profile, unless the track has one: a track was liked for the segment that was suggested then."""
        if self._by_track.get(track) is None:
            self._by_track[track] = value
        self._by_track.move_to_end(track)
        if len(self._by_track) > KEPT_PROFILES:
            self._by_track.popitem(last=False)

    def unknown(self, tracks: Iterable[str]) -> list[str]:
        """The tracks whose profile was never searched for."""
        return [track for track in tracks if track not in self._by_track]

    def of(self, tracks: Iterable[str], width: int) -> Floats:
        """(k, ``width``): the profiles that are known; k is the number of tracks or less."""
        rows = []
        for track in tracks:
            if track in self._by_track:
                self._by_track.move_to_end(track)
                value = self._by_track[track]
                if value is not None and len(value) == width:
                    rows.append(value)
        return np.stack(rows) if rows else np.empty((0, width))
