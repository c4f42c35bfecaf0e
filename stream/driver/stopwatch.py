"""How long each stage of the work takes, told to whoever asks for it (a probe: a stage's name and seconds).

Every name of a stage stands here, but for those of graphs: a model knows them by what each works on.
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
    """``clock`` gives seconds. May be used by several threads at once, since it keeps nothing."""

    def __init__(self, probe: Probe, clock: Callable[[], float] = time.perf_counter) -> None:
        self._probe = probe
        self.start = clock

    def lap(self, stage: str, begun: float) -> float:
        """Tell how long a stage took that began then; returns now."""
        now = self.start()
        self._probe(stage, now - begun)
        return now


class Laps:
    """Stages one behind the other, for a meter that knows their names and no clock."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._begun = 0.0

    def start(self) -> None:
        self._begun = self._stopwatch.start()

    def lap(self, stage: str) -> None:
        self._begun = self._stopwatch.lap(stage, self._begun)


SILENT: Final = Stopwatch(lambda stage, seconds: None, clock=lambda: 0.0)  # nobody asks, and no clock is read


def stage_of(question: Question, model: Model) -> str:
    """What answering a question is called."""
    return model.stages[question.graph] if isinstance(question, Infer) else SEARCH
