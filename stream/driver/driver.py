"""The path of one input: frames -> sampler -> features -> session -> questions and notices.

Nothing here has a clock, a thread or an event loop. The caller says when a frame comes and when time passes, and
answers the questions: `LiveDriver` in real time, ``watch --fast`` at once, ``segue replay`` as it was recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

from stream.core.events import Answer, Event, Notice, Question, Suggestions
from stream.core.sampler import Discontinuity, Sampler
from stream.core.session import Session, SessionOptions
from stream.core.timeline import HELD_S

from .analysis import Analysis, FrameAnalyzer
from .runtime import Runtime, needs_small
from .stopwatch import PUBLISH, RANK, SILENT, Stopwatch

if TYPE_CHECKING:
    from stream.recording.recorder import Recorder

Publish = Callable[[Notice], None]
Ask = Callable[[Question], None]


@dataclass(frozen=True, slots=True)
class Sampled:
    """``slot``: the motion slot that a frame fills, None for one that is passed over. ``restarted``: time jumped."""

    slot: int | None
    restarted: bool = False


class SessionDriver:
    """``publish`` is called with every notice as it comes, ``ask`` with every question; neither may block, and ``ask``
    must not answer before it returns. ``recorder`` keeps every call of the session. ``held_s``: see `Sampler`."""

    def __init__(
        self,
        runtime: Runtime,
        options: SessionOptions,
        publish: Publish,
        ask: Ask,
        *,
        stopwatch: Stopwatch = SILENT,
        recorder: "Recorder | None" = None,
        held_s: float = HELD_S,
    ) -> None:
        make, keep = (Session, None) if recorder is None else (recorder.session, recorder.keep)
        self.session = make(runtime.model, options)
        self.sampler = Sampler(held_s)
        self.analyzer = FrameAnalyzer(stopwatch, needs_small(runtime.model), keep)
        self._publish, self._ask = publish, ask
        self._stopwatch = stopwatch

    def sample(self, frame: av.VideoFrame, arrived_s: float | None = None) -> Sampled:
        """Whether a frame is to be analysed, by its timestamp alone; where time jumped the session begins anew."""
        slot = self.sampler.offer(frame.pts, frame.time_base, arrived_s)
        if not isinstance(slot, Discontinuity):
            return Sampled(slot)
        self.analyzer.restart()
        self.handle(self.session.reset(slot.reason))
        return Sampled(slot.slot, restarted=True)

    def push(self, analysis: Analysis, slot: int) -> None:
        """Pass on the features of a sampled frame."""
        if analysis.revised:
            self.handle(self.session.revise(analysis.revised))
        self.handle(self.session.push(analysis.features, slot))

    def answer(self, question: Question, answer: Answer) -> None:
        """Go on with the answer to a question."""
        begun = self._stopwatch.start()
        events = self.session.result(question.id, answer)
        if any(isinstance(event, Suggestions) for event in events):
            self._stopwatch.lap(RANK, begun)
        self.handle(events)

    def close(self) -> None:
        """Ignore all later events. This also breaks the reference cycle with the caller, which would keep the window of
        pictures and the candidates until the garbage collector runs."""
        self._publish = self._ask = _ignore

    def handle(self, events: Sequence[Event]) -> None:
        """Pass on questions to ``ask`` and notices to ``publish``, in order."""
        for event in events:
            if isinstance(event, Question):
                self._ask(event)
            else:
                begun = self._stopwatch.start()
                self._publish(event)
                self._stopwatch.lap(PUBLISH, begun)


def _ignore(event: Event) -> None:
    """Drop an event of a closed driver."""
