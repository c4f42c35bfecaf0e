"""Where to leave a track, and where it may be repeated, from its outline.

Times are seconds of the track. Music that is followed by a silence is over there: a hidden track behind it is reached
by a start of its own.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Outline

SECTION_S: Final = 16.0  # a section's end this near before the outro is the better place to leave
BAR_S: Final = 8.0
LEAST_S: Final = 20.0  # to start a track for less is not worth it


def music_end(outline: Outline, position_s: float) -> float | None:
    """Where the music that plays at ``position_s``, or begins next, is over; None after the last."""
    return next((end for _, end in outline.music_s if position_s < end), None)


def leave_at(outline: Outline, position_s: float) -> float | None:
    """The last good place to leave a track that plays at ``position_s``: the end of a section or a bar before the
    outro, else the outro, else the end of the music. None after the last."""
    end = music_end(outline, position_s)
    if end is None:
        return None
    if position_s < outline.outro_s < end:
        end = outline.outro_s
    for places, reach in ((outline.sections_s, SECTION_S), (outline.downbeats_s, BAR_S)):
        if (place := _last(places, max(position_s + LEAST_S, end - reach), end)) is not None:
            return place
    return end


def loop_at(outline: Outline, position_s: float, least_s: float = LEAST_S) -> tuple[float, float] | None:
    """The best loop whose end is still to come, in ``least_s`` or later: (from, to)."""
    return next(((loop.from_s, loop.to_s) for loop in outline.loops if loop.to_s >= position_s + least_s), None)


def _last(places: NDArray[np.float32], first_s: float, end_s: float) -> float | None:
    inside = places[(places >= first_s) & (places <= end_s)]
    return float(inside[-1]) if len(inside) else None
