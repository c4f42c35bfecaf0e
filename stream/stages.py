"""The work between events: looking at a frame and answering a question, each with an optional stopwatch.

A probe is called with a stage's name and its duration in seconds; without one no time is taken.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from features.decode.picture import Scaler
from features.errors import PictureError
from features.frame import FrameFeatures, FrameMeter
from stream.core.events import Answer, Infer, Question
from stream.errors import SourceError
from stream.runtime import Runtime

Probe = Callable[[str, float], None]
Keep = Callable[[NDArray[np.uint8], float], None]

GRAPH_STAGES: Final = {
    "video_clip": "clip tower",
    "video_sequence": "sequence tower",
    "mood": "mood",
    "matcher": "re-rank",
}


class Look:
    """Frames of one input -> features; ``small``: with a small colour picture each; ``keep`` is given each canonical
    picture and its time before it is looked at.

    State: the scaling context and the meter, which ``restart`` empties.
    """

    def __init__(self, probe: Probe | None = None, small: bool = False, keep: Keep | None = None) -> None:
        self._small = small
        self._keep = keep
        self._scaler = Scaler()
        self._watch = None if probe is None else _Stopwatch(probe)
        self.restart()

    def restart(self) -> None:
        """Time jumped: the next frame is the first."""
        self._meter = FrameMeter(None if self._watch is None else self._watch.lap, small=self._small)

    def look(self, frame: av.VideoFrame, t_s: float) -> FrameFeatures:
        """Features of a sampled frame at ``t_s`` seconds of media time. Raises SourceError for an absurd size."""
        if self._watch is None:
            return self._meter.push(self._canonical(frame, t_s), t_s)
        self._watch.start()
        picture = self._canonical(frame, t_s)
        self._watch.lap("convert")
        return self._meter.push(picture, t_s)

    def _canonical(self, frame: av.VideoFrame, t_s: float) -> NDArray[np.uint8]:
        try:
            picture = self._scaler.canonical(frame)
        except PictureError as error:
            raise SourceError(str(error)) from error
        if self._keep is not None:
            self._keep(picture, t_s)
        return picture


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
    probe(_stage(question), time.perf_counter() - begun)
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
        probe(_stage(question), time.perf_counter() - begun)
    return outputs


def _stage(question: Question) -> str:
    return GRAPH_STAGES.get(question.graph, question.graph) if isinstance(question, Infer) else "search"
