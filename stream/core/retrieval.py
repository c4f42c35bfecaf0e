"""The searches of a hop: for the nearest tracks, for the viewers' examples, and, where no track passes the filters, for
the filter that blocks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate, Filters

from .adjustments import Adjustments
from .deck import Deck
from .events import Answer, Search, Steer
from .hop import Hop
from .preferences import Preferences, UndoStack
from .taste import SKIPS_COUNTED
from .unfit import parts

NEAREST: Final = "search"
EXAMPLES: Final = "taste"
EXAMPLES_AT_ONCE: Final = 32  # liked or skipped tracks whose clips one hop may search for


class Retrieval:
    """``most``: how many tracks are searched for and ranked. Results on examples go to ``preferences`` and
    ``adjustments``, the outline of the track on air goes to ``deck``."""

    def __init__(
        self, preferences: UndoStack, adjustments: Adjustments, deck: Deck, most: int, ids: Iterator[int]
    ) -> None:
        self._preferences, self._adjustments, self._deck = preferences, adjustments, deck
        self._most, self._ids = most, ids

    def search(self, hop: Hop, query: NDArray[np.float32], listed: frozenset[str], steer: Steer) -> list[Search]:
        """Search with the window's vector (E,), leaning as ``steer`` says. Some tracks must be ranked at any
        distance, those ``listed`` among them: the search keeps them."""
        hop.query = query
        wishes = self._preferences.wishes
        skipped = frozenset(wishes.skipped)
        hop.needed = (listed | self._above_filters(wishes)) - skipped
        allowed = replace(wishes.filters, exclude=skipped)
        nearest = Search(hop.open(self._ids, NEAREST), query, self._most, allowed, hop.needed, steer.lean)
        hop.examples = self._adjustments.profiles.unknown((*wishes.liked, *wishes.skipped[-SKIPS_COUNTED:]))[
            :EXAMPLES_AT_ONCE
        ]
        if not hop.examples:
            return [nearest]
        only = Filters(only=frozenset(hop.examples))
        return [nearest, Search(hop.open(self._ids, EXAMPLES), query, len(hop.examples), only)]

    def take(self, hop: Hop, purpose: str, answer: Answer) -> list[Search]:
        """Take the answer to the search of that purpose. Returns the searches that follow from it."""
        if isinstance(answer, Mapping) or not isinstance(answer, Sequence):
            raise TypeError(f"the answer to a search is {type(answer).__name__}, must be a list of candidates")
        if purpose == EXAMPLES:
            self._preferences.know(answer)
            self._adjustments.know(answer, hop.examples, all_of_them=True)
        elif purpose == NEAREST:
            hop.hits = self._passing(answer)
            on_air = self._deck.on_air
            for candidate in answer:
                if on_air is not None and candidate.track.id == on_air.track:
                    on_air.outline = candidate.outline
            return [] if hop.hits else self._why_nothing(hop)
        else:
            hop.passing[purpose] = bool(answer)
        return []

    def bound(self, hop: Hop) -> None:
        """All answers are in: keep what will be ranked. A command may have come after the search began."""
        hop.bound(self._most, hop.needed, frozenset(self._preferences.wishes.skipped))

    def _above_filters(self, wishes: Preferences) -> set[str]:
        """Tracks that are ranked even if they do not pass the filters."""
        return {track for track in (wishes.pinned, self._deck.track) if track is not None}

    def _passing(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates that pass the filters or are above them; the search keeps others that do not."""
        wishes = self._preferences.wishes
        filters, above = wishes.filters, self._above_filters(wishes)
        if filters == Filters():
            return list(candidates)
        return [c for c in candidates if c.track.id in above or filters.passes(c.track)]

    def _why_nothing(self, hop: Hop) -> list[Search]:
        """No track passes all filters: search with each of them alone."""
        wishes = self._preferences.wishes
        alone = parts(wishes.filters)
        if hop.query is None or len(alone) + bool(wishes.skipped) < 2:
            return []
        return [Search(hop.open(self._ids, name), hop.query, 1, filters) for name, filters in alone.items()]
