"""Whether a person can act on the lists of a session: music plays at each start, enough is left, lists hold still.

Silence at a start and the music left after it are measured in the decoded file, not read from the catalogue.
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

AUDIBLE_S: Final = 1.0  # after its start a track must be audible within this time
SILENCE_DB: Final = -50.0  # of full scale, root mean square of a tenth of a second, and of the track's own level
BELOW_DB: Final = -35.0  # relative to its level; softer counts as silence
ROOM_S: Final = 45.0
LONG_S: Final = 60.0  # shorter tracks need not have ``ROOM_S`` left
MOVED_S: Final = 0.6
STEP: Final = MUSIC_RATE_HZ // 10


class Sounds:
    """The level of each track in tenths of a second, decoded on first use."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = {track.id: track for track in tracks}
        self._levels: dict[str, NDArray[np.float64]] = {}

    def audible(self, track: str) -> NDArray[np.bool_]:
        """(n,) of each tenth of a second: is anything audible?"""
        if track not in self._levels:
            self._levels[track] = self._level(self._tracks[track])
        level = self._levels[track]
        loud = level[level > SILENCE_DB]
        usual = 10.0 * np.log10(np.mean(10.0 ** (loud / 10.0))) if len(loud) else 0.0
        return np.asarray(level > max(SILENCE_DB, usual + BELOW_DB))

    def silent(self, track: str, start_s: float) -> bool:
        """Whether nothing is audible within a second of the start."""
        at = int(10 * start_s)
        return not self.audible(track)[at : at + round(10 * AUDIBLE_S)].any()

    def short(self, track: str, start_s: float) -> bool:
        """Whether less than 45 s of music are left, in a track of a minute or more."""
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
    """One row a measure over the lists of all ``runs``; ``sounds`` None: no rows about their starts."""
    runs = [[suggestions for suggestions in run if suggestions.items] for run in runs]
    lists = [suggestions for run in runs for suggestions in run]
    minutes = sum(run[-1].pts_s - run[0].pts_s for run in runs if run) / 60
    counts: Mapping[str, Callable[[Suggestions, Suggestions], bool]] = {
        "start_moves_per_min": _start_moves,
        "row_changes_per_min": lambda a, b: [i.track for i in a.items] != [i.track for i in b.items],
        "top1_changes_per_min": lambda a, b: a.items[0].track != b.items[0].track,
    }
    rows = []
    for metric, differs in counts.items():
        changes = [sum(differs(a, b) for a, b in pairwise(run)) for run in runs]
        rate = sum(changes) / minutes if minutes else 0.0
        labels: dict[str, str | int | float] = {"footage": footage, "runs": len(runs)}
        rows.append(Row(metric, rate, len(lists), "1/min", labels))
    disorder = sum(any(a.score < b.score for a, b in pairwise(suggestions.items)) for suggestions in lists)
    rows.append(Row("order_disagreements", disorder, len(lists), "lists", {"footage": footage}))
    if sounds is not None:
        silent = [[sounds.silent(item.track, item.start_s) for item in suggestions.items] for suggestions in lists]
        short = [[sounds.short(item.track, item.start_s) for item in suggestions.items] for suggestions in lists]
        for metric, flags_of_lists in (("silent_starts", silent), ("short_starts", short)):
            first = sum(flags[0] for flags in flags_of_lists)
            rows.append(
                Row(
                    metric,
                    sum(map(any, flags_of_lists)),
                    len(lists),
                    "lists",
                    {"footage": footage, "first_place": first},
                )
            )
    return rows


def _start_moves(before: Suggestions, after: Suggestions) -> bool:
    old, new = before.items[0], after.items[0]
    return old.track == new.track and abs(old.start_s - new.start_s) > MOVED_S
