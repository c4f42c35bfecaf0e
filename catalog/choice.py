"""A session's filters -> where an index looks for tracks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from .index.base import Where
from .records import JINGLE_S, Filters
from .stored import StoredTrack

_ANY: Final = Filters()


class Choice:
    """``tracks``: by every id, also those of other files of a recording, the track that stands for it."""

    def __init__(self, tracks: Mapping[str, StoredTrack]) -> None:
        self._tracks = tracks
        self._all_long = all(stored.track.duration_s >= JINGLE_S for stored in tracks.values())

    def places(self, filters: Filters) -> Iterator[Where]:
        """Where to look, in order, until there are hits: tracks under ``JINGLE_S`` are left out unless ``filters``
        allow or name them, or nothing else passes."""
        only = None if filters.only is None else self._standing_for(filters.only)
        exclude = self._standing_for(filters.exclude)
        if only is None and not filters.jingles and not self._all_long:
            yield Where(None, exclude, _condition(filters, JINGLE_S))
        yield Where(only, exclude, _condition(filters))

    def _standing_for(self, ids: Iterable[str]) -> frozenset[str]:
        return frozenset(self._tracks[id].track.id for id in ids if id in self._tracks)


def _condition(filters: Filters, least_s: float = 0.0) -> Filters | None:
    """What a track must be, whatever its id; None: anything. ``least_s``: its least length."""
    least_s = max(filters.min_duration_s, least_s)
    condition = replace(filters, only=None, exclude=frozenset(), jingles=False, min_duration_s=least_s)
    return None if condition == _ANY else condition
