"""Raw material: one-cycle tables, envelopes, shaped noise.

Pitched sounds are read from one-cycle tables built by an inverse FFT of their harmonics, so nothing aliases, and a
sound that changes (a closing filter, a string whose upper harmonics die first) moves through a few such tables.

Conventions: float32 samples; frequencies in hertz; ``rate_hz`` the sampling rate; ``n`` a number of samples.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

TABLE_SIZE: Final = 2048
MAX_HARMONICS: Final = 300
NYQUIST_SHARE: Final = 0.46  # harmonics above this share of the sampling rate are left out


def harmonics(wave: str, pitch_hz: float, rate_hz: int, width: float = 0.5) -> NDArray[np.float64]:
    """Amplitudes of the harmonics 1, 2, ... that fit below the Nyquist frequency; ``width`` is that of a pulse."""
    count = max(1, min(MAX_HARMONICS, int(NYQUIST_SHARE * rate_hz / pitch_hz)))
    k = np.arange(1, count + 1, dtype=np.float64)
    odd = k % 2
    match wave:
        case "sine":
            return np.asarray(k == 1, dtype=np.float64)
        case "triangle":
            return np.asarray(odd / k**2)
        case "square":
            return np.asarray(odd / k)
        case "pulse":
            return np.asarray(np.abs(np.sin(np.pi * k * width)) / k)
        case "string":  # plucked at ``width`` of its length
            return np.asarray((np.abs(np.sin(np.pi * k * width)) + 0.05) / k**1.15)
        case "organ":
            levels = np.zeros(count)
            for harmonic, level in ((1, 1.0), (2, 0.8), (3, 0.5), (4, 0.45), (6, 0.2), (8, 0.25 + width / 2)):
                if harmonic <= count:
                    levels[harmonic - 1] = level
            return levels
        case "reed":
            return np.asarray((0.35 + odd) / k**1.4)
        case _:  # saw
            return np.asarray(1.0 / k)


def low_pass(freqs_hz: NDArray[np.float64], cutoff_hz: float, resonance: float = 0.0) -> NDArray[np.float64]:
    """Gain of a 12 dB an octave low-pass with a bump of ``resonance`` at its cutoff."""
    ratio = freqs_hz / cutoff_hz
    bump = 1.0 + resonance * np.exp(-0.5 * (np.log2(np.maximum(ratio, 1e-3)) / 0.25) ** 2)
    return np.asarray(bump / np.sqrt(1.0 + ratio**4))


def tables(amplitudes: NDArray[np.float64]) -> Samples:
    """One-cycle tables ``(k, TABLE_SIZE)`` of the harmonic amplitudes ``(k, h)``, in sine phase."""
    spectrum = np.zeros((len(amplitudes), TABLE_SIZE // 2 + 1), dtype=np.complex128)
    spectrum[:, 1 : amplitudes.shape[1] + 1] = -0.5j * amplitudes * TABLE_SIZE
    return np.fft.irfft(spectrum, TABLE_SIZE, axis=1).astype(np.float32)


def read(cycle: Samples, cycles: NDArray[np.float64], position: Samples | None = None) -> Samples:
    """Samples of the tables ``(k, TABLE_SIZE)`` at phase ``cycles`` (n,); ``position`` (n,) fades between tables."""
    index = (cycles * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)
    if position is None or len(cycle) == 1:
        return np.asarray(cycle[0][index])
    below = np.minimum(position.astype(np.int64), len(cycle) - 2)
    share = position - below.astype(np.float32)
    flat = cycle.ravel()
    index += below * TABLE_SIZE
    low = flat[index]
    index += TABLE_SIZE
    return np.asarray(low + share * (flat[index] - low))


def sine(cycles: NDArray[np.float64]) -> Samples:
    """Sine of a phase in cycles: a table look-up, several times as fast as the function."""
    return read(tables(np.ones((1, 1))), cycles)


def seconds(n: int, rate_hz: int) -> NDArray[np.float64]:
    """The times of ``n`` samples."""
    return np.arange(n, dtype=np.float64) / rate_hz


def envelope(
    n: int, rate_hz: int, hold_s: float, attack_s: float, decay_s: float, sustain: float, release_s: float
) -> Samples:
    """Attack, exponential decay to ``sustain`` (time constant ``decay_s``), release from ``hold_s`` on; ends at 0."""
    t = seconds(n, rate_hz).astype(np.float32)
    shape = sustain + (1.0 - sustain) * np.exp(-np.maximum(t - attack_s, 0.0) / decay_s)
    shape *= np.minimum(t / max(attack_s, 1e-4), 1.0)
    tail = np.clip(1.0 - (t - hold_s) / max(release_s, 1e-3), 0.0, 1.0)
    return np.asarray(shape * tail * tail, dtype=np.float32)


def shaped_noise(n: int, rate_hz: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> Samples:
    """Noise of unit RMS between two soft edges."""
    size = fast_length(n)
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    freqs = np.fft.rfftfreq(size, 1.0 / rate_hz)
    gain = 1.0 / np.sqrt(1.0 + (freqs / high_hz) ** 6) / np.sqrt(1.0 + (low_hz / np.maximum(freqs, 1.0)) ** 6)
    shaped = np.fft.irfft(spectrum * gain.astype(np.float32), size)[:n].astype(np.float32)
    rms = float(np.sqrt(np.mean(np.square(shaped)))) + 1e-9
    return np.asarray(shaped / np.float32(rms))


def fast_length(n: int) -> int:
    """The smallest 2^a * 3^b * 5^c (b, c at most 2) that is at least ``n``: sizes at which an FFT is quick."""
    best = 1 << max(n - 1, 1).bit_length()
    for factor in (3, 5, 9, 15, 25, 45, 75, 225):
        size = factor
        while size < n:
            size *= 2
        best = min(best, size)
    return best
