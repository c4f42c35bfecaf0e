"""Where the beats of a known tempo fall: D. Ellis, "Beat tracking by dynamic programming", 2007, with a tempo that may
change from frame to frame.

librosa has this too, but it compiles for half a minute on a fresh machine and for seconds in every process, longer than
a whole album takes here. And here the period need not be a whole number of frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_TIGHTNESS: Final = 100.0  # price of an interval that differs from the period; the order of the paper's and librosa's
_WEAK: Final = 0.5  # beats at either end below this share of the beats' root mean square are not beats
_NOTHING: Final = 0.1  # nor are beats below this share, four or more in a row
_ROW: Final = 4
_KERNEL: Final = 8  # frames that the blur reaches to either side
_AROUND: Final = 4096  # frames, 65 s, over which onsets are measured against each other
_LEAST: Final = 0.25  # of the whole track's deviation: quieter parts are not raised further


def beat_path(envelope: NDArray[np.floating], periods: NDArray[np.floating] | float) -> NDArray[np.int64]:
    """Frames of the beats in an onset envelope ``(n,)``, >= 0, increasing. ``periods``: their distance at each frame,
    ``(n,)`` or one for all, frames > 4.

    The path with the strongest onsets and the most even intervals, which lie between half and twice the period. Silent
    places have no beats, and weak beats beside such a place, or at an end, are trimmed.
    """
    values = np.asarray(envelope, dtype=np.float64)
    if not len(values) or float(np.std(values)) <= 0.0:
        return np.zeros(0, dtype=np.int64)
    period = np.broadcast_to(np.asarray(periods, np.float64), values.shape)
    score, total, back = _accumulate(values / _spread(values), period)
    tail = max(0, len(total) - round(float(period[-1])) - 1)
    frames = [tail + int(np.argmax(total[tail:]))]
    while back[frames[-1]] >= 0:
        frames.append(int(back[frames[-1]]))
    beats = np.asarray(frames[::-1], dtype=np.int64)
    return np.concatenate([_trim(part, score) for part in _parts(beats, score)])


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviation of the envelope around each frame, (n,), so that a soft piece counts beside a hard one."""
    sums = [np.concatenate([[0.0], np.cumsum(values**power)]) for power in (1, 2)]
    at = np.arange(len(values))
    first, end = np.maximum(at - _AROUND // 2, 0), np.minimum(at + _AROUND // 2, len(values))
    mean, square = ((total[end] - total[first]) / (end - first) for total in sums)
    return np.asarray(np.sqrt(np.maximum(square - mean**2, (_LEAST * float(np.std(values))) ** 2)))


def _parts(beats: NDArray[np.int64], score: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """The beats, cut at silent places, without the beats there."""
    silent = score[beats] < _NOTHING * np.sqrt(np.mean(score[beats] ** 2))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(np.int8)))
    parts, begin = [], 0
    for first, end in edges.reshape(-1, 2):
        if end - first >= _ROW:
            parts.append(beats[begin:first])
            begin = end
    return [part for part in (*parts, beats[begin:]) if len(part)] or [beats[:0]]


def _trim(beats: NDArray[np.int64], score: NDArray[np.float64]) -> NDArray[np.int64]:
    if not len(beats):
        return beats
    strong = np.flatnonzero(score[beats] >= _WEAK * np.sqrt(np.mean(score[beats] ** 2)))
    return beats[strong[0] : strong[-1] + 1]


def _accumulate(
    envelope: NDArray[np.float64], periods: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The score of each frame; the best total score of a path that ends there; and its previous beat, -1 where it
    begins.

    The score is the envelope blurred by a 32nd of the period, the tolerance with which onsets count as on the beat. The
    shortest interval is half a period, so that many frames do not depend on each other and are done at once.
    """
    n = len(envelope)
    front = round(2.0 * float(periods.max()))
    score = np.empty(n)
    total = np.concatenate([np.full(front, -np.inf), np.zeros(n)])  # the front stands for "no beat there"
    back = np.full(n, -1, dtype=np.int64)
    padded = np.pad(envelope, _KERNEL)
    around = np.arange(-_KERNEL, _KERNEL + 1)
    start = 0
    while start < n:
        period = float(periods[start])
        shortest, longest = max(1, round(period / 2.0)), round(2.0 * period)
        end = min(n, start + shortest)
        kernel = np.exp(-0.5 * (around * 32.0 / period) ** 2)
        score[start:end] = np.convolve(padded[start : end + 2 * _KERNEL], kernel, mode="valid")
        lags = np.arange(longest, shortest - 1, -1)
        begin = start + front
        reach = np.lib.stride_tricks.sliding_window_view(
            total[begin - longest : begin - longest + end - start - 1 + len(lags)], len(lags)
        )
        options = reach - _TIGHTNESS * np.log(lags / period) ** 2
        choice = np.argmax(options, axis=1)
        best = options[np.arange(end - start), choice]
        goes_on = best > 0.0
        total[begin : begin + end - start] = score[start:end] + np.where(goes_on, best, 0.0)
        back[start:end] = np.where(goes_on, np.arange(start, end) - lags[choice], -1)
        start = end
    return score, total[front:], back
