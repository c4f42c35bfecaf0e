"""A driver that answers every question before it takes more input: the same input gives the same notices, without a
clock."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.errors import SearchIndexError
from stream.core.events import Event, Question
from stream.core.session import SessionOptions
from stream.core.timeline import HELD_S

from .answers import answer
from .driver import Publish, SessionDriver
from .index_away import IndexAway
from .runtime import Runtime
from .stopwatch import SILENT, Stopwatch

if TYPE_CHECKING:
    from stream.recording.recorder import Recorder


class ImmediateDriver(SessionDriver):
    """Questions are answered in their order, by ``runtime``, in the caller's thread. Where the index of the music does
    not answer, the last list stays, as in a live session."""

    def __init__(
        self,
        runtime: Runtime,
        options: SessionOptions,
        publish: Publish,
        *,
        stopwatch: Stopwatch = SILENT,
        recorder: "Recorder | None" = None,
        held_s: float = HELD_S,
    ) -> None:
        self._runtime = runtime
        self._waiting: deque[Question] = deque()
        self._answering = False
        self._index_away = IndexAway()
        super().__init__(
            runtime, options, publish, self._waiting.append, stopwatch=stopwatch, recorder=recorder, held_s=held_s
        )

    def handle(self, events: Sequence[Event]) -> None:
        """Publish the notices, then answer all questions, also those that follow from the answers."""
        super().handle(events)
        if self._answering:
            return
        self._answering = True
        try:
            while self._waiting:
                question = self._waiting.popleft()
                try:
                    result = answer(self._runtime, question, self._stopwatch)
                except SearchIndexError as error:
                    super().handle(self._index_away.failed(error))
                    self.handle(self.session.give_up(question.id))
                else:
                    super().handle(self._index_away.answered(question))
                    self.answer(question, result)
        finally:
            self._answering = False
