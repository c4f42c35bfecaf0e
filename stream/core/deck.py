"""Which track is on air, and the question for its beats."""

from collections.abc import Iterator

import numpy as np

from .commands import Playing
from .events import Answer, Beats
from .on_air import OnAir


class Deck:
    """``on_air``: None for nothing. One question is open at a time: however fast the track changes, its beats are asked
    for once the answer before is in. ``ids``: of questions."""

    def __init__(self, ids: Iterator[int]) -> None:
        self.on_air: OnAir | None = None
        self._ids = ids
        self._open: Beats | None = None

    @property
    def track(self) -> str | None:
        return None if self.on_air is None else self.on_air.track

    def play(self, command: Playing, now_s: float) -> list[Beats]:
        """Somebody says what is on air, and where in it the stream is at ``now_s`` of media time."""
        questions: list[Beats] = []
        if self.on_air is None or command.track != self.on_air.track:
            self.on_air = None if command.track is None else OnAir(command.track)
            questions = self._ask()
        if self.on_air is not None:
            self.on_air.at(command.position_s, now_s, command.paused)
        return questions

    def asked(self, question: int) -> bool:
        """Whether this is its open question."""
        return self._open is not None and question == self._open.id

    def take(self, answer: Answer) -> list[Beats]:
        """The answer to the open question; the next one, if there is."""
        question, self._open = self._open, None
        if not isinstance(answer, np.ndarray):
            raise TypeError(f"the answer to beats is {type(answer).__name__}, must be an array of seconds")
        if self.on_air is not None and question is not None and question.track == self.on_air.track:
            self.on_air.beats = answer
        return self._ask()

    def give_up(self) -> list[Beats]:
        """The open question gets no answer; it is not asked again for the same track."""
        question, self._open = self._open, None
        return [] if question is not None and question.track == self.track else self._ask()

    def _ask(self) -> list[Beats]:
        if self.on_air is None or self.on_air.beats is not None or self._open is not None:
            return []
        self._open = Beats(next(self._ids), self.on_air.track)
        return [self._open]
