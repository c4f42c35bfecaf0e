"""How loud a track is, and the gain that brings it to the loudness that towers are trained at.

Loudness is that of ITU-R BS.1770-4: K-weighted, over blocks of 400 ms, without blocks that are silent or 10 LU below
the rest, in LUFS. The samples are one channel, so a stereo file whose channels are alike measures 3 LU more elsewhere.

One gain a track, so soft parts stay soft. Without it a louder master of the same piece would be another piece to the
towers.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .mapped import extremes, pieces
from .mel import check_samples
from .spec import LEVEL_LUFS, MOST_GAIN_DB, MUSIC_RATE_HZ

SILENT_LUFS: Final = -70.0  # the standard's absolute gate: quieter blocks do not count

_STEP: Final = MUSIC_RATE_HZ // 10  # samples between blocks, 100 ms
_STEPS: Final = 4  # in a block
_RELATIVE_LU: Final = -10.0
_OFFSET: Final = -0.691
_PIECE: Final = 600 * _STEP  # a minute at once, which bounds the memory
_MOST_PEAK: Final = 32.0  # that a gain may lead to, full scale 1: one click in near silence


def loudness(samples: NDArray[np.floating]) -> float:
    """Integrated loudness in LUFS of mono 16 kHz samples (n,), full scale 1; -inf where nothing is louder than -70.

    Raises ``FeatureError`` unless they are finite floats. Less than 400 ms count as one block.
    """
    return integrated_lufs(_powers(check_samples(samples)))


def integrated_lufs(power: NDArray[np.float64]) -> float:
    """The same, from the K-weighted power of each 100 ms, (n,), its channels summed."""
    power = sliding_mean(power, _STEPS)
    audible = power[lufs_of(power) > SILENT_LUFS]
    if not len(audible):
        return float("-inf")
    loud = audible[lufs_of(audible) > lufs_of(audible.mean()) + _RELATIVE_LU]
    return float(lufs_of(loud.mean()))


def sliding_mean(power: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """The means of every ``steps`` values in a row; of all values where there are fewer."""
    if len(power) <= steps:
        return power.mean(keepdims=True) if len(power) else power
    return np.convolve(power, np.full(steps, 1.0 / steps), mode="valid")


def lufs_of(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """K-weighted power, its channels summed -> LUFS; -301 for none."""
    return np.asarray(_OFFSET + 10.0 * np.log10(np.maximum(power, 1e-30)))


def level_gain(samples: NDArray[np.floating], lufs: float | None = None) -> np.float32:
    """The factor that brings a track to ``LEVEL_LUFS``; ``lufs``: its loudness, measured here where None.

    At most ``MOST_GAIN_DB`` either way, and no more than brings the peak to 32; 1 for silence.
    """
    lufs = loudness(samples) if lufs is None else lufs
    low, high = extremes(samples)
    peak = max(high, -low)
    if lufs < SILENT_LUFS or peak <= 0.0:
        return np.float32(1.0)
    gain_db = float(np.clip(LEVEL_LUFS - lufs, -MOST_GAIN_DB, MOST_GAIN_DB))
    return np.float32(min(10.0 ** (gain_db / 20.0), _MOST_PEAK / peak))


def _powers(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """K-weighted power of each whole 100 ms, (n,)."""
    from scipy.signal import sosfilt, sosfilt_zi

    biquads = weighting(MUSIC_RATE_HZ)
    state = np.zeros_like(sosfilt_zi(biquads))
    parts = [np.zeros(0)]
    for single in pieces(samples, _PIECE):
        piece, state = sosfilt(biquads, single.astype(np.float64), zi=state)
        whole = len(piece) // _STEP * _STEP
        parts.append(np.square(piece[:whole]).reshape(-1, _STEP).mean(axis=1))
    return np.concatenate(parts)


@cache
def weighting(rate_hz: int) -> NDArray[np.float64]:
    """(2, 6): the standard's two filters, a high shelf for the head and a high-pass, at ``rate_hz``, second-order
    sections as SciPy has them.

    The standard has coefficients for 48 kHz alone; these are the analogue filters behind them.
    """
    centre_hz, gain_db, quality = 1681.9744509555319, 3.99984385397, 0.7071752369554193
    k = np.tan(np.pi * centre_hz / rate_hz)
    high = 10.0 ** (gain_db / 20.0)
    band = high**0.499666774155
    norm = 1.0 + k / quality + k * k
    shelf = [high + band * k / quality + k * k, 2.0 * (k * k - high), high - band * k / quality + k * k]
    shelf = [value / norm for value in (*shelf, norm, 2.0 * (k * k - 1.0), 1.0 - k / quality + k * k)]
    centre_hz, quality = 38.13547087613982, 0.5003270373253953
    k = np.tan(np.pi * centre_hz / rate_hz)
    norm = 1.0 + k / quality + k * k
    pole = [1.0, 2.0 * (k * k - 1.0) / norm, (1.0 - k / quality + k * k) / norm]
    return np.array([shelf, [1.0, -2.0, 1.0, *pole]])
