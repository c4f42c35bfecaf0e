"""A video measured once, then told to as many sessions as there are questions about it.

Features come by the same way as live ones. What a graph or the catalogue answered is remembered for the length of a
video, so that a session with another wish costs little more than its ranking.
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

NOT_ASKED: Final = frozenset({"id", "owner", "deadline_s"})
ONCE: Final = 1_000_000  # s: a session that follows so slowly has a hop after its first second and one at its end


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """What was seen of a video, by slot; and what its pictures are like: means over all of them, ``speed`` in frame
    widths per second, ``brightness`` in [0, 1]."""

    analyze_video: Sequence[tuple[int, Analysis]]
    speed: float
    brightness: float
    cuts_per_s: float


class Remembering(Runtime):
    """A runtime that does not work out the same twice."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.engine, runtime.catalog)
        self._known: dict[object, Answer] = {}

    def answer(self, question: Question) -> Answer:
        key = _key(question)
        if key not in self._known:
            self._known[key] = super().answer(question)
        return self._known[key]


def footage(path: Path, runtime: Runtime, seconds: float = math.inf) -> Footage:
    """The first ``seconds`` of a video. Raises BenchError for one without pictures, or whose time stamps jump."""
    analyzer = FrameAnalyzer(small=needs_small(runtime.model))
    kept: list[tuple[int, Analysis]] = []
    for slot, t_s, analysis in analyze_video(path, analyzer):
        if t_s >= seconds:
            break
        kept.append((slot, analysis))
    if not kept:
        raise BenchError(f"{path}: no picture of it decodes; give a video file")
    features = [analysis.features for _, analysis in kept]
    return Footage(
        kept,
        float(np.mean([each.speed for each in features])),
        float(np.mean([each.colour.brightness for each in features])),
        cuts_in(kept) * MOTION_FPS / (kept[-1][0] + 1),
    )


def cuts_in(kept: Sequence[tuple[int, Analysis]], rest_s: float = SessionOptions().cut_rest_s) -> int:
    """Hard cuts, counted as a session does."""
    count, last = 0, -math.inf
    for slot, analysis in kept:
        if analysis.features.cut >= HARD_CUT and slot - last >= rest_s * MOTION_FPS:
            count, last = count + 1, slot
    return count


def lists(shot: Footage, runtime: Runtime, wishes: Sequence[Mapping[str, Any]] = ()) -> list[Suggestions]:
    """Every list of a session of which ``wishes`` are asked before its first picture."""
    session = Session(runtime.model)
    for wish in wishes:
        _ask(session, wish)
    return _told(shot, runtime, session)


def ranking(shot: Footage, runtime: Runtime, tracks: int) -> Sequence[Ranked]:
    """All of ``tracks`` as they are ranked at the end of the footage, before anybody is kept in place; jingles too."""
    session = Session(runtime.model, SessionOptions(candidates=tracks))
    session.follow(ONCE)
    _ask(session, {"type": "filters", "jingles": True})
    _told(shot, runtime, session)
    return session.ranking


def _ask(session: Session, wish: Mapping[str, Any]) -> None:
    for event in session.command(wish):
        if isinstance(event, Refused):
            raise ValueError(f"{wish}: {event.reason}")


def _told(shot: Footage, runtime: Runtime, session: Session) -> list[Suggestions]:
    said: list[Suggestions] = []
    for slot, analysis in shot.seen:
        said += answer_all(session, runtime, push_analysis(session, slot, analysis))
    return said + answer_all(session, runtime, session.finish())


def _key(question: Question) -> object:
    """All that a question asks: whatever fields its kind has, but for which one it is, and for whom."""
    asked = {part.name: getattr(question, part.name) for part in fields(question) if part.name not in NOT_ASKED}
    return type(question), tuple((name, _hashed(value)) for name, value in asked.items())


def _hashed(value: object) -> object:
    if isinstance(value, np.ndarray):
        digest = hashlib.blake2b(np.ascontiguousarray(value).data, digest_size=16).digest()
        return value.dtype.str, value.shape, digest
    if isinstance(value, Mapping):
        return tuple((name, _hashed(value[name])) for name in sorted(value))
    return value
