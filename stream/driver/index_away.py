"""An index that does not answer costs lists, never the session: the last list stays, which is told once, and once that
the index is back."""

import logging

from catalog.errors import SearchIndexError
from stream.core.events import Question, Search, Warned

logger = logging.getLogger("segue.live")


class IndexAway:
    """Of one session. Both methods return what viewers are to be told, if anything."""

    def __init__(self) -> None:
        self._away = False  # the newest search failed

    def failed(self, error: SearchIndexError) -> list[Warned]:
        """The newest search failed."""
        if self._away:
            return []
        self._away = True
        logger.warning("no search, the last list stays: %s", error)
        # the reason names an address, which is for the log
        return [Warned("the last list stays, since the music cannot be searched now")]

    def answered(self, question: Question) -> list[Warned]:
        """A question was answered."""
        if not self._away or not isinstance(question, Search):
            return []
        self._away = False
        return [Warned("the index of the music answers again")]
