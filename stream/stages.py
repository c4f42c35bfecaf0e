"""The work between events: looking at a frame and answering a question, each with an optional stopwatch.

A probe is called with a stage's name and its duration in seconds; without one no time is taken.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from features.bars import STEADY
from features.decode.reader import PictureReader
from features.errors import PictureError
from features.frame import FrameFeatures, FrameMeter
from features.keep import Keep as Kept
from stream.core.events import Answer, Infer, Question
from stream.core.model import STAGES
from stream.errors import SourceError
from stream.runtime import Runtime

Probe = Callable[[str, float], None]
Keep = Callable[[NDArray[np.uint8], float, bool], None]

GRAPH_STAGES: Final = STAGES


@dataclass(frozen=True, slots=True)
class Looked:
    """Features of a frame. ``revised``: those of the frames before it, oldest first, where they are another after all:
    bars were found, in them too."""

    features: FrameFeatures
    revised: tuple[FrameFeatures, ...] = ()


class Look:
    """Frames of one input -> features; ``small``: with the pictures that graphs look at; ``keep`` is given each
    canonical picture and its time before it is looked at, and whether it was looked at before, with its bars.

    State: the reader, the meter and the newest frames' times and features, which ``restart`` empties.
    """

    def __init__(self, probe: Probe | None = None, small: Kept | bool = False, keep: Keep | None = None) -> None:
        self._small = small
        self._keep = keep or _nowhere
        self._reader = PictureReader()
        self._watch = None if probe is None else _Stopwatch(probe)
        self.restart()

    def restart(self) -> None:
        """Time jumped: the next frame is the first."""
        self._reader.restart()
        self._newest: deque[tuple[float, FrameFeatures]] = deque(maxlen=STEADY)
        self._meter = self._made()

    def look(self, frame: av.VideoFrame, t_s: float) -> Looked:
        """Features of a sampled frame at ``t_s`` seconds of media time. Raises SourceError for an absurd size."""
        if self._watch is not None:
            self._watch.start()
        try:
            seen = self._reader.read(frame)
        except PictureError as error:
            raise SourceError(str(error)) from error
        revised = self._look_again(seen.again[-len(self._newest) :]) if seen.again and self._newest else ()
        self._keep(seen.picture, t_s, False)
        if self._watch is not None:
            self._watch.lap("convert")
        features = self._meter.push(seen.picture, t_s)
        self._newest.append((t_s, features))
        return Looked(features, revised)

    def _look_again(self, pictures: Sequence[NDArray[np.uint8]]) -> tuple[FrameFeatures, ...]:
        """The newest frames without their bars. What moved into the first of them is kept: that was measured from one
        before it."""
        newest = list(self._newest)[-len(pictures) :]
        self._meter = self._made()
        found: list[FrameFeatures] = []
        for (t_s, before), picture in zip(newest, pictures, strict=True):
            self._keep(picture, t_s, True)
            features = self._meter.push(picture, t_s)
            kept = before if not found else features
            motion = {name: getattr(kept, name) for name in ("speed", "dx", "dy", "onset", "cut")}
            found.append(replace(features, **motion))
        return tuple(found)

    def _made(self) -> FrameMeter:
        return FrameMeter(None if self._watch is None else self._watch.lap, small=self._small)


def _nowhere(picture: NDArray[np.uint8], t_s: float, again: bool) -> None:
    """Nobody keeps pictures."""


class _Stopwatch:
    """Laps for a probe. It knows nothing of who is timed: a meter that knew its `Look` would be a circle, and OpenCV's
    and FFmpeg's memory would wait for the collector of cycles."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._begun = 0.0

    def start(self) -> None:
        self._begun = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._probe(stage, now - self._begun)
        self._begun = now


def answer(runtime: Runtime, question: Question, probe: Probe | None = None) -> Answer:
    """``runtime.answer``, timed under the stage's name."""
    if probe is None:
        return runtime.answer(question)
    begun = time.perf_counter()
    outputs = runtime.answer(question)
    probe(_stage(runtime, question), time.perf_counter() - begun)
    return outputs


async def answered(runtime: Runtime, question: Question, workers: Executor, probe: Probe | None = None) -> Answer:
    """The same on an event loop. An engine with a queue of its own is asked from here, anything else in a thread of
    ``workers``: each thread between a question and its answer is one more wait for a core."""
    begun = 0.0 if probe is None else time.perf_counter()
    waiting = runtime.submit(question)
    if waiting is None:
        return await asyncio.get_running_loop().run_in_executor(workers, answer, runtime, question, probe)
    outputs = await asyncio.wrap_future(waiting)
    if probe is not None:
        probe(_stage(runtime, question), time.perf_counter() - begun)
    return outputs


def _stage(runtime: Runtime, question: Question) -> str:
    return runtime.model.stage(question.graph) if isinstance(question, Infer) else "search"
