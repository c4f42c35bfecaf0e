"""How far rekordbox's grids lie from the beats that were measured: a trial of what is assumed of its decoder.

rekordbox tells nothing of where its times begin in a lossy file (``delay.py``), and people set grids by ear. So one
track proves nothing, but the median of many that were moved by the same time does.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from catalog.records import Floats

from .grid import grid_of
from .notes import CLOCK, PREPARED, prepared_of

LOSSY: Final[Mapping[str, str]] = {".mp3": "MP3", ".m4a": "M4A", ".mp4": "M4A", ".aac": "M4A"}
MOST_FILES: Final = 500  # that are looked at
LEAST_FILES: Final = 5  # of a kind
NEAR_S: Final = 0.06  # of a beat: what is farther from it is none
LEAST_BEATS: Final = 16
LEAST_SHARE: Final = 0.4  # of the measured beats: those at twice the grid's tempo are half of them near one
FITS_S: Final = 0.013  # half a frame of an MP3

Notes = Mapping[tuple[Path, str], str]


def agreement(notes: Notes, beats_of: Callable[[Path], Floats]) -> Iterator[str]:
    """A line for each kind of file with enough grids in ``notes`` (by file and field). ``beats_of``: as measured."""
    clocks = [(file, value) for (file, name), value in notes.items() if name == CLOCK and _kind(file)]
    offsets: dict[tuple[str, int], list[float]] = {}
    for file, clock in clocks[:: len(clocks) // MOST_FILES + 1]:
        if (offset := offset_s(notes.get((file, PREPARED), ""), beats_of(file))) is not None:
            offsets.setdefault((_kind(file), round(1000.0 * float(clock.rpartition(" ")[2]))), []).append(offset)
    for (kind, moved_ms), found in sorted(offsets.items()):
        if len(found) >= LEAST_FILES:
            low, middle, high = np.percentile(found, (25, 50, 75))
            fits = "which fits" if abs(middle) <= FITS_S else "which is too far: see Whose time in LIBRARIES.md"
            yield (
                f"beats were measured {_ms(middle)} ms behind the grids of {len(found)} {kind}s moved by {moved_ms} ms "
                f"(middle half {_ms(low)} to {_ms(high)}), {fits}"
            )


def offset_s(prepared: str, beats_s: Floats) -> float | None:
    """The median of measured beats minus the grid's next to them; None where too few are near one."""
    track = prepared_of({PREPARED: prepared})
    grid = None if track is None or not len(beats_s) else grid_of(track, float(beats_s[-1]) + 1.0)
    if grid is None:
        return None
    at = np.clip(np.searchsorted(grid.beats_s, beats_s), 1, len(grid.beats_s) - 1)
    behind, before = beats_s - grid.beats_s[at - 1], beats_s - grid.beats_s[at]
    nearest = np.where(behind <= -before, behind, before)
    near = nearest[np.abs(nearest) <= NEAR_S]
    return float(np.median(near)) if len(near) >= max(LEAST_BEATS, LEAST_SHARE * len(beats_s)) else None


def _kind(file: Path) -> str:
    return LOSSY.get(file.suffix.casefold(), "")


def _ms(seconds: float) -> int:
    return round(1000.0 * seconds)
