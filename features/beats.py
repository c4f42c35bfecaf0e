"""Beats of a whole track, and the rhythm of its clips.

The onset envelope is the half-wave rectified rise of a log-mel spectrum, the tempo comes from its autocorrelation in
overlapping windows, and dynamic programming places the beats (D. Ellis, "Beat tracking by dynamic programming", 2007).
Nothing here depends on how loud the track is.

Memory: the spectrum is made and dropped in blocks of 4 s; what grows with the track is the envelope, 62.5 numbers a
second, and the tempo windows, about 20 kB a second: under 100 MB above the samples for an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .beat_path import beat_path
from .errors import FeatureError
from .mel import check_samples
from .spec import BEAT_FFT, BEAT_HOP, CLIP_S, MEL_BANDS, MEL_MAX_HZ, MEL_MIN_HZ, MUSIC_RATE_HZ
from .tempo import autocorrelation, best_tempo

MIN_BPM = 50.0
MAX_BPM = 210.0
MIN_TRACK_S = 2.0  # anything shorter has no beats
MIN_CONFIDENCE = 0.02  # less periodic than this has no beats; white noise has 0, a real but free intro 0.035

_ENVELOPE_HZ = MUSIC_RATE_HZ / BEAT_HOP
_BLOCK = 256  # frames of spectrum at once, 4 s: they fit a cache
_TEMPO_WINDOW = 512  # envelope frames: 8.2 s, 6 beats at the slowest
_TEMPO_HOP = 128
_SILENT_RMS = 1e-5  # -100 dB: a track below it is silent
_FLOOR = 0.04  # power in a bin, of a track at unit RMS (white noise: 384): 40 dB below noise is nothing
_STEADY = 0.02  # an envelope that never rises above this is a drone
_MAX_STRENGTH = 4.0
# Where in its window an attack makes the log spectrum rise most. Measured: 0.78 for clicks, 0.55 to 0.6 for music of
# many styles with known beats; between them, each is within 10 ms.
_ATTACK_S = 0.68 * BEAT_FFT / MUSIC_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class BeatTrack:
    """``times_s``: (n,) float64, increasing. ``strengths``: (n,) float32, the onset envelope at each beat divided by
    its own 95th percentile in this track, at most 4. ``tempo_bpm``: 0 where there are no beats. ``confidence``: in
    [0, 1], how periodic the onsets are.
    """

    times_s: NDArray[np.float64]
    strengths: NDArray[np.float32]
    tempo_bpm: float
    confidence: float


def track_beats(samples: NDArray[np.floating]) -> BeatTrack:
    """Beats of a mono 16 kHz track; none, with tempo and confidence 0, if it is silent, beatless or under 2 s.

    Raises ``FeatureError`` unless ``samples`` are finite floats of shape (n,). The first call in a process loads
    librosa's filters: see ``warm_up``.
    """
    samples = check_samples(samples)
    nothing = BeatTrack(np.zeros(0), np.zeros(0, dtype=np.float32), 0.0, 0.0)
    if len(samples) < MIN_TRACK_S * MUSIC_RATE_HZ:
        return nothing
    envelope = onset_envelope(samples)
    bpm, confidence = _tempo(envelope)
    if confidence < MIN_CONFIDENCE:
        return nothing
    frames = beat_path(envelope, 60.0 * _ENVELOPE_HZ / bpm)
    if len(frames) < 2:
        return nothing
    times_s = np.asarray(frames * (BEAT_HOP / MUSIC_RATE_HZ) + _ATTACK_S, dtype=np.float64)
    # Attacks spread over neighbouring frames: a beat has the strongest of the three around it.
    around = np.stack([envelope[np.clip(frames + shift, 0, len(envelope) - 1)] for shift in (-1, 0, 1)])
    strengths = np.minimum(around.max(axis=0) / max(float(np.percentile(envelope, 95)), 1e-9), _MAX_STRENGTH)
    return BeatTrack(times_s, strengths.astype(np.float32), _refined(bpm, times_s), confidence)


def clip_rhythm(beats: BeatTrack, start_s: float) -> NDArray[np.float32]:
    """Rhythm of the 4 s from ``start_s`` on, in the order of ``RHYTHM_FIELDS``: ``(3,)`` float32.

    Number of beats, their mean strength (0 without beats), their mean interval in seconds (0 with fewer than two).
    """
    if not np.isfinite(start_s):
        raise FeatureError(f"clip start is {start_s}: give finite seconds")
    first, behind = np.searchsorted(beats.times_s, (start_s, start_s + CLIP_S))
    count = int(behind - first)
    strength = float(beats.strengths[first:behind].mean()) if count else 0.0
    interval_s = float(beats.times_s[behind - 1] - beats.times_s[first]) / (count - 1) if count > 1 else 0.0
    return np.array([count, strength, interval_s], dtype=np.float32)


def warm_up() -> None:
    """Load what the first ``track_beats`` of a process would load, about two seconds; for behind a progress message."""
    clicks = np.zeros(4 * MUSIC_RATE_HZ, dtype=np.float32)
    clicks[:: MUSIC_RATE_HZ // 2] = 1.0
    track_beats(clicks)


def onset_envelope(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Onset strength every 16 ms: mean over 80 mel bands of the rise of log power; ``(n,)`` float32, >= 0."""
    from librosa.filters import mel  # here, because the live path must not wait for librosa

    gain = _gain(samples)
    if gain == 0.0:
        return np.zeros(max(0, 1 + (len(samples) - BEAT_FFT) // BEAT_HOP), dtype=np.float32)
    bank = mel(sr=MUSIC_RATE_HZ, n_fft=BEAT_FFT, n_mels=MEL_BANDS, fmin=MEL_MIN_HZ, fmax=MEL_MAX_HZ)
    bank /= bank.sum(axis=1, keepdims=True)
    parts = [np.zeros(0, dtype=np.float32)]
    last: NDArray[np.float32] | None = None
    for power in _power_blocks(samples, gain):
        levels = np.log(power @ bank.T + np.float32(_FLOOR))
        before = np.concatenate([levels[:1] if last is None else last, levels[:-1]])
        parts.append(np.maximum(levels - before, 0.0).mean(axis=1, dtype=np.float32))
        last = levels[-1:]
    return np.concatenate(parts)


def _gain(samples: NDArray[np.float32]) -> float:
    """What brings the track's root mean square to 1; 0 for silence."""
    rms = float(np.sqrt(np.mean([np.mean(np.square(part)) for part in np.array_split(samples, 64)])))
    return 1.0 / rms if rms > _SILENT_RMS else 0.0


def _power_blocks(samples: NDArray[np.float32], gain: float) -> Iterator[NDArray[np.float32]]:
    count = 1 + (len(samples) - BEAT_FFT) // BEAT_HOP
    window = (gain * np.hanning(BEAT_FFT + 1)[:-1]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, BEAT_FFT)[::BEAT_HOP]
    for start in range(0, count, _BLOCK):
        spectrum = np.fft.rfft(windows[start : start + _BLOCK] * window)
        yield np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


def _tempo(envelope: NDArray[np.float32]) -> tuple[float, float]:
    """Tempo in bpm and confidence in [0, 1] of an onset envelope."""
    if len(envelope) < _TEMPO_WINDOW:
        envelope = np.pad(envelope, (0, _TEMPO_WINDOW - len(envelope)), mode="constant")
    # Smoothed, because beats do not fall on the grid of frames.
    smooth = np.convolve(envelope, (0.25, 0.5, 0.25), mode="same").astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(smooth, _TEMPO_WINDOW)[::_TEMPO_HOP]
    energy = windows.var(axis=1)
    if envelope.max() < _STEADY:
        return 0.0, 0.0
    # Loud windows may not drown the others, silent ones must not count.
    weights = np.sqrt(energy)
    mean = (weights[:, None] * autocorrelation(windows)).sum(axis=0) / weights.sum()
    bpm, height = best_tempo(mean, _ENVELOPE_HZ, MIN_BPM, MAX_BPM)
    noise = 2.0 / np.sqrt(_TEMPO_WINDOW)
    return bpm, float(np.clip((height - noise) / (1.0 - noise), 0.0, 1.0))


def _refined(bpm: float, times_s: NDArray[np.float64]) -> float:
    """Tempo of the beats that were placed: their median interval, made exact by the mean of those close to it."""
    intervals = np.diff(times_s)
    if not len(intervals):
        return bpm
    median = float(np.median(intervals))
    return 60.0 / float(intervals[np.abs(intervals - median) <= 0.1 * median].mean())
