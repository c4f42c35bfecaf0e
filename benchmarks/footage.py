"""Real video files, one after another, through a session in media time: every list of suggestions."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import av

from features.spec import MOTION_FPS
from stream.core.events import Event, Question, Suggestions
from stream.core.sampler import Discontinuity, Sampler
from stream.core.session import Session
from stream.driver.analysis import Analysis, FrameAnalyzer
from stream.driver.runtime import Runtime, needs_small

from .errors import BenchError


def lists_of(
    runtime: Runtime,
    videos: Iterable[Path],
    session: Session | None = None,
    seconds: float = math.inf,
    on_list: Callable[[Suggestions], None] = lambda _: None,
) -> list[Suggestions]:
    """The lists of a session over the first ``seconds`` of the videos as one stream, as far as each decodes. Each
    list goes to ``on_list`` at once. Raises BenchError for a video without pictures."""
    session = session or Session(runtime.model)
    analyzer = FrameAnalyzer(small=needs_small(runtime.model))
    lists: list[Suggestions] = []
    begun_s = 0.0
    for path in videos:
        slot = -1
        for slot, t_s, analysis in analyze_video(path, analyzer, begun_s):
            place = round(begun_s * MOTION_FPS) + slot
            new = answer_all(session, runtime, push_analysis(session, place, analysis))
            lists += new
            for suggestions in new:
                on_list(suggestions)
            if begun_s + t_s >= seconds:
                return lists
        if slot < 0:
            raise BenchError(f"{path}: no picture of it decodes; give a video file")
        begun_s += (slot + 1) / MOTION_FPS
    return lists + answer_all(session, runtime, session.finish())


def analyze_video(path: Path, analyzer: FrameAnalyzer, begun_s: float = 0.0) -> Iterator[tuple[int, float, Analysis]]:
    """The pictures of a video that fill a motion slot: slot, seconds from its begin, analysis. ``analyzer`` counts its
    time from ``begun_s``. Raises BenchError for a file that is no video, or whose time stamps jump."""
    for slot, t_s, frame in _sampled(path):
        yield slot, t_s, analyzer.analyze(frame, begun_s + t_s)


def push_analysis(session: Session, slot: int, analysis: Analysis) -> list[Event]:
    """Push a picture into the session; returns its events."""
    events = [*session.revise(analysis.revised)] if analysis.revised else []
    return [*events, *session.push(analysis.features, slot)]


def answer_all(session: Session, runtime: Runtime, events: Sequence[Event]) -> list[Suggestions]:
    """Answer every question at once; returns the lists that follow."""
    waiting, lists = list(events), []
    while waiting:
        event = waiting.pop(0)
        if isinstance(event, Question):
            waiting += session.result(event.id, runtime.answer(event))
        elif isinstance(event, Suggestions):
            lists.append(event)
    return lists


def _sampled(path: Path) -> Iterator[tuple[int, float, av.VideoFrame]]:
    """The frames that fill a motion slot, with slot and time from the file's begin."""
    sampler = Sampler()
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                slot = sampler.offer(frame.pts, frame.time_base, 0.0)
                if isinstance(slot, Discontinuity):
                    raise BenchError(f"{path}: its time stamps jump ({slot.reason}); write it anew with FFmpeg")
                if slot is not None:
                    yield slot, sampler.elapsed_s, frame
    except (av.error.FFmpegError, IndexError) as error:
        raise BenchError(f"{path}: cannot be read as video ({error}); give a video file") from error
