"""What can be acted on in the lists of a session: does music play where they start, is there room, do they hold still.

Whether a start is silent and how much music is to come is measured in the decoded file, not taken from the catalogue.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Track
from features.decode.sound import decode
from features.spec import MUSIC_RATE_HZ
from stream.core.events import Suggestions

from .harness import Row

AUDIBLE_S: Final = 1.0  # after its start a track must be heard within so long
SILENCE_DB: Final = -50.0  # of full scale, root mean square of a tenth of a second, and of the track's own level
BELOW_DB: Final = -35.0  # its level, from which on it is silence
ROOM_S: Final = 45.0
LONG_S: Final = 60.0  # tracks shorter than this need not have the room
MOVED_S: Final = 0.6
STEP: Final = MUSIC_RATE_HZ // 10


class Sounds:
    """The level of each track in tenths of a second, decoded when first asked for."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = {track.id: track for track in tracks}
        self._levels: dict[str, NDArray[np.float64]] = {}

    def audible(self, track: str) -> NDArray[np.bool_]:
        """(n,) of each tenth of a second: is anything to be heard?"""
        if track not in self._levels:
            self._levels[track] = self._level(self._tracks[track])
        level = self._levels[track]
        loud = level[level > SILENCE_DB]
        usual = 10.0 * np.log10(np.mean(10.0 ** (loud / 10.0))) if len(loud) else 0.0
        return np.asarray(level > max(SILENCE_DB, usual + BELOW_DB))

    def silent(self, track: str, start_s: float) -> bool:
        """Whether nothing is heard within a second of the start."""
        at = int(10 * start_s)
        return not self.audible(track)[at : at + round(10 * AUDIBLE_S)].any()

    def short(self, track: str, start_s: float) -> bool:
        """Whether less than 45 s of music are to come, in a track of a minute and more."""
        audible = self.audible(track)
        last_s = (float(np.flatnonzero(audible)[-1]) + 1) / 10 if audible.any() else 0.0
        return len(audible) / 10 >= LONG_S and last_s - start_s < ROOM_S

    def _level(self, track: Track) -> NDArray[np.float64]:
        samples = decode(Path(track.path)).samples
        end = None if track.end_s is None else round(track.end_s * MUSIC_RATE_HZ)
        own = samples[round(track.begin_s * MUSIC_RATE_HZ) : end].astype(np.float64)
        blocks = own[: len(own) // STEP * STEP].reshape(-1, STEP)
        return np.asarray(10.0 * np.log10(np.maximum((blocks**2).mean(axis=1), 1e-12)))


def steadiness_rows(runs: Sequence[Sequence[Suggestions]], sounds: Sounds | None, footage: str) -> list[Row]:
    """One row a measure over the lists of all ``runs``; ``sounds`` None: nothing is said of where they start."""
    runs = [[told for told in run if told.items] for run in runs]
    lists = [told for run in runs for told in run]
    minutes = sum(run[-1].pts_s - run[0].pts_s for run in runs if run) / 60
    counts: Mapping[str, Callable[[Suggestions, Suggestions], bool]] = {
        "start_moves_per_min": _start_moves,
        "row_changes_per_min": lambda a, b: [i.track for i in a.items] != [i.track for i in b.items],
        "top1_changes_per_min": lambda a, b: a.items[0].track != b.items[0].track,
    }
    rows = []
    for metric, differs in counts.items():
        each = [sum(differs(a, b) for a, b in pairwise(run)) for run in runs]
        rate = sum(each) / minutes if minutes else 0.0
        labels: dict[str, str | int | float] = {"footage": footage, "runs": len(runs)}
        rows.append(Row(metric, rate, len(lists), "1/min", labels))
    disorder = sum(any(a.score < b.score for a, b in pairwise(told.items)) for told in lists)
    rows.append(Row("order_disagreements", disorder, len(lists), "lists", {"footage": footage}))
    if sounds is not None:
        silent = [[sounds.silent(item.track, item.start_s) for item in told.items] for told in lists]
        short = [[sounds.short(item.track, item.start_s) for item in told.items] for told in lists]
        for metric, found in (("silent_starts", silent), ("short_starts", short)):
            first = sum(told[0] for told in found)
            rows.append(
                Row(metric, sum(map(any, found)), len(lists), "lists", {"footage": footage, "first_place": first})
            )
    return rows


def _start_moves(before: Suggestions, after: Suggestions) -> bool:
    one, two = before.items[0], after.items[0]
    return one.track == two.track and abs(one.start_s - two.start_s) > MOVED_S
