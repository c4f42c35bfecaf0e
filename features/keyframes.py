"""Key frames: the few pictures that show best how a video feels (DPVM, Gu et al., section on key-frame selection).

Shots end where the colour histogram jumps; a measure of emotion scores each shot; the key frame of each of
the best shots is the picture that differs most from the one before. The paper scores by a network for picture
emotion. Here the score is any function of a picture; the default needs no network: arousal and pleasure of its colours,
after P. Valdez and A. Mehrabian, "Effects of color on emotions", 1994.
"""

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError

Picture = NDArray[np.uint8]
Pictures = NDArray[np.uint8] | Sequence[Picture]
Score = Callable[[Picture], float]
Histogram = Callable[[Picture], NDArray[np.float32]]

JUMP: Final = 0.35  # total variation between histograms from which on a new shot begins
_BINS: Final = 4  # per colour channel: small pictures have a thousand pixels


def colour_emotion(picture: Picture) -> float:
    """How much the colours of an RGB picture (h, w, 3) uint8 move one: the length of (pleasure, arousal).

    pleasure = .69 brightness + .22 saturation, arousal = -.31 brightness + .60 saturation, both inputs in [0, 1].
    """
    _, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    s, b = float(saturation.mean()) / 255.0, float(value.mean()) / 255.0
    return float(np.hypot(0.69 * b + 0.22 * s, -0.31 * b + 0.60 * s))


def colour_histogram(picture: Picture) -> NDArray[np.float32]:
    """(64,): the share of the pixels of an RGB picture (h, w, 3) in each cell of colours, ``_BINS`` a channel."""
    counts = cv2.calcHist([picture], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3).ravel()
    return np.asarray(counts / np.float32(picture[..., 0].size), np.float32)


def differences(pictures: Pictures, histogram: Histogram = colour_histogram) -> NDArray[np.float64]:
    """(n,) total variation in [0, 1] between each picture's colour histogram and the one before; 0 for the first."""
    histograms = np.concatenate([histogram(picture) for picture in pictures]).reshape(len(pictures), -1)
    histograms = histograms.astype(np.float64)
    steps = np.zeros(len(histograms))
    steps[1:] = np.abs(histograms[1:] - histograms[:-1]).sum(axis=1) / 2.0
    return steps


def shots(steps: NDArray[np.float64], jump: float = JUMP) -> list[range]:
    """Cut 0..n where ``steps`` (n,) reach ``jump``: ranges that cover every picture once, in order."""
    starts = [0, *(int(at) for at in np.flatnonzero(steps >= jump) if at > 0)]
    return [range(a, b) for a, b in zip(starts, [*starts[1:], len(steps)], strict=True)]


def key_frame_indices(
    pictures: Pictures, count: int, score: Score = colour_emotion, histogram: Histogram = colour_histogram
) -> NDArray[np.int64]:
    """``count`` rising indices into ``pictures``, n of (h, w, 3) uint8.

    One picture of each of the best shots; where there are fewer shots than ``count``, more pictures of the same shots,
    those that differ most first; where there are fewer pictures, the last is repeated. ``FeatureError`` for none.
    """
    if len(pictures) == 0 or count < 1:
        raise FeatureError(f"{len(pictures)} pictures for {count} key frames: give at least one of both")
    steps = differences(pictures, histogram)
    # The first picture of a shot differs from another shot, which says nothing about this one.
    within = [sorted(shot, key=lambda at, first=shot.start: (at == first, -steps[at], at)) for shot in shots(steps)]  # type: ignore[misc]
    within.sort(key=lambda shot: (-score(pictures[shot[0]]), shot[0]))
    chosen: list[int] = []
    rounds = max(map(len, within))
    for place in range(rounds):
        chosen += [shot[place] for shot in within if place < len(shot)]
    indices = sorted(chosen[:count])
    return np.array(indices + [indices[-1]] * (count - len(indices)), np.int64)


def key_frames(
    pictures: Pictures, count: int, score: Score = colour_emotion, histogram: Histogram = colour_histogram
) -> NDArray[np.uint8]:
    """The key frames themselves, (count, h, w, 3) uint8, in the order of time. ``histogram``: `colour_histogram`, or
    what remembers it."""
    return np.stack([pictures[at] for at in key_frame_indices(pictures, count, score, histogram).tolist()])
