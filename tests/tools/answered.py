"""A session whose questions are answered at once."""

from collections import deque
from collections.abc import Callable
from typing import Any

from features.frame import FrameFeatures
from stream.core.events import Beats, Event, Infer, Search, Suggestions
from stream.core.session import Session, SessionOptions


def answered(session: Session, runtime: Any, events: list[Event]) -> list[Event]:
    """Everything that follows when each question is answered at once."""
    waiting, said = deque(events), list[Event]()
    while waiting:
        event = waiting.popleft()
        if isinstance(event, Beats | Infer | Search):
            waiting.extend(session.result(event.id, runtime.answer(event)))
        else:
            said.append(event)
    return said


class Show:
    """A session of twelve suggestions; ``look``: the picture of a slot."""

    def __init__(self, runtime: Any, look: Callable[[int], FrameFeatures]) -> None:
        self.runtime, self.look, self.slot = runtime, look, 0
        self.session = Session(runtime.model, SessionOptions(suggestions=12))

    def drive(self, events: list[Event]) -> list[Event]:
        return answered(self.session, self.runtime, events)

    def second(self) -> list[Event]:
        """What is said in a second of video."""
        said: list[Event] = []
        for _ in range(8):
            said += self.drive(self.session.push(self.look(self.slot), self.slot))
            self.slot += 1
        return said

    def listed(self) -> Suggestions:
        """The list of a second of video."""
        return next(event for event in self.second() if isinstance(event, Suggestions))

    def command(self, **message: Any) -> Event:
        (answer,) = self.drive(self.session.command(message))
        return answer
