"""How much of a second of a stream's sound is speech: decoded frames in, a share out."""

import threading
from collections.abc import Sequence
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from features.decode.sound import resampled
from features.spec import MUSIC_RATE_HZ
from features.speech import SpeechMeter

SPOKEN: Final = 0.5  # probability from which on 32 ms count as speech
LISTENED_S: Final = 0.6  # of each second: speech lasts longer than the rest that is left out


class SpeechDetector:
    """One for all sessions: the network takes 10 MB. Calls from several threads take turns of a few milliseconds."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._meter: SpeechMeter | None = None

    def share(self, frames: Sequence[av.AudioFrame]) -> float:
        """The share of speech, 0 to 1, in decoded frames of any format, in order; 0 without sound."""
        samples = mono(frames)
        if not len(samples):
            return 0.0
        with self._turn:
            if self._meter is None:
                self._meter = SpeechMeter()
            self._meter.reset()
            spoken = self._meter.push(samples)
        return float((spoken >= SPOKEN).mean()) if len(spoken) else 0.0


def mono(frames: Sequence[av.AudioFrame]) -> NDArray[np.float32]:
    """(n,) float32 at 16 kHz, the mean of the channels: at most the first ``LISTENED_S``."""
    heads: list[av.AudioFrame] = []
    seconds = 0.0
    for frame in frames:
        if seconds >= LISTENED_S:
            break
        heads.append(frame)
        seconds += frame.samples / (frame.sample_rate or MUSIC_RATE_HZ)
    sound = np.concatenate([np.empty(0, np.float32), *resampled(iter(heads))])
    return np.asarray(np.nan_to_num(np.clip(sound[: int(LISTENED_S * MUSIC_RATE_HZ)], -1.0, 1.0)), np.float32)
