"""How a convolution over time is taken apart: which moments a picture holds, and where each weight goes.

A film (channels, moments, height, width) is kept as pictures (held * channels, height, width) of ``held`` moments each,
the channels of one moment behind those of the one before. A convolution gives pictures of ``held`` moments in turn. Its
*window* is the moments that such a picture depends on: stride * (held - 1) + taps of them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LANES: Final = 8  # channels that AVX2 computes at once; kernels fill up to a multiple of it with zeros


def moments_per_picture(channels: int, moments: int) -> int:
    """The fewest moments to a picture that leave no lane empty; 1 where every number leaves one empty."""
    whole = (held for held in range(1, LANES + 1) if moments % held == 0 and held * channels % LANES == 0)
    return next(whole, 1)


def window(stride: int, held: int, taps: int) -> int:
    return stride * (held - 1) + taps


def part_of_window(weight: NDArray[np.float32], stride: int, held: int, first: int, count: int) -> NDArray[np.float32]:
    """Weights (held * out, count * in, height, width) from ``count`` moments of the window on, beginning at ``first``,
    to ``held`` moments; ``weight`` is (out, in, taps, height, width). Moments that do not depend on each other get
    zeros.

    ``first`` may be negative, and the part may reach beyond the window: zeros there.
    """
    outputs, inputs, taps, *kernel = weight.shape
    stacked = np.zeros((held, outputs, count, inputs, *kernel), weight.dtype)
    for moment in range(held):
        for tap in range(taps):
            at = stride * moment + tap - first
            if 0 <= at < count:
                stacked[moment, :, at] = weight[:, :, tap]
    return stacked.reshape(held * outputs, count * inputs, *kernel)


def neighbours(stride: int, held: int, taps: int, before: int, block: int) -> range:
    """Which pictures of ``block`` moments the window reaches into; number 0 begins ``before`` moments behind the
    window's first."""
    last = window(stride, held, taps) - 1
    return range(-before // block, (last - before) // block + 1)


def runs(length: int, inputs: int) -> list[tuple[int, int]]:
    """(first, count) of the parts in which a window of ``length`` moments of ``inputs`` channels is convolved.

    One part, except for few channels that do not fill the lanes together: pictures of fewer channels than lanes are
    read as they lie, which is faster than filling up.
    """
    if inputs >= LANES or length * inputs < LANES or length * inputs % LANES == 0:
        return [(0, length)]
    most = (LANES - 1) // inputs
    return [(first, min(most, length - first)) for first in range(0, length, most)]
