"""How loud a track is and where: EBU R 128 on the channels of the file, at its own rate.

Integrated loudness with both gates (ITU-R BS.1770-4), loudness range (EBU Tech 3342), true peak. FFmpeg's meter
``ebur128`` gives the same (the tests compare) but takes as long as all other analysis of a track.

Short cuts. The K-weighting raises everything above some 5 kHz alike and cuts everything below 100 Hz: so plain power is
measured, and corrected for the shelf by the spectrum of a third or quarter of the samples, for the cut by a filter at
1.5 kHz. Peaks between samples are searched only in the loudest blocks of some seconds (``true_peak``). A file of one
channel counts as two, since two speakers play it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .loudness import integrated_lufs, lufs_of, sliding_mean, weighting
from .true_peak import REACH, peaks_between

Floats = NDArray[np.float32]

BLOCK_S: Final = 0.1
BLOCKS_PER_S: Final = 10
PEAKS_PER_BLOCK: Final = 5  # for the waveform
NOTHING_LUFS: Final = -120.0  # for silence where a number is needed

_BATCH: Final = 50  # blocks at once; a fixed number, so that the sizes of the pieces make no difference
_LOUDEST: Final = 12  # blocks of a batch in which peaks between samples are searched
_SHELF_HZ: Final = 10_500  # least rate of the samples that the shelf is measured on
_BASS: Final = 150  # values of a block that the high-pass filter is measured on
_MOST: Final = 8.0  # full scale 1; values of float files above it are clipped, as on playback
_SHORT_TERM: Final = 30  # blocks, 3 s
_RANGE_GATES: Final = (-70.0, -20.0)  # LUFS, and LU below the loudness of what passes the first
_RANGE_SHARES: Final = (10.0, 95.0)  # per cent


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The levels of n blocks of 100 ms; the missing end of the last one counts as silence. ``power`` (n,) float64:
    K-weighted mean square, channels summed; ``peaks`` (5 n,) float32: the highest sample of each 20 ms; ``true_peaks``
    (n,) float32: the highest peak of each block, between samples too. Full scale is 1."""

    power: NDArray[np.float64]
    peaks: Floats
    true_peaks: Floats

    @property
    def lufs(self) -> float:
        """Integrated loudness, -inf where nothing is louder than -70."""
        return integrated_lufs(self.power)

    @property
    def range_lu(self) -> float:
        """Loudness range, 0 for less than 3 s."""
        if len(self.power) < _SHORT_TERM:
            return 0.0
        power = sliding_mean(self.power, _SHORT_TERM)
        audible = power[lufs_of(power) > _RANGE_GATES[0]]
        if not len(audible):
            return 0.0
        loudness = lufs_of(audible[lufs_of(audible) > lufs_of(audible.mean()) + _RANGE_GATES[1]])
        low, high = np.percentile(loudness, _RANGE_SHARES)
        return float(high - low)

    @property
    def true_peak_db(self) -> float:
        """dBTP, at least -120."""
        return float(20.0 * np.log10(max(float(self.true_peaks.max(initial=0.0)), 10.0 ** (NOTHING_LUFS / 20.0))))

    def seconds(self) -> Floats:
        """(ceil(n / 10),) LUFS of each second, at least -120."""
        first = np.arange(0, len(self.power), BLOCKS_PER_S)
        counts = np.diff(np.append(first, len(self.power)))
        power = np.add.reduceat(self.power, first) / counts if len(first) else self.power
        return np.maximum(lufs_of(power), NOTHING_LUFS).astype(np.float32)

    def part(self, begin_s: float, end_s: float | None) -> "Levels":
        """The levels of a part of the file, to a tenth of a second."""
        first = round(begin_s * BLOCKS_PER_S)
        end = len(self.power) if end_s is None else max(first + 1, round(end_s * BLOCKS_PER_S))
        fine = slice(first * PEAKS_PER_BLOCK, end * PEAKS_PER_BLOCK)
        return Levels(self.power[first:end], self.peaks[fine], self.true_peaks[first:end])


