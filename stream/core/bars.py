"""Where another track can take over from the track on air: at the next bars.

Where it is not known which beats begin a bar, every fourth from the first counts as one. In music in four the next bars
are then at most three beats off, always on a beat.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

BEATS_PER_BAR: Final = 4
POINTS: Final = 4


def switch_points(
    beats_s: NDArray[np.floating] | Sequence[float],
    position_s: float,
    downbeats_s: NDArray[np.floating] | Sequence[float] = (),
) -> tuple[float, ...]:
    """The next up to four bars from ``position_s`` on, in seconds of the track; none after the last."""
    bars = np.asarray(downbeats_s if len(downbeats_s) else beats_s[::BEATS_PER_BAR], np.float64)
    return tuple(bars[bars >= position_s][:POINTS].tolist())
