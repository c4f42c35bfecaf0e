"""An index that does not answer costs lists, never the session: the last list stays, which is told once, and once that
the index is back."""

import logging
from collections.abc import Callable

from catalog.errors import SearchIndexError
from stream.core.events import Question, Search, Warned

logger = logging.getLogger("segue.live")


class IndexAway:
    """Of one session. ``publish`` gets what viewers are told."""

    def __init__(self, publish: Callable[[Warned], None]) -> None:
        self._publish = publish
        self._away = False  # the newest search failed

    def failed(self, error: SearchIndexError) -> None:
        """The newest search failed."""
        if not self._away:
            self._away = True
            logger.warning("no search, the last list stays: %s", error)
            # the reason names an address, which is for the log
            self._publish(Warned("the last list stays, since the music cannot be searched now"))

    def answered(self, question: Question) -> None:
        """A question was answered."""
        if self._away and isinstance(question, Search):
            self._away = False
            self._publish(Warned("the index of the music answers again"))
