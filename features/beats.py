"""Beats of a whole track, and the rhythm of its clips.

The onset envelope is the half-wave rectified rise of a log-mel spectrum; its tempo may change (``tempogram``); dynamic
programming places the beats (``beat_path``), and the samples around each show when exactly it starts (``attack``).
Nothing here depends on how loud the track is.

A pulse has several levels, and listeners do not agree which of them is *the* tempo: 170 bpm is 85 to others. Beats are
placed at the likeliest level; ``BeatTrack.tempi`` has the others, and a tagged tempo decides between them.

Memory: the spectrum is made and dropped in blocks of 4 s; the envelope, 62.5 frames a second, and the tempogram grow
with the track: some 60 MB above the samples for an hour. Time: in proportion to the length.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .attack import attacks
from .beat_path import beat_path
from .errors import FeatureError
from .filters import mel_filters
from .fourier import spectra
from .levels import Tempo, level_of, tempi
from .mapped import let_go
from .mel import check_samples
from .spec import BEAT_FFT, BEAT_HOP, CLIP_S, MEL_BANDS, MEL_MAX_HZ, MEL_MIN_HZ, MUSIC_RATE_HZ
from .tempogram import ENVELOPE_HZ, GRID_BPM, HOP, WINDOW, Tempogram, tempo_path, tempogram

MIN_TRACK_S = 2.0  # anything shorter has no beats
# How periodic half a minute must be to have a pulse, and to continue one from before or behind it. The most periodic
# half minute of noise, rain, wind or chords that swell: 0.02 to 0.09; of free playing, 10% early or late: 0.1 to 0.3.
MIN_CONFIDENCE = 0.1
KEPT_CONFIDENCE = 0.03

COURSE_BANDS = 16

_BLOCK = 256  # frames of spectrum at once, 4 s: they fit a cache
_SOME = 16 * _BLOCK  # frames after which samples that lie in a file are let go of
_SILENT_RMS = 1e-5  # -100 dB: a track below it is silent
_FLOOR = 0.04  # power in a bin, of a track at unit RMS (white noise: 384): 40 dB below noise is nothing
_STEADY = 0.02  # an envelope that never rises above this is a drone
_MAX_STRENGTH = 4.0
# Windows of the tempogram to either side that tell whether a place has a pulse: 33 s in all, and 16 s where one ends.
_AROUND, _CLOSE = 6, 2
_SILENT_WINDOW = 0.02  # weight of a window in which nothing happens: another piece begins behind it
_NOISE = 2.0 / np.sqrt(WINDOW)  # height of noise's peaks
# Where in its window an attack makes the log spectrum rise most. Measured: 0.78 for clicks, 0.55 to 0.6 for music of
# many styles with known beats.
_ATTACK_S = 0.68 * BEAT_FFT / MUSIC_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class BeatTrack:
    """``times_s``: (n,) float64, increasing. ``strengths``: (n,) float32, the onset envelope at each beat divided by
    its own 95th percentile in this track, at most 4. ``tempo_bpm``: of most of the beats, 0 where there are none.
    ``confidence``: in [0, 1], how periodic the onsets are. ``tempi``: possible names of the tempo, likeliest first;
    for a track that changes its tempo those of its parts.
    """

    times_s: NDArray[np.float64]
    strengths: NDArray[np.float32]
    tempo_bpm: float
    confidence: float
    tempi: tuple[Tempo, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A track every 16 ms: ``envelope`` (m,), onset strength; ``bands`` (m, 16), natural log of the power in sixteen
    bands of mel, of a track at unit RMS."""

    envelope: NDArray[np.float32]
    bands: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Pulse:
    """What the placing of beats needs: the onset envelope (m,), the tempogram of n windows, ``bpm`` (n,) of each, and
    ``has`` (n,), whether there is a pulse around it; ``confidence``: how periodic the onsets are there, in [0, 1]."""

    envelope: NDArray[np.float32]
    tempogram: Tempogram
    bpm: NDArray[np.float64]
    has: NDArray[np.bool_]
    confidence: float


NOTHING = BeatTrack(np.zeros(0), np.zeros(0, dtype=np.float32), 0.0, 0.0)


