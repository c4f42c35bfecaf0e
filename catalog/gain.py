"""The gain that brings a track to the common loudness.

What was measured counts, not what tags say (docs/CATALOGUE.md has why).
"""

from math import isfinite
from typing import Final

from .records import Outline

TARGET_LUFS: Final = -16.0
CEILING_DB: Final = -1.0  # of the true peak, after the gain
LEAST_DB: Final = -24.0
MOST_DB: Final = 12.0


def gain_db(outline: Outline, target_lufs: float = TARGET_LUFS, ceiling_db: float = CEILING_DB) -> float:
    """What brings a track to ``target_lufs``, in [-24, 12] dB, and never its true peak above ``ceiling_db``; 0 for a
    track too soft to be measured."""
    if not isfinite(outline.lufs):
        return 0.0
    wanted = min(target_lufs - outline.lufs, ceiling_db - outline.true_peak_db)
    return min(max(wanted, LEAST_DB), MOST_DB)
