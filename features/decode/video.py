"""A video file -> the canonical pictures of any stretch of it, one a motion slot, as a live stream would sample them.

Packets that do not decode are skipped, as live. A slot in which no frame begins has none; a stretch begins with the
frame that is on screen then.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from features.errors import PictureError
from features.spec import MOTION_FPS

from .colours import container_colours
from .reader import PictureReader
from .streams import FrameTimes, best_video, length_s

MAX_BAD_PACKETS = 1_000


class VideoFile:
    """An open file; a context manager. Times are seconds from its first picture.

    ``sound_s``: where in that time its first audio stream begins; ``duration_s``: as declared, None if it is not.
    Raises ``PictureError``, to print behind the file's name: no video, not readable, not seekable.
    """

    def __init__(self, path: Path) -> None:
        try:
            # "file" alone: a playlist under a video's name must not reach the network.
            self._container = av.open(str(path), metadata_errors="ignore", options={"protocol_whitelist": "file"})
        except OSError as error:
            raise PictureError(f"cannot be read: {error.strerror or error}") from error
        except FFmpegError as error:
            raise PictureError("is no video that FFmpeg knows, or its end is missing") from error
        stream = best_video(self._container)
        if stream is None or self._container.format.name == "tty":  # plain text is no art
            self._container.close()
            raise PictureError("has no video stream")
        if stream.codec_context is None:
            self._container.close()
            raise PictureError("has pictures of a kind that FFmpeg does not decode")
        self._stream = stream
        self._times = FrameTimes(self._container, stream)
        self._stream.thread_type = "SLICE"
        self._stream.codec_context.thread_count = 1
        self._reader = PictureReader()
        self._colours = container_colours(stream)
        assert self._stream.time_base is not None
        self._base = self._stream.time_base
        self._begin = self._stream.start_time or 0
        self.sound_s = 0.0
        for audio in self._container.streams.audio[:1]:
            if audio.start_time is not None and audio.time_base is not None:
                self.sound_s = float(audio.start_time * audio.time_base - self._begin * self._base)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def duration_s(self) -> float | None:
        return length_s(self._container, self._stream)

    def slots(self, start_s: float, seconds: float) -> dict[int, NDArray[np.uint8]]:
        """Motion slot from ``start_s`` -> its picture, (90, 160, 3) uint8 RGB, for ``seconds`` of the file.

        Bars that are detected on the way are cropped from the beginning on.
        """
        pictures, changed = self._slots(start_s, seconds)
        return self._slots(start_s, seconds)[0] if changed else pictures

    def _slots(self, start_s: float, seconds: float) -> tuple[dict[int, NDArray[np.uint8]], bool]:
        pictures: dict[int, NDArray[np.uint8]] = {}
        changed = False
        before: av.VideoFrame | None = None
        for frame, time_s in self._frames_from(start_s):
            if time_s >= seconds:
                break
            if time_s < 0:
                before = frame
                continue
            slot = int(time_s * MOTION_FPS)
            if slot not in pictures:
                if before is not None and 0 not in pictures and slot > 0:
                    pictures[0] = self._reader.read(before).picture
                result = self._reader.read(frame)
                pictures[slot], changed = result.picture, changed or bool(result.again)
        if before is not None and 0 not in pictures:
            pictures[0] = self._reader.read(before).picture
        return pictures, changed

    def _frames_from(self, start_s: float) -> Iterator[tuple[av.VideoFrame, float]]:
        """Frames in order with their times after ``start_s``, from the key frame before it."""
        try:
            self._container.seek(self._begin + int(start_s / self._base), stream=self._stream)
        except (FFmpegError, OSError) as error:
            raise PictureError(f"cannot be searched for {start_s:.1f} s; put it into a container anew") from error
        self._times.restart()
        bad = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except (FFmpegError, OSError):
                bad += 1
                if bad > MAX_BAD_PACKETS:
                    return
                continue
            for frame in frames:
                if not isinstance(frame, av.VideoFrame):
                    continue
                self._times.mend(frame)
                if self._colours is not None:
                    self._colours.tag(frame)
                if frame.pts is not None:
                    yield frame, float((frame.pts - self._begin) * self._base) - start_s
