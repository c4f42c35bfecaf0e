"""Whether two files hold one recording, by a sketch of its sound.

After Haitsma and Kalker, A highly robust audio fingerprinting system (ISMIR 2002): every 32 ms a word of 16 bits says
between which neighbouring bands, from 250 Hz to 3.5 kHz, the difference in level has grown. Level, coding and what is
cut off at the ends leave most bits as they are; another voice, take or arrangement does not, even where all else is
equal.

First the mean levels of the bands must agree within 4 dB, relative to the mean of all bands: machine-made pieces with
the same rhythm and another harmony grow and fall alike.

Two sketches are laid over each other at the offset, of up to 3 s, where fewest bits differ. It is one recording if in
no 8 s of it more than 15% do. Measured in the worst 8 s: 20 human-made tracks and their encodings (MP3 from 64 kbit/s,
AAC from 96, Opus from 48, half a second cut off, -6 dB) at most 12%; made-up pieces without their lead 17 to 37%;
human-made ones with a second voice of the same level 31% and more; 2,278 pairs of different tracks at least 40%. Four
minutes take 15 kB.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from features.fourier import coarse_spectra
from features.mapped import let_go

from .records import Floats

RATE_HZ: Final = 8000  # half of the samples' rate: nothing above 3.5 kHz is used
TAPS: Final = (np.sinc(np.arange(-15, 16) / 2) * np.hamming(31) / 2).astype(np.float32)
FFT: Final = 4096  # samples: 0.5 s, so that half a hop of offset changes little
HOP: Final = 256
BITS: Final = 16
LOW_HZ, HIGH_HZ = 250.0, 3500.0
FLOOR: Final = 1e-4  # of the mean energy: silence and coder's noise have no bits
GROWTH: Final = 0.05  # nepers that a difference must grow by: so that nothing is not half of the bits
LENGTHS_S: Final = 3.0  # between two files of one recording, at most
REACH: Final = int(LENGTHS_S * RATE_HZ / HOP)
BLOCK: Final = 8 * RATE_HZ // HOP
APART_DB: Final = 4.0  # of the mean levels of a band; a copy that clips was 2 away
MOST: Final = 0.15  # share of the bits that differ in a block of one recording
PROBES: Final = 256  # words by which the offset is sought
FEWEST: Final = BLOCK // 2  # words with any bit set that a decision needs
AT_ONCE: Final = 32  # spectra
WORDS_AT_ONCE: Final = 8192
BLOCKS: Final = 16  # of these that are filtered together


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """``levels`` (17,) float32, the mean of each band in dB over what all have; ``words`` (n,) uint16, one for each
    32 ms, none for less than a second of sound."""

    levels: NDArray[np.float32]
    words: NDArray[np.uint16]

    @property
    def data(self) -> bytes:
        """As it is stored."""
        return self.levels.astype("<f4").tobytes() + self.words.astype("<u2").tobytes()

    @classmethod
    def of(cls, data: bytes) -> Self:
        """A sketch as it was stored."""
        return cls(np.frombuffer(data, "<f4", BITS + 1), np.frombuffer(data, "<u2", offset=4 * (BITS + 1)))


def sketch(samples: Floats) -> Sketch:
    """The sketch of mono 16 kHz samples."""
    return both_ways(samples)[0]


def both_ways(samples: Floats) -> tuple[Sketch, Sketch]:
    """The sketch of mono 16 kHz samples, and that of the same played from its end to its begin.

    A spectrum has the same levels in both directions, so the second is made of the first one's bands. Its words lie up
    to 16 ms beside those of the reversed samples, as those of a copy do from which something was cut off.
    """
    if len(samples) < 4 * FFT:
        nothing = Sketch(np.zeros(BITS + 1, np.float32), np.empty(0, np.uint16))
        return nothing, nothing
    energy = _bands(samples)
    floor = FLOOR * energy.mean()
    mean_db = 10.0 * np.log10(energy.mean(axis=0) + floor + 1e-12)
    levels = (mean_db - mean_db.mean()).astype(np.float32)
    forward, backward = _words(energy, floor)
    return Sketch(levels, forward), Sketch(levels, backward[::-1])


def _words(energy: NDArray[np.float64], floor: float) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """(n - 1,) each: which differences grow, and which shrink. Some at once: hours are large."""
    words = np.empty((2, max(0, len(energy) - 1)), np.uint16)
    weights = (1 << np.arange(BITS)).astype(np.uint16)
    for first in range(0, words.shape[1], WORDS_AT_ONCE):
        level = np.log(energy[first : first + WORDS_AT_ONCE + 1] + floor + 1e-12)
        growth = np.diff(np.diff(level, axis=1), axis=0)
        for way, sign in zip(words, (growth, -growth), strict=True):
            way[first : first + len(growth)] = (sign > GROWTH) @ weights
    return words[0], words[1]


def _bands(samples: Floats) -> NDArray[np.float64]:
    """(n, 17) the energy of each band, every 32 ms."""
    edges = np.round(np.geomspace(LOW_HZ, HIGH_HZ, BITS + 2) * FFT / RATE_HZ).astype(int)
    window = np.hanning(FFT).astype(np.float32)
    length = -(-len(samples) // 2)
    energy = np.empty((1 + (length - FFT) // HOP, BITS + 1))
    for first in range(0, len(energy), BLOCKS * AT_ONCE):  # an hour at once would take gigabytes
        count = min(BLOCKS * AT_ONCE, len(energy) - first)
        slow = _slowed(samples, first * HOP, first * HOP + (count - 1) * HOP + FFT)
        frames = np.lib.stride_tricks.sliding_window_view(slow, FFT)[::HOP]
        for at in range(0, count, AT_ONCE):  # few, because they fit a cache
            spectrum = coarse_spectra(frames[at : at + AT_ONCE] * window)[:, 2 * edges[0] - 1 : 2 * edges[-1] - 1]
            power = np.square(spectrum, out=spectrum)  # of real and imaginary parts in turn
            rows = energy[first + at : first + at + len(power)]
            rows[:] = np.add.reduceat(power, 2 * (edges[:-1] - edges[0]), axis=1)
        let_go(samples)
    return energy


def _slowed(samples: Floats, begin: int, end: int) -> Floats:
    """The samples from ``begin`` to ``end`` of those at half the rate."""
    from scipy.signal import upfirdn  # here, because the live path should not wait for it

    reach = len(TAPS) // 2
    first, last = 2 * begin - reach - 1, 2 * end + reach  # one more, so that the filter's middle is on an even sample
    cut = samples[max(0, first) : last]
    padded = np.pad(cut, (max(0, -first), max(0, last - max(0, first) - len(cut))))
    return np.asarray(upfirdn(TAPS, padded, 1, 2)[len(TAPS) // 2 + 1 :][: end - begin], np.float32)


def same_recording(first: Sketch, second: Sketch) -> bool:
    """Whether two sketches are of one recording. Anything shorter than about 8 s is never one."""
    left, right = first.words, second.words
    least = min(len(left), len(right))
    if abs(len(left) - len(right)) > REACH or least < BLOCK:
        return False
    if np.abs(first.levels - second.levels).max() > APART_DB:
        return False
    reach = min(REACH, (least - FEWEST) // 2)
    places = np.unique(np.linspace(reach, least - reach - 1, PROBES).astype(int))
    offsets = np.arange(-reach, reach + 1)
    apart = _differing(left[places], right[places + offsets[:, None]]).mean(axis=1)
    if apart.min() > 2 * MOST * BITS:  # a few words alone may say more or less
        return False
    offset = int(offsets[np.argmin(apart)])
    ours, theirs = left[max(0, -offset) :], right[max(0, offset) :]
    length = min(len(ours), len(theirs))
    ours, theirs = ours[:length], theirs[:length]
    bits, telling = _differing(ours, theirs), (ours | theirs) != 0
    if telling.sum() < FEWEST:
        return False
    blocks = [*range(0, length - BLOCK, BLOCK), max(0, length - BLOCK)]
    shares = [bits[at : at + BLOCK].sum() / max(FEWEST / 2, telling[at : at + BLOCK].sum()) / BITS for at in blocks]
    return bool(max(shares) <= MOST)


def _differing(left: NDArray[np.uint16], right: NDArray[np.uint16]) -> NDArray[np.uint8]:
    bits: NDArray[np.uint8] = np.bitwise_count(left ^ right)
    return bits
