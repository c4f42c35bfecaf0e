"""Harmony from the tonic upwards: which degrees of the scale sound, whatever the key.

A track's key must not matter to what picture it suits; its mode does. So the chroma of each clip is turned until the
track's tonic stands first. The tonic is the best match of the whole track's chroma with the major and minor profiles of
C. Krumhansl and E. Kessler (1982), the bass counted again, since it dwells on the tonic.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .fourier import spectra
from .key import KeyMeter
from .mapped import let_go
from .profiles import MAJOR, MINOR
from .spec import CLIP_SAMPLES, HARMONY_FIELDS, MUSIC_RATE_HZ

Floats = NDArray[np.float32]

FFT: Final = 4096
_HOP: Final = 2048
CHROMA_FRAMES: Final = (CLIP_SAMPLES - FFT) // _HOP + 1  # of a clip, 30
CHROMA_S: Final = _HOP / MUSIC_RATE_HZ  # between them
_RANGE_HZ: Final = (55.0, 2000.0)
_BASS_HZ: Final = 220.0
_BASS_WEIGHT: Final = 1.0
_SILENCE: Final = 1e-8
_SOME: Final = 32  # clips after which samples that lie in a file are let go of


def harmony(samples: Floats, clips: int) -> Floats:
    """``(clips, 12)`` float32: each clip's share of chroma energy on the degrees from the tonic upwards, in semitones.

    ``samples`` (n,) float32, the whole track at 16 kHz. A silent clip is zeros.
    """
    return shares_of(*chroma(samples, clips))


def shares_of(whole: NDArray[np.float64], bass: NDArray[np.float64]) -> Floats:
    """The same, from the two arrays of ``chroma``."""
    whole, bass = whole.sum(axis=1), bass.sum(axis=1)
    tonic = find_tonic(whole.sum(axis=0), bass.sum(axis=0))
    total = whole.sum(axis=1, keepdims=True)
    shares = np.where(total > _SILENCE, whole / np.maximum(total, _SILENCE), 0.0)
    return np.roll(shares, -tonic, axis=1).astype(np.float32)


def chroma(samples: Floats, clips: int, key: KeyMeter | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two (clips, 30, 12) of compressed spectrum by pitch class, C first, every 128 ms of a clip: of the whole range,
    and of the bass. Zeros behind the track's end. ``key``: is given every spectrum."""
    full, low, window = _tables()
    levels = np.zeros((2, clips, CHROMA_FRAMES, HARMONY_FIELDS))
    for clip in range(clips):
        piece = samples[clip * CLIP_SAMPLES : (clip + 1) * CLIP_SAMPLES]
        padded = np.pad(piece, (0, max(0, FFT - len(piece))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::_HOP]
        magnitude = np.abs(spectra(windows, window))
        if key is not None:
            key.push(magnitude)
        level = np.sqrt(magnitude)  # one loud chord must not drown the rest of a clip
        levels[:, clip, : len(level)] = level @ full.T, level @ low.T
        if clip % _SOME == 0:
            let_go(samples)
    return levels[0], levels[1]


def find_tonic(whole: NDArray[np.float64], bass: NDArray[np.float64]) -> int:
    """Pitch class, 0 for C, of the best of 24 keys for chroma (12,); 0 for silence."""
    level = whole / max(float(whole.sum()), _SILENCE) + _BASS_WEIGHT * bass / max(float(bass.sum()), _SILENCE)
    if not level.any() or level.std() < _SILENCE:
        return 0
    centred = (level - level.mean()) / level.std()
    best = [
        max(float(np.roll(_unit(profile), tonic) @ centred) for profile in (MAJOR, MINOR))
        for tonic in range(HARMONY_FIELDS)
    ]
    return int(np.argmax(best))


def _unit(profile: tuple[float, ...]) -> NDArray[np.float64]:
    values = np.array(profile)
    return np.asarray((values - values.mean()) / values.std())


@cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64], Floats]:
    """Filter banks (12, 2049) that count each bin to its nearest pitch class, and the window."""
    frequencies = np.fft.rfftfreq(FFT, 1.0 / MUSIC_RATE_HZ)
    in_range = (frequencies >= _RANGE_HZ[0]) & (frequencies <= _RANGE_HZ[1])
    pitch = 12.0 * np.log2(np.maximum(frequencies, 1.0) / 440.0) + 9.0  # 0 is C
    apart = np.abs((pitch[None] - np.arange(HARMONY_FIELDS)[:, None] + 6.0) % 12.0 - 6.0)
    bank = np.exp(-0.5 * np.square(apart / 0.35)) * in_range / np.maximum(frequencies, 1.0)
    return bank, bank * (frequencies <= _BASS_HZ), np.hanning(FFT + 1)[:-1].astype(np.float32)
