"""Measure the levels of a file's frames, before they become mono at 16 kHz.

Frames of some codecs are tiny, and each costs some microseconds of Python at every step: they are joined to seconds
first, which saves more time than the meter takes.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from features.r128 import LevelMeter, Levels, channel_weights

# PyAV looks for the planes of a frame by pointers that are null, and FFmpeg has room for eight: with eight channels and
# more it would read past them.
MOST_PLANES: Final = 7
RATES_HZ: Final = (8_000, 96_000)  # other rates are resampled: nothing above is audible


def join_frames(frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
    """The same samples in frames of a second, without time stamps; a change of format ends one early."""
    queue, current = AudioFifo(), None
    for frame in frames:
        if not frame.samples or not frame.sample_rate:
            continue
        kind = kind_of(frame)
        if kind != current:
            yield from _rest(queue)
            queue, current = AudioFifo(), kind
        frame.pts = None  # gaps and jumps in time stamps are not filled
        if frame.layout.nb_channels > MOST_PLANES or frame.samples >= frame.sample_rate:
            yield from _rest(queue)
            yield frame
            continue
        queue.write(frame)
        while queue.samples >= frame.sample_rate:
            second = queue.read(frame.sample_rate)
            assert second is not None
            yield second
    yield from _rest(queue)


def kind_of(frame: AudioFrame) -> tuple[str, str, int]:
    """Frames of one stream go together if this is equal."""
    return frame.format.name, frame.layout.name, frame.sample_rate


class Tap:
    """Measures frames that pass, with the channels and at the rate of the first of them."""

    def __init__(self) -> None:
        self._meter: LevelMeter | None = None
        self._format: tuple[str, AudioLayout, int] | None = None  # what the meter takes
        self._channels = 0  # of the meter
        self._direct_kind: tuple[str, str, int] | None = None  # frames of this kind need no conversion
        self._kind: tuple[str, str, int] | None = None  # of the frames that the converter takes
        self._converter: AudioResampler | None = None

    def measure(self, frames: Iterator[AudioFrame], lead_s: Callable[[], float]) -> Iterator[AudioFrame]:
        """Yield the frames unchanged, after measuring them; ``lead_s``: the silence before the first one, called once
        that is there."""
        for frame in frames:
            if self._meter is None:
                self._begin(frame, lead_s())
            self._feed(frame)
            yield frame

    def finish(self) -> Levels | None:
        """The levels; None where there was no frame."""
        if self._meter is None:
            return None
        self._flush()
        return self._meter.finish()

    def _begin(self, frame: AudioFrame, lead_s: float) -> None:
        rate_hz = min(max(frame.sample_rate, RATES_HZ[0]), RATES_HZ[1])
        planar = frame.layout.nb_channels <= MOST_PLANES
        self._channels = frame.layout.nb_channels
        self._format = ("fltp" if planar else "flt", frame.layout, rate_hz)
        self._direct_kind = (self._format[0], frame.layout.name, rate_hz) if planar else None
        self._meter = LevelMeter(rate_hz, channel_weights(tuple(channel.name for channel in frame.layout.channels)))
        self._meter.silence(round(lead_s * rate_hz))

    def _feed(self, frame: AudioFrame) -> None:
        kind = kind_of(frame)
        if kind == self._direct_kind:
            self._flush()
            self._push([frame])
            return
        if kind != self._kind:
            self._flush()
            assert self._format is not None
            form, layout, rate_hz = self._format
            # Between one channel and more, FFmpeg changes the loudness; players do not.
            if (frame.layout.nb_channels == 1) != (self._channels == 1):
                layout = AudioLayout("mono" if frame.layout.nb_channels == 1 else "stereo")
            self._converter, self._kind = AudioResampler(form, layout, rate_hz), kind
        assert self._converter is not None
        self._push(self._converter.resample(frame))

    def _flush(self) -> None:
        """Measure what the converter holds back, before frames of another kind."""
        if self._converter is not None:
            self._push(self._converter.resample(None))
            self._converter, self._kind = None, None

    def _push(self, frames: list[AudioFrame]) -> None:
        assert self._meter is not None and self._format is not None
        for frame in frames:
            samples = frame.to_ndarray().astype(np.float32, copy=False)
            if self._format[0] == "flt":
                samples = samples.reshape(-1, frame.layout.nb_channels).T
            self._meter.push(self._spread(samples))

    def _spread(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fit samples to the meter's channels: one channel goes to the first two of several; two become their mean."""
        if len(samples) == self._channels:
            return samples
        if self._channels == 1:
            return np.asarray(samples.mean(axis=0, keepdims=True), np.float32)
        both = np.zeros((self._channels, samples.shape[1]), np.float32)
        both[:2] = samples[0]
        return both


def _rest(queue: AudioFifo) -> Iterator[AudioFrame]:
    rest = queue.read(0, True) if queue.samples else None
    if rest is not None:
        yield rest
