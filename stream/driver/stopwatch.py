"""How long each stage of the work takes, reported to a probe (a function of a stage's name and seconds).

The names of all stages stand here, except those of graphs, which the model knows.
"""

import time
from collections.abc import Callable
from typing import Final

from features.frame import APPEARANCE, FLOW
from stream.core.events import Infer, Question
from stream.core.model import GRAPH_STAGES, Model

Probe = Callable[[str, float], None]

DECODE: Final = "decode"
CONVERT: Final = "convert"
SEARCH: Final = "search"
RANK: Final = "rank"
PUBLISH: Final = "publish"
STAGES: Final = (DECODE, CONVERT, FLOW, APPEARANCE, *GRAPH_STAGES.values(), SEARCH, RANK, PUBLISH)


class Stopwatch:
    """``clock`` gives seconds. Several threads may use it at once, since it has no state."""

    def __init__(self, probe: Probe, clock: Callable[[], float] = time.perf_counter) -> None:
        self._probe = probe
        self.start = clock

    def lap(self, stage: str, begun: float) -> float:
        """Report how long a stage took that began at ``begun``; returns the time now."""
        now = self.start()
        self._probe(stage, now - begun)
        return now


class Laps:
    """Stages one after another, for a meter that has no clock."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._begun = 0.0

    def start(self) -> None:
        self._begun = self._stopwatch.start()

    def lap(self, stage: str) -> None:
        self._begun = self._stopwatch.lap(stage, self._begun)


SILENT: Final = Stopwatch(lambda stage, seconds: None, clock=lambda: 0.0)  # reports nothing and reads no clock


def stage_of(question: Question, model: Model) -> str:
    """The stage that answers a question."""
    return model.stages[question.graph] if isinstance(question, Infer) else SEARCH
