"""From an index's hits to candidates: where each track would start, and what ranking needs of the segment there.

It runs once a hop for each of a session's tracks, so that what can be said for all of them together is: the rest is a
product with the query and a look at two caches for each.
"""

from collections.abc import Sequence

import numpy as np

from .gain import gain_db
from .index.base import Hit
from .records import Candidate, Floats, Places
from .segments import TrackSegments
from .snapshot import Snapshot
from .standard import share_lean, similarities
from .stored import StoredTrack
from .windows import Window, Windows

LEAN_COSINE = 0.4  # what a fully turned dial is worth when a start in a track is chosen


def candidates_of(
    now: Snapshot,
    windows: Windows,
    hits: Sequence[Hit],
    vectors: Sequence[Floats],
    query: Floats,
    lean: Sequence[float],
    target_lufs: float,
) -> list[Candidate]:
    """The candidates of ``hits`` and their tracks' ``vectors`` (k, D), in their order. Left out are tracks whose clips
    cannot be read, and those of which the index holds another version than the snapshot."""
    shared = share_lean(lean) if lean else None
    found: list[tuple[StoredTrack, TrackSegments, Places | None, int, float, Window]] = []
    nearest: list[Floats] = []  # (1, D), of each of these the best segment
    for hit, own_vectors in zip(hits, vectors, strict=True):
        own, at = now.table.of_track(hit.track), hit.segment
        if own is None or not at < len(own_vectors) == len(own):
            continue
        stored = now.by_id[hit.track]
        places, best, start_s = _start(own, own_vectors, at, query, shared)
        try:
            window = windows.window(stored, int(own.first_clips[best]))
        except (OSError, ValueError):
            continue
        found.append((stored, own, places, best, start_s, window))
        nearest.append(own_vectors[at : at + 1])
    if not found:
        return []
    owned = [own for _, own, *_ in found]
    near = similarities(np.stack(nearest), np.array([[own.deviation] for own in owned]), query)[:, 0]
    scores = zip(found, near.tolist(), _zscores(near, owned), strict=True)
    return [
        Candidate(
            stored.track,
            start_s,
            similarity,
            window.clips,
            window.mask,
            window.rhythm,
            None if own.moods is None else own.moods[best],
            window.extras,
            places,
            stored.outline,
            None if stored.outline is None else gain_db(stored.outline, target_lufs),
            own.standings[best],
            zscore,
        )
        for (stored, own, places, best, start_s, window), similarity, zscore in scores
    ]


def _zscores(near: Floats, owned: Sequence[TrackSegments]) -> list[float | None]:
    """The similarities (n,) to tracks, standardised; None without a bank."""
    means, deviations = np.array([(own.mean, own.deviation) for own in owned]).T
    standard: list[float] = ((near - means) / deviations).tolist()
    return [zscore if own.known else None for own, zscore in zip(owned, standard, strict=True)]


def _start(
    own: TrackSegments, vectors: Floats, nearest: int, query: Floats, lean: Floats | None
) -> tuple[Places | None, int, float]:
    """A track's starts, the segment of the best one, and its time; where it has none, the ``nearest`` segment."""
    if not len(own.segments):
        return None, nearest, 0.0
    fits = similarities(vectors[own.segments], own.deviation, query)
    if lean is not None:
        fits += LEAN_COSINE * (own.standings[own.segments] @ lean)
    best = int((fits + own.bonus).argmax())
    return Places(own.starts_s, fits, own.borders), int(own.segments[best]), float(own.starts_s[best])