def track_beats(samples: NDArray[np.floating], tagged_bpm: float = 0.0) -> BeatTrack:
    """Beats of a mono 16 kHz track; none, with tempo and confidence 0, if it is silent, beatless or under 2 s.

    ``tagged_bpm``: the tempo in the file's tags, 0 for none. It decides which level of the pulse the beats are; a
    tempo that is none of its levels is ignored. Raises ``FeatureError`` unless ``samples`` are finite floats of
    shape (n,). The first call in a process loads SciPy: see ``warm_up``.
    """
    samples = check_samples(samples)
    pulse = find_pulse(samples)
    return NOTHING if pulse is None else place_beats(samples, pulse, tagged_bpm)


def find_pulse(samples: NDArray[np.float32], envelope: NDArray[np.float32] | None = None) -> Pulse | None:
    """The pulse of a mono 16 kHz track, None where it has none; ``envelope``: that of its course, where known."""
    if len(samples) < MIN_TRACK_S * MUSIC_RATE_HZ:
        return None
    envelope = course_of(samples).envelope if envelope is None else envelope
    if envelope.max() < _STEADY:
        return None
    periodicity = tempogram(envelope)
    path = tempo_path(periodicity)
    heights = periodicity.heights[np.arange(len(path)), path]
    sure, close = (_confidence(_mean(heights, periodicity.weights, reach)) for reach in (_AROUND, _CLOSE))
    has = _sounding(periodicity.weights > _SILENT_WINDOW, sure, close)
    if not has.any():
        return None
    whole = _confidence(np.average(heights[has], weights=periodicity.weights[has], keepdims=True))
    return Pulse(envelope, periodicity, GRID_BPM[path], has, float(whole[0]))


