"""The gain that brings a track to the common loudness.

It follows from measured loudness, not from tags (docs/CATALOGUE.md says why).
"""

from collections.abc import Iterable
from functools import lru_cache
from math import isfinite
from typing import Final

from .records import Outline

TARGET_LUFS: Final = -16.0
CEILING_DB: Final = -1.0  # of the true peak, after the gain
FLOOR_LUFS: Final = -20.0  # a common loudness is no lower
NEAR_LU: Final = 2.0  # to the common loudness, of all but a few tracks
LEAST_DB: Final = -24.0
MOST_DB: Final = 12.0


def common_lufs(outlines: Iterable[Outline]) -> float:
    """The loudness that a catalogue's tracks are brought to: -16 LUFS, or less, down to -20, where otherwise peaks
    would keep more than one of twenty further than 2 LU below it."""
    reachable = [o.lufs + min(MOST_DB, CEILING_DB - o.true_peak_db) for o in outlines if isfinite(o.lufs)]
    if not reachable:
        return TARGET_LUFS
    low = sorted(reachable)[(len(reachable) - 1) // 20]
    return min(TARGET_LUFS, max(FLOOR_LUFS, low + NEAR_LU))


def gain_db(outline: Outline, target_lufs: float = TARGET_LUFS, ceiling_db: float = CEILING_DB) -> float:
    """The gain that brings a track to ``target_lufs``, in [-24, 12] dB, and its true peak never above ``ceiling_db``; 0
    for a track too soft to be measured."""
    return _gain_db(outline.lufs, outline.true_peak_db, target_lufs, ceiling_db)


@lru_cache(maxsize=4096)
def _gain_db(lufs: float, true_peak_db: float, target_lufs: float, ceiling_db: float) -> float:
    if not isfinite(lufs):
        return 0.0
    return min(max(min(target_lufs - lufs, ceiling_db - true_peak_db), LEAST_DB), MOST_DB)
