"""Which recordings hold the same music: landmarks of the spectrum, after Wang (An industrial-strength audio search
algorithm, ISMIR 2003).

Peaks of the spectrogram are joined two by two; a pair's frequencies and distance make a hash that survives coding,
level and some speech on top. Recordings share music where many hashes agree at one distance in time. A fixed share of
all hashes is kept, the same ones everywhere: about 35 a second, so a thousand recordings of five minutes take 90 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter

FFT: Final = 1024  # samples at 16 kHz
HOP: Final = 512
LOWEST, HIGHEST = 6, 326  # bins of 15.6 Hz: 94 Hz to 5.1 kHz
AROUND: Final = (31, 13)  # bins and frames around a peak that it must exceed
FAN: Final = 5  # later peaks that a peak is joined with
SOON, LATE = 2, 63  # frames between the two
HASH_SHARE: Final = 0.1  # share of the hashes
TWICE: Final = 2  # occurrences that count of a hash that repeats in a recording
NEIGHBOURS: Final = 16  # occurrences of a hash that each is compared with: a song in hundreds of videos forms a chain
AGREE: Final = 16  # hashes at one distance in time; unrelated pieces by one synthesiser reached 9, others 6


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """``hashes`` (n,) uint32 and the ``frames`` (n,) int32 of 32 ms that they begin in, in order of time."""

    hashes: npt.NDArray[np.uint32]
    frames: npt.NDArray[np.int32]


def fingerprint(samples: npt.NDArray[np.float32]) -> Fingerprint:
    """Of mono 16 kHz samples of any length."""
    if len(samples) < FFT:
        return Fingerprint(np.empty(0, np.uint32), np.empty(0, np.int32))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT)[::HOP]
    power = np.empty((len(frames), HIGHEST - LOWEST), np.float32)
    for at in range(0, len(frames), 4096):  # an hour at once would take gigabytes
        spectrum = np.fft.rfft(frames[at : at + 4096] * np.hanning(FFT).astype(np.float32), axis=1)
        power[at : at + 4096] = np.abs(spectrum[:, LOWEST:HIGHEST])
    level = np.log(power + 1e-4)
    peak = (level == maximum_filter(level, (AROUND[1], AROUND[0]))) & (level > level.mean() + 0.5 * level.std())
    times, bins = np.nonzero(peak)
    hashes, starts = [], []
    for ahead in range(1, 4 * FAN):
        gap = times[ahead:] - times[:-ahead]
        near = (gap >= SOON) & (gap <= LATE)
        hashes.append(((bins[:-ahead] << 15) | (bins[ahead:] << 6) | gap)[near])
        starts.append(times[:-ahead][near])
    joined: npt.NDArray[np.uint32] = np.concatenate(hashes).astype(np.uint32)
    first_frames: npt.NDArray[np.int32] = np.concatenate(starts).astype(np.int32)
    mixed: npt.NDArray[np.uint32] = joined * np.uint32(2654435761)
    selected = mixed < np.uint32(HASH_SHARE * 2**32)
    order = np.argsort(first_frames[selected], kind="stable")
    return Fingerprint(joined[selected][order], first_frames[selected][order])


def music_mark(recording: Fingerprint) -> str:
    """A name that most recordings of one music share: the first of their hashes, in a fixed random order."""
    if not len(recording.hashes):
        return ""
    mixed: npt.NDArray[np.uint32] = recording.hashes * np.uint32(2246822519) ^ np.uint32(0x9E3779B9)
    return f"{int(recording.hashes[np.argmin(mixed)]):08x}"


def group_recordings(prints: Sequence[Fingerprint]) -> npt.NDArray[np.int64]:
    """(len(prints),) int64: recordings that share music, directly or through others, have the same number."""
    parent = np.arange(len(prints))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = int(parent[at])
        return at

    for first, second in sorted(agreeing(prints)):
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return np.array([root(at) for at in range(len(prints))], np.int64)


def agreeing(prints: Sequence[Fingerprint]) -> set[tuple[int, int]]:
    """Pairs of recordings with at least ``AGREE`` hashes at one distance in time, the smaller index first."""
    if not prints:
        return set()
    parts = [first_occurrences(recording) for recording in prints]
    hashes = np.concatenate([recording.hashes for recording in parts])
    frames = np.concatenate([recording.frames for recording in parts]).astype(np.int64)
    owners = np.repeat(np.arange(len(parts)), [len(recording.hashes) for recording in parts])
    order = np.argsort(hashes, kind="stable")  # stable: within a hash, recordings stay in order
    hashes, frames, owners = hashes[order], frames[order], owners[order]
    keys = []
    for ahead in range(1, NEIGHBOURS + 1):
        same = (hashes[ahead:] == hashes[:-ahead]) & (owners[ahead:] != owners[:-ahead])
        apart = frames[ahead:][same] - frames[:-ahead][same]
        pair = owners[:-ahead][same] * len(parts) + owners[ahead:][same]
        # Rounding may split one distance: it is counted in both of the cells of 64 ms that hold it.
        keys += [(pair << 24) + ((apart + shift) >> 1) + (1 << 23) for shift in (0, 1)]
    matches: set[tuple[int, int]] = set()
    for half in (keys[0::2], keys[1::2]):
        cells, counts = np.unique(np.concatenate(half), return_counts=True)
        pairs = np.unique(cells[counts >= AGREE] >> 24)
        matches |= {(int(pair) // len(parts), int(pair) % len(parts)) for pair in pairs}
    return matches


def first_occurrences(recording: Fingerprint) -> Fingerprint:
    """The first ``TWICE`` occurrences of every hash: looped music repeats without end."""
    order = np.argsort(recording.hashes, kind="stable")
    ordered = recording.hashes[order]
    again = np.zeros(len(ordered), np.bool_)
    again[TWICE:] = ordered[TWICE:] == ordered[:-TWICE]
    chosen = order[~again]
    return Fingerprint(recording.hashes[chosen], recording.frames[chosen])