def place_beats(samples: NDArray[np.float32], pulse: Pulse, tagged_bpm: float = 0.0) -> BeatTrack:
    """The beats of ``samples`` (n,) by their own pulse, at the level of ``tagged_bpm``, if it is one."""
    envelope = pulse.envelope
    window = np.minimum(np.maximum(np.arange(len(envelope)) - (WINDOW - HOP) // 2, 0) // HOP, len(pulse.bpm) - 1)
    level = level_of(pulse.tempogram, pulse.bpm, tagged_bpm)
    frames = beat_path(envelope, (60.0 * ENVELOPE_HZ / (level * pulse.bpm))[window])
    frames = frames[pulse.has[window[frames]]]
    if len(frames) < 2:
        return NOTHING
    times_s = _increasing(attacks(samples, frames * (BEAT_HOP / MUSIC_RATE_HZ) + _ATTACK_S))
    # Attacks spread over neighbouring frames: a beat has the strongest of the three around it.
    around = np.stack([envelope[np.clip(frames + shift, 0, len(envelope) - 1)] for shift in (-1, 0, 1)])
    strengths = np.minimum(around.max(axis=0) / max(float(np.percentile(envelope, 95)), 1e-9), _MAX_STRENGTH)
    bpm = _usual_tempo(times_s)
    return BeatTrack(
        times_s, strengths.astype(np.float32), bpm, pulse.confidence, tempi(pulse.tempogram, level * pulse.bpm, bpm)
    )


def clip_rhythm(beats: BeatTrack, start_s: float) -> NDArray[np.float32]:
    """Rhythm of the 4 s from ``start_s`` on, in the order of ``RHYTHM_FIELDS``: ``(3,)`` float32.

    Number of beats, their mean strength (0 without beats), their mean interval in seconds (0 with fewer than two).
    """
    if not np.isfinite(start_s):
        raise FeatureError(f"clip start is {start_s}: give finite seconds")
    first, end = np.searchsorted(beats.times_s, (start_s, start_s + CLIP_S))
    count = int(end - first)
    strength = float(beats.strengths[first:end].mean()) if count else 0.0
    interval_s = float(beats.times_s[end - 1] - beats.times_s[first]) / (count - 1) if count > 1 else 0.0
    return np.array([count, strength, interval_s], dtype=np.float32)


def warm_up() -> None:
    """Load what the first ``track_beats`` of a process would load, half a second; call it behind a progress message."""
    clicks = np.zeros(4 * MUSIC_RATE_HZ, dtype=np.float32)
    clicks[:: MUSIC_RATE_HZ // 2] = 1.0
    track_beats(clicks)


def onset_envelope(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Onset strength every 16 ms: mean over 80 mel bands of the rise of log power; ``(n,)`` float32, >= 0."""
    return course_of(samples).envelope


def course_of(samples: NDArray[np.float32]) -> Course:
    """The course of a mono 16 kHz track; a silent one has no onsets and no power in any band."""
    gain = _gain(samples)
    if gain == 0.0:
        frames = max(0, 1 + (len(samples) - BEAT_FFT) // BEAT_HOP)
        return Course(np.zeros(frames, np.float32), np.full((frames, COURSE_BANDS), np.log(_FLOOR), np.float32))
    bank = mel_filters(MUSIC_RATE_HZ, BEAT_FFT, MEL_BANDS, MEL_MIN_HZ, MEL_MAX_HZ)
    bank /= bank.sum(axis=1, keepdims=True)
    parts = [np.zeros(0, dtype=np.float32)]
    bands = [np.zeros((0, COURSE_BANDS), np.float32)]
    last: NDArray[np.float32] | None = None
    for power in _power_blocks(samples, gain):
        levels = np.log(power @ bank.T + np.float32(_FLOOR))
        before = np.concatenate([levels[:1] if last is None else last, levels[:-1]])
        parts.append(np.maximum(levels - before, 0.0).mean(axis=1, dtype=np.float32))
        bands.append(levels.reshape(len(levels), COURSE_BANDS, -1).mean(axis=2))
        last = levels[-1:]
    return Course(np.concatenate(parts), np.concatenate(bands))


def _gain(samples: NDArray[np.float32]) -> float:
    """The factor that brings the track's root mean square to 1; 0 for silence."""
    squares = []
    for part in np.array_split(samples, 64):
        squares.append(np.mean(np.square(part)))
        let_go(samples)
    rms = float(np.sqrt(np.mean(squares)))
    return 1.0 / rms if rms > _SILENT_RMS else 0.0


def _power_blocks(samples: NDArray[np.float32], gain: float) -> Iterator[NDArray[np.float32]]:
    count = 1 + (len(samples) - BEAT_FFT) // BEAT_HOP
    window = (gain * np.hanning(BEAT_FFT + 1)[:-1]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, BEAT_FFT)[::BEAT_HOP]
    for start in range(0, count, _BLOCK):
        spectrum = spectra(windows[start : start + _BLOCK], window)
        yield np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)
        if start % _SOME == 0:
            let_go(samples)


def _mean(values: NDArray[np.float32], weights: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """(n,) weighted means of each value and ``reach`` others to either side, 0 where none has a weight."""
    at = np.arange(len(values))
    first, end = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    sums = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weights * values, weights))
    above, below = (total[end] - total[first] for total in sums)
    return np.asarray(above / np.maximum(below, 1e-9))


def _confidence(height: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip((height - _NOISE) / (1.0 - _NOISE), 0.0, 1.0))


def _sounding(sounds: NDArray[np.bool_], sure: NDArray[np.float64], close: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,): the stretches that stay above the lower bound and somewhere reach the upper one, from the first window to
    the last that has a pulse of its own."""
    has = sounds & (sure >= KEPT_CONFIDENCE)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        has[first:end] = False
        own = first + np.flatnonzero(close[first:end] > 0.0)
        if len(own) and sure[first:end].max() >= MIN_CONFIDENCE:
            has[own[0] : own[-1] + 1] = True
    return has


def _increasing(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beats are at least 100 ms apart and are moved by less than 40 ms, so this is only a guard."""
    return np.maximum.accumulate(times_s + np.arange(len(times_s)) * 1e-9)


def _usual_tempo(times_s: NDArray[np.float64]) -> float:
    """The tempo of most of the beats: the mean of the intervals that lie within 10% of the commonest one."""
    intervals = np.sort(np.diff(times_s))
    end = np.searchsorted(intervals, 1.1 * intervals, side="right")
    first = int(np.argmax(end - np.arange(len(intervals))))
    common = float(np.median(intervals[first : end[first]]))
    return 60.0 / float(intervals[np.abs(intervals - common) <= 0.1 * common].mean())
