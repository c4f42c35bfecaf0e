"""A video measured once, then replayed to one session for each question about it.

Features are computed as in a live session. Answers of graphs and of the catalogue are cached for the length of a video,
so that a session with another setting costs little more than its ranking.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from features.cuts import HARD_CUT
from features.spec import MOTION_FPS
from stream.core.events import Answer, Question, Refused, Suggestions
from stream.core.ranking import Ranked
from stream.core.session import Session, SessionOptions
from stream.driver.analysis import Analysis, FrameAnalyzer
from stream.driver.runtime import Runtime, needs_small

from .errors import BenchError
from .footage import analyze_video, answer_all, push_analysis

IDENTIFYING: Final = frozenset({"id", "owner", "deadline_s"})
ONCE: Final = 1_000_000  # s: a session at this pace has a hop after its first second and one at its end


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """The analyses of a video, by slot, and means over all its pictures: ``speed`` in frame widths per second,
    ``brightness`` in [0, 1]."""

    analyses: Sequence[tuple[int, Analysis]]
    speed: float
    brightness: float
    cuts_per_s: float


class CachingRuntime(Runtime):
    """A runtime that computes each answer once."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.engine, runtime.catalog)
        self._known: dict[object, Answer] = {}

    def answer(self, question: Question) -> Answer:
        key = _cache_key(question)
        if key not in self._known:
            self._known[key] = super().answer(question)
        return self._known[key]


def footage(path: Path, runtime: Runtime, seconds: float = math.inf) -> Footage:
    """The first ``seconds`` of a video. Raises BenchError for one without pictures, or whose time stamps jump."""
    analyzer = FrameAnalyzer(small=needs_small(runtime.model))
    analyses: list[tuple[int, Analysis]] = []
    for slot, t_s, analysis in analyze_video(path, analyzer):
        if t_s >= seconds:
            break
        analyses.append((slot, analysis))
    if not analyses:
        raise BenchError(f"{path}: no picture of it decodes; give a video file")
    features = [analysis.features for _, analysis in analyses]
    return Footage(
        analyses,
        float(np.mean([measured.speed for measured in features])),
        float(np.mean([measured.colour.brightness for measured in features])),
        cuts_in(analyses) * MOTION_FPS / (analyses[-1][0] + 1),
    )


def cuts_in(analyses: Sequence[tuple[int, Analysis]], rest_s: float = SessionOptions().cut_rest_s) -> int:
    """Hard cuts, counted as a session does."""
    count, last = 0, -math.inf
    for slot, analysis in analyses:
        if analysis.features.cut >= HARD_CUT and slot - last >= rest_s * MOTION_FPS:
            count, last = count + 1, slot
    return count


def lists(shot: Footage, runtime: Runtime, commands: Sequence[Mapping[str, Any]] = ()) -> list[Suggestions]:
    """Every list of a session that gets ``commands`` before its first picture."""
    session = Session(runtime.model)
    for command in commands:
        _send_command(session, command)
    return _replay(shot, runtime, session)


def ranking(shot: Footage, runtime: Runtime, tracks: int) -> Sequence[Ranked]:
    """The ranking of all ``tracks`` at the end of the footage, before hysteresis; jingles too."""
    session = Session(runtime.model, SessionOptions(candidates=tracks))
    session.follow(ONCE)
    _send_command(session, {"type": "filters", "jingles": True})
    _replay(shot, runtime, session)
    return session.ranking


def _send_command(session: Session, command: Mapping[str, Any]) -> None:
    for event in session.command(command):
        if isinstance(event, Refused):
            raise ValueError(f"{command}: {event.reason}")


def _replay(shot: Footage, runtime: Runtime, session: Session) -> list[Suggestions]:
    suggestions: list[Suggestions] = []
    for slot, analysis in shot.analyses:
        suggestions += answer_all(session, runtime, push_analysis(session, slot, analysis))
    return suggestions + answer_all(session, runtime, session.finish())


def _cache_key(question: Question) -> object:
    """All fields of a question except those that only identify it or its owner."""
    values = {field.name: getattr(question, field.name) for field in fields(question) if field.name not in IDENTIFYING}
    return type(question), tuple((name, _hash_value(value)) for name, value in values.items())


def _hash_value(value: object) -> object:
    if isinstance(value, np.ndarray):
        digest = hashlib.blake2b(np.ascontiguousarray(value).data, digest_size=16).digest()
        return value.dtype.str, value.shape, digest
    if isinstance(value, Mapping):
        return tuple((name, _hash_value(value[name])) for name in sorted(value))
    return value
