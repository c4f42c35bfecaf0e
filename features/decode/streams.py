"""Which stream of a container to use, its times and its length, and where the container misleads."""

from typing import Final

import av
from av.stream import Disposition

# H.264 and HEVC with B-frames have only decoding times in AVI, in the order of the file
ORDERED_BY_DECODING: Final = frozenset({("avi", "h264"), ("avi", "hevc")})


def best_video(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream that a player would show: the default one, the one with most pictures, the largest. Never a cover,
    and a still only where nothing else is there."""
    candidates = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    candidates = [stream for stream in candidates if stream.frames != 1] or candidates
    best = container.streams.best("video")
    for stream in candidates:
        if best is not None and stream.index == best.index:
            return stream
    return max(candidates, key=_merit, default=None)


def best_audio(container: av.container.InputContainer, video: av.VideoStream) -> av.AudioStream | None:
    """The sound that belongs to the video."""
    best = container.streams.best("audio", video)
    return best if isinstance(best, av.AudioStream) else None


def _merit(stream: av.VideoStream) -> tuple[bool, int]:
    return bool(stream.disposition & Disposition.default), stream.width * stream.height


class FrameTimes:
    """Gives the frames of a stream times that rise, where a container has none but those of decoding."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        name = "" if stream.codec_context is None else stream.codec_context.name
        self._mend = (container.format.name, name) in ORDERED_BY_DECODING
        self._newest: int | None = None
        self._step = 1

    def restart(self) -> None:
        """Call it after a seek."""
        self._newest = None

    def mend(self, frame: av.VideoFrame) -> None:
        """Set the frame's ``pts``, if it cannot be trusted."""
        if not self._mend:
            return
        time = frame.dts
        if time is None and self._newest is not None:  # the last ones, which no packet brought out
            time = self._newest + self._step
        if time is None:
            return
        if self._newest is not None and time > self._newest:
            self._step = time - self._newest
        frame.pts = self._newest = time


def begin_s(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """When the stream begins, in seconds of its own time."""
    if stream.start_time is not None and stream.time_base is not None:
        return float(stream.start_time * stream.time_base)
    return 0.0 if container.start_time is None else container.start_time / av.time_base


def tells_end(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Whether a container's duration is really its end time: in Matroska, and in MP4 in fragments."""
    name = container.format.name
    return name.startswith("matroska") or (name.startswith("mov,") and stream.frames == 0)


def promised_s(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """The duration as the container declares it: of the stream if it has that, else of everything in it."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def length_s(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """The declared length of the stream, from its first picture."""
    promised = promised_s(container, stream)
    if promised is None or not tells_end(container, stream):
        return promised
    length = promised - begin_s(container, stream)
    return length if length > 0 else promised
