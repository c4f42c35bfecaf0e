"""What a hop searches the catalogue for: the nearest tracks, what the viewers' examples are like, and where nothing
passes the filters, which of them it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate, Filters

from .adjustments import Adjustments
from .deck import Deck
from .events import Answer, Search
from .hop import Hop
from .preferences import Preferences, UndoStack
from .taste import SKIPS_HEARD
from .unfit import parts

NEAREST: Final = "search"
EXAMPLES: Final = "taste"
EXAMPLES_AT_ONCE: Final = 32  # tracks whose clips are looked for in one hop, because somebody liked or skipped them


class Retrieval:
    """``most``: so many tracks are looked for and ranked. What is found of examples goes to ``preferences`` and
    ``adjustments``, what is found of the track on air to ``deck``."""

    def __init__(
        self, preferences: UndoStack, adjustments: Adjustments, deck: Deck, most: int, ids: Iterator[int]
    ) -> None:
        self._preferences, self._adjustments, self._deck = preferences, adjustments, deck
        self._most, self._ids = most, ids

    def search(self, hop: Hop, query: NDArray[np.float32], listed: frozenset[str]) -> list[Search]:
        """Search with the window's vector (E,); beside it the tracks that must be ranked whatever their distance, those
        ``listed`` among them."""
        hop.query = query
        wishes = self._preferences.wishes
        skipped = frozenset(wishes.skipped)
        hop.needed = (listed | self._above_filters(wishes)) - skipped
        allowed = replace(wishes.filters, exclude=skipped)
        nearest = Search(hop.open(self._ids, NEAREST), query, self._most, allowed, hop.needed, wishes.steer.lean)
        hop.examples = self._adjustments.profiles.unknown((*wishes.liked, *wishes.skipped[-SKIPS_HEARD:]))[
            :EXAMPLES_AT_ONCE
        ]
        if not hop.examples:
            return [nearest]
        only = Filters(only=frozenset(hop.examples))
        return [nearest, Search(hop.open(self._ids, EXAMPLES), query, len(hop.examples), only)]

    def take(self, hop: Hop, purpose: str, answer: Answer) -> list[Search]:
        """The answer to the search of that purpose, and what to search for because of it."""
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
        """Everything is in: keep what will be ranked. A command may have come after the search was asked."""
        hop.bound(self._most, hop.needed, frozenset(self._preferences.wishes.skipped))

    def _above_filters(self, wishes: Preferences) -> set[str]:
        """What is ranked whatever the filters say."""
        return {track for track in (wishes.pinned, self._deck.track) if track is not None}

    def _passing(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """What was only held is let go where the filters say so."""
        wishes = self._preferences.wishes
        filters, above = wishes.filters, self._above_filters(wishes)
        if filters == Filters():
            return list(candidates)
        return [c for c in candidates if c.track.id in above or filters.passes(c.track)]

    def _why_nothing(self, hop: Hop) -> list[Search]:
        """Nothing passes the filters: what does each of them let through alone?"""
        wishes = self._preferences.wishes
        alone = parts(wishes.filters)
        if hop.query is None or len(alone) + bool(wishes.skipped) < 2:
            return []
        return [Search(hop.open(self._ids, name), hop.query, 1, filters) for name, filters in alone.items()]
