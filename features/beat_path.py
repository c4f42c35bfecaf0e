"""Where the beats of a known tempo fall: D. Ellis, "Beat tracking by dynamic programming", 2007.

Written out here, though librosa has it, because librosa's compiles for half a minute on a fresh machine and for seconds
in every process, which is longer than a whole album takes here; and because the period need not be a whole number of
frames.
"""

import numpy as np
from numpy.typing import NDArray

_TIGHTNESS = 100.0  # how dearly an interval pays for differing from the period; the paper's and librosa's order
_WEAK = 0.5  # beats at either end below this share of the beats' root mean square are not beats


def beat_path(envelope: NDArray[np.floating], period: float) -> NDArray[np.int64]:
    """Frames of the beats in an onset envelope ``(n,)``, >= 0, with a period of ``period`` > 4 frames: increasing.

    The path that has the strongest onsets and the most even intervals, which lie between half and twice the period;
    its weak ends are trimmed. None in an envelope of zeros.
    """
    spread = float(np.std(envelope))
    if spread <= 0.0:
        return np.zeros(0, dtype=np.int64)
    score = _smoothed(np.asarray(envelope, dtype=np.float64) / spread, period)
    total, back = _accumulate(score, period)
    tail = max(0, len(total) - round(period) - 1)
    frames = [tail + int(np.argmax(total[tail:]))]
    while back[frames[-1]] >= 0:
        frames.append(int(back[frames[-1]]))
    beats = np.asarray(frames[::-1], dtype=np.int64)
    strong = np.flatnonzero(score[beats] >= _WEAK * np.sqrt(np.mean(score[beats] ** 2)))
    return beats[strong[0] : strong[-1] + 1]


def _smoothed(envelope: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Onsets blurred by a 32nd of the period, the tolerance with which they count as on the beat."""
    reach = round(period / 8.0) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * 32.0 / period) ** 2)
    return np.convolve(np.pad(envelope, reach), kernel, mode="valid")


def _accumulate(score: NDArray[np.float64], period: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Best total score of a path that ends at each frame, and its previous beat, -1 where it begins.

    The shortest interval is half a period, so that many frames depend on none of each other and are done at once.
    """
    shortest, longest = max(1, round(period / 2.0)), round(2.0 * period)
    lags = np.arange(longest, shortest - 1, -1)
    cost = _TIGHTNESS * np.log(lags / period) ** 2
    n = len(score)
    total = np.concatenate([np.full(longest, -np.inf), np.zeros(n)])  # the front stands for "no beat there"
    back = np.full(n, -1, dtype=np.int64)
    for start in range(0, n, shortest):
        end = min(n, start + shortest)
        reach = np.lib.stride_tricks.sliding_window_view(total[start : end + longest - shortest], len(lags))
        options = reach - cost
        choice = np.argmax(options, axis=1)
        best = options[np.arange(end - start), choice]
        goes_on = best > 0.0
        total[start + longest : end + longest] = score[start:end] + np.where(goes_on, best, 0.0)
        back[start:end] = np.where(goes_on, np.arange(start, end) - lags[choice], -1)
    return total[longest:], back