class LevelMeter:
    """Levels of samples that come in pieces; any way of cutting them gives the same."""

    def __init__(self, rate_hz: int, weights: tuple[float, ...]) -> None:
        """``rate_hz`` of 8,000 and more; ``weights``: of each channel, see ``channel_weights``."""
        self._rate_hz = rate_hz
        self._weights = np.array(weights, np.float64)
        self._size = -(-rate_hz // BLOCKS_PER_S)  # samples of a block, one more where a tenth of the rate is no whole
        self._joined = _joined(rate_hz)
        self._ones = np.ones(self._joined, np.float32)
        self._top, self._shelf, self._raised = _shelf(rate_hz, self._size, self._joined)
        self._high_pass = weighting(_BASS * BLOCKS_PER_S)[1:]
        self._state = np.zeros((1, len(weights), 2))
        edges = np.arange(_BASS + 1) * (self._size // self._joined) // _BASS
        self._edges, self._counts = edges[:-1], np.diff(edges).astype(np.float32) * self._joined
        self._pieces: list[Floats] = []
        self._pending = 0  # samples in the pieces
        self._blocks = 0  # done
        self._before = np.zeros((len(weights), 2 * REACH), np.float32)
        self._power: list[NDArray[np.float64]] = []
        self._peaks: list[Floats] = []
        self._true: list[Floats] = []

    @property
    def rate_hz(self) -> int:
        return self._rate_hz

    def push(self, samples: Floats) -> None:
        """(channels, n) float32, full scale 1; numbers that are not finite count as 0."""
        self._pieces.append(samples)
        self._pending += samples.shape[1]
        while self._pending >= self._begin(_BATCH) + 1:  # blocks may share a sample
            self._measure(self._take(self._begin(_BATCH)), _BATCH)

    def silence(self, count: int) -> None:
        """Push ``count`` zeros."""
        while count > 0:
            piece = min(count, self._rate_hz)
            self.push(np.zeros((len(self._weights), piece), np.float32))
            count -= piece

    def finish(self) -> Levels:
        """The levels of everything; nothing more may be pushed."""
        if self._pending:
            blocks = next(count for count in range(1, _BATCH + 2) if self._begin(count) >= self._pending)
            self._measure(self._take(self._pending), blocks)
        empty = np.zeros(0, np.float32)
        return Levels(
            np.concatenate([np.zeros(0), *self._power]),
            np.concatenate([empty, *self._peaks]),
            np.concatenate([empty, *self._true]),
        )

    def _begin(self, block: int) -> int:
        """Where a block begins, both counted from the first that is not done: a tenth of the rate need not be whole."""
        if self._rate_hz % BLOCKS_PER_S == 0:
            return block * self._size
        first, end = (number * self._rate_hz // BLOCKS_PER_S for number in (self._blocks, self._blocks + block))
        return end - first

    def _take(self, count: int) -> Floats:
        """Take the first ``count`` samples of the pieces, and one sample more where there is one: blocks may share
        it."""
        whole = np.concatenate(self._pieces, axis=1) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces = [whole[:, count:]] if whole.shape[1] > count else []
        self._pending = whole.shape[1] - count
        return np.asarray(whole[:, : count + 1], np.float32)

    def _measure(self, samples: Floats, blocks: int) -> None:
        starts = np.array([self._begin(block) for block in range(blocks)])
        end = int(starts[-1]) + self._size
        if samples.shape[1] < end:
            samples = np.pad(samples, ((0, 0), (0, end - samples.shape[1])))
        cut = self._cut(samples, starts)
        highest = _highest(cut)
        if not float(highest.max()) <= _MOST:  # nor is NaN
            samples = np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -_MOST, _MOST)
            cut = self._cut(samples, starts)
            highest = _highest(cut)
        self._power.append(self._weights @ self._weigh(cut))
        peaks, own = highest.max(axis=0), highest.reshape(len(cut), blocks, -1).max(axis=2)
        true = own.max(axis=0)
        after = np.concatenate([self._before, samples[:, : self._begin(blocks)]], axis=1)
        loudest = min(_LOUDEST, blocks)
        for channel, heights in zip(np.pad(after, ((0, 0), (0, self._size))), own, strict=True):
            best = np.argpartition(heights, -loudest)[-loudest:]
            rows = np.lib.stride_tricks.sliding_window_view(channel, self._size + 2 * REACH)[starts[best]]
            true[best] = np.maximum(true[best], peaks_between(rows))
        self._before = after[:, -2 * REACH :]
        self._peaks.append(peaks)
        self._true.append(true)
        self._blocks += blocks

    def _cut(self, samples: Floats, starts: NDArray[np.int64]) -> Floats:
        """(channels, n) -> (channels, blocks, size)."""
        if self._rate_hz % BLOCKS_PER_S:
            return np.lib.stride_tricks.sliding_window_view(samples, self._size, axis=1)[:, starts]
        return samples[:, : len(starts) * self._size].reshape(len(samples), len(starts), self._size)

    def _weigh(self, cut: Floats) -> NDArray[np.float64]:
        """(channels, blocks, size) -> (channels, blocks), K-weighted mean squares."""
        from scipy.fft import rfft
        from scipy.signal import sosfilt

        power = self._top * np.einsum("cbn,cbn->cb", cut, cut).astype(np.float64) / self._size
        low = cut if self._joined == 1 else cut.reshape(*cut.shape[:2], -1, self._joined) @ self._ones
        bass = (np.add.reduceat(low, self._edges, axis=2) / self._counts).astype(np.float64)
        filtered, self._state = sosfilt(self._high_pass, bass.reshape(len(cut), -1), axis=1, zi=self._state)
        filtered /= np.sqrt(_most(self._high_pass))
        lost = np.square(bass).mean(axis=2) - np.square(filtered).reshape(bass.shape).mean(axis=2)
        spectrum = rfft(low, axis=2).view(np.float32)  # real and imaginary parts in turn
        power += np.square(spectrum, out=spectrum) @ self._shelf - self._raised * lost
        return np.asarray(np.maximum(power, 0.0))


def channel_weights(names: tuple[str, ...]) -> tuple[float, ...]:
    """The standard's weight of each channel, by FFmpeg's names: channels beside and behind count more, the bass channel
    not at all. Six or eight channels without a name ("NONE") are in the usual order."""
    if len(names) == 1:
        return (2.0,)
    if set(names) == {"NONE"} and len(names) in (6, 8):
        names = ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")[: len(names)]
    beside = ("SL", "SR", "BL", "BR", "TBL", "TBR")
    return tuple(0.0 if name.startswith("LFE") else 1.41 if name in beside else 1.0 for name in names)


def levels_of(samples: Floats, rate_hz: int) -> Levels:
    """The levels of one channel (n,)."""
    meter = LevelMeter(rate_hz, channel_weights(("FC",)))
    meter.push(samples[None])
    return meter.finish()


def _highest(cut: Floats) -> Floats:
    """(channels, blocks, size) -> (channels, 5 blocks), the highest sample of each fifth of a block."""
    if cut.shape[2] % PEAKS_PER_BLOCK == 0:
        fifths = cut.reshape(len(cut), -1, cut.shape[2] // PEAKS_PER_BLOCK)
        return np.asarray(np.maximum(fifths.max(axis=2), -fifths.min(axis=2)))
    edges = np.arange(PEAKS_PER_BLOCK) * cut.shape[2] // PEAKS_PER_BLOCK
    return np.maximum.reduceat(np.abs(cut), edges, axis=2).reshape(len(cut), -1)


def _joined(rate_hz: int) -> int:
    """How many samples are summed to one before the shelf is measured; their number divides a block's."""
    size = -(-rate_hz // BLOCKS_PER_S)
    return max(count for count in range(1, 1 + max(1, rate_hz // _SHELF_HZ)) if size % count == 0)


def _most(biquads: NDArray[np.float64]) -> float:
    """The gain of biquads for power at the highest frequency."""
    alternating = np.array([1.0, -1.0, 1.0])
    return float(np.prod(np.square(biquads[:, :3] @ alternating / (biquads[:, 3:] @ alternating))))


def _shelf(rate_hz: int, size: int, joined: int) -> tuple[float, Floats, float]:
    """The K-weighting's gain for power at the top; what the square of each number of a block's spectrum adds to that,
    real and imaginary parts in turn; and the gain of the high-pass filter alone at the top."""
    biquads = weighting(rate_hz)
    top, raised = _most(biquads), _most(biquads[1:])
    bins = size // joined // 2 + 1
    turn = np.exp(-2j * np.pi * np.arange(bins) / size)
    b0, b1, b2, a0, a1, a2 = biquads[0]
    gain = raised * np.square(np.abs((b0 + b1 * turn + b2 * turn**2) / (a0 + a1 * turn + a2 * turn**2)))
    droop = np.square(np.abs(sum(turn**shift for shift in range(joined))))  # of a sum of samples
    sides = np.full(bins, 2.0)
    sides[0] = 1.0
    if size // joined % 2 == 0:
        sides[-1] = 1.0
    return top, np.repeat((gain - top) * sides / droop / (size // joined) ** 2, 2).astype(np.float32), raised
