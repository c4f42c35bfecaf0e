"""Which track is on air, and the request for its beats."""

from collections.abc import Iterator

import numpy as np

from .commands import Playing
from .events import Answer, Beats
from .on_air import OnAir


class Deck:
    """``on_air``: None for nothing. One question is open at a time: the beats of a new track are requested once the
    last answer is in. ``ids``: of questions."""

    def __init__(self, ids: Iterator[int]) -> None:
        self.on_air: OnAir | None = None
        self._ids = ids
        self._question: Beats | None = None

    @property
    def track(self) -> str | None:
        return None if self.on_air is None else self.on_air.track

    def play(self, command: Playing, now_s: float) -> list[Beats]:
        """Set what is on air, and where in it the stream is at ``now_s`` of media time."""
        questions: list[Beats] = []
        if self.on_air is None or command.track != self.on_air.track:
            self.on_air = None if command.track is None else OnAir(command.track)
            questions = self._open_question()
        if self.on_air is not None:
            self.on_air.at(command.position_s, now_s, command.paused)
        return questions

    def is_open(self, question: int) -> bool:
        """Whether this is the open question of this deck."""
        return self._question is not None and question == self._question.id

    def take(self, answer: Answer) -> list[Beats]:
        """Take the answer to the open question. Returns the next question, if there is one."""
        question, self._question = self._question, None
        if not isinstance(answer, np.ndarray):
            raise TypeError(f"the answer to beats is {type(answer).__name__}, must be an array of seconds")
        if self.on_air is not None and question is not None and question.track == self.on_air.track:
            self.on_air.beats = answer
        return self._open_question()

    def give_up(self) -> list[Beats]:
        """The open question gets no answer, and is not repeated for the same track."""
        question, self._question = self._question, None
        return [] if question is not None and question.track == self.track else self._open_question()

    def _open_question(self) -> list[Beats]:
        if self.on_air is None or self.on_air.beats is not None or self._question is not None:
            return []
        self._question = Beats(next(self._ids), self.on_air.track)
        return [self._question]
