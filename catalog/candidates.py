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
    known = [
        (hit, own, own_vectors)
        for hit, own, own_vectors in zip(hits, [now.table.of_track(hit.track) for hit in hits], vectors, strict=True)
        if own is not None and hit.segment < len(own_vectors) == len(own.first_clips)
    ]
    found: list[tuple[StoredTrack, TrackSegments, Places | None, int, float, Window]] = []
    nearest: list[Floats] = []  # (1, D), of each of these the best segment
    starts = _starts(known, query, share_lean(lean) if lean else None)
    for (hit, own, own_vectors), (places, best, start_s) in zip(known, starts, strict=True):
        stored = now.by_id[hit.track]
        try:
            window = windows.window(stored, int(own.first_clips[best]))
        except (OSError, ValueError):
            continue
        found.append((stored, own, places, best, start_s, window))
        nearest.append(own_vectors[hit.segment : hit.segment + 1])
    if not found:
        return []
    owned = [own for _, own, *_ in found]
    near = similarities(np.concatenate(nearest)[:, None], np.array([[own.deviation] for own in owned]), query)[:, 0]
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


def _starts(
    tracks: Sequence[tuple[Hit, TrackSegments, Floats]], query: Floats, lean: Floats | None
) -> list[tuple[Places | None, int, float]]:
    """Of each track its starts, the segment of the best one, and its time; where it has none, the segment of its hit.

    A product for each track: one for all would give other last digits for other neighbours, and recordings would
    not come out as they did."""
    if not tracks:
        return []
    counts, width = [len(own.segments) for _, own, _ in tracks], len(query)
    fits = np.concatenate([vectors.take(own.segments, axis=0)[:, :width] @ query for _, own, vectors in tracks])
    fits *= np.repeat(np.array([own.deviation for _, own, _ in tracks], np.float32), counts)
    if lean is not None:
        fits += LEAN_COSINE * np.concatenate([own.standings[own.segments] @ lean for _, own, _ in tracks])
    worth: list[float] = (fits + np.concatenate([own.bonus for _, own, _ in tracks])).tolist()
    starts: list[tuple[Places | None, int, float]] = []
    end = 0
    for (hit, own, _), count in zip(tracks, counts, strict=True):
        begin, end = end, end + count
        if not count:
            starts.append((None, hit.segment, 0.0))
            continue
        best = worth.index(max(worth[begin:end]), begin) - begin
        places = Places(own.starts_s, fits[begin:end], own.borders)
        starts.append((places, int(own.segments[best]), float(own.starts_s[best])))
    return starts
