"""Whether two files hold one recording, from a sketch of its sound."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .records import Floats

LENGTHS_S: Final = 3.0
Words = NDArray[np.uint16]


def sketch(samples: Floats) -> Words:
    return np.empty(0, np.uint16)


def as_sketch(data: bytes) -> Words:
    return np.frombuffer(data, "<u2")


def same_recording(one: Words, other: Words) -> bool:
    return False
