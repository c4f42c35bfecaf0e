"""What OBS has recorded: where something is heard in it, and which place of a track that is."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.starts import decoded, off_s
from features.spec import MUSIC_RATE_HZ

Sound = NDArray[np.float64]
Find = Callable[[float], tuple[int, int]]  # time by the clock -> samples of the recording
STEP_S: Final = 0.01
SILENCE: Final = 10 ** (-66 / 20)
HEAD_S: Final = 0.04  # of a start: less than two of OBS's blocks
NEAR_S: Final = 0.3  # around the place asked for, where a start is searched for


def read(recording: Path) -> tuple[int, Sound]:
    """The first audio track of a recording, (n,) at its own rate, mono."""
    with av.open(str(recording)) as opened:
        pieces = [frame.to_ndarray() for frame in opened.decode(audio=0)]
        stream = opened.streams.audio[0]
        rate_hz, channels = stream.rate, stream.codec_context.channels
    if pieces[0].shape[0] == 1:  # interleaved
        sound = np.concatenate(pieces, axis=1).reshape(-1, channels).mean(axis=1)
    else:
        sound = np.concatenate(pieces, axis=1).mean(axis=0)
    full = {"int16": 2.0**15, "int32": 2.0**31}.get(pieces[0].dtype.name, 1.0)
    return rate_hz, np.asarray(sound / full, np.float64)


def _stretches(sound: Sound, rate_hz: int) -> list[tuple[int, int]]:
    """Where something is heard, from sample to sample, between silences of half a second."""
    step = round(STEP_S * rate_hz)
    level = np.sqrt((sound[: len(sound) // step * step].reshape(-1, step) ** 2).mean(axis=1))
    heard = np.flatnonzero(level > SILENCE)
    breaks = np.flatnonzero(np.diff(heard) > 0.5 / STEP_S)
    firsts, lasts = [heard[0], *heard[breaks + 1]], [*heard[breaks], heard[-1]]
    return [(_onset(sound, first * step, step), (last + 1) * step) for first, last in zip(firsts, lasts, strict=True)]


def finder(begun_s: float, sound: Sound, rate_hz: int) -> Find:
    """Finds the stretch that began at a time by the clock. The first one began at ``begun_s``."""
    stretches = _stretches(sound, rate_hz)
    zero_s = begun_s - stretches[0][0] / rate_hz
    return lambda at_s: min(stretches, key=lambda found: abs(found[0] / rate_hz - (at_s - zero_s)))


def _onset(sound: Sound, near: int, step: int) -> int:
    """The first sample that is heard, from a step before ``near`` on."""
    begin = max(0, near - step)
    return begin + int(np.argmax(np.abs(sound[begin : near + step]) > SILENCE / 2))


def located(path: Path, guess_s: float, sound: Sound, at: int, rate_hz: int) -> float:
    """Where in the track the sound at this sample is."""
    piece = (sound[at : at + rate_hz, None] * 30_000).astype(np.int16)
    return guess_s + off_s(path, guess_s, piece, rate_hz)


def begins_at(path: Path, guess_s: float, sound: Sound, first: int, rate_hz: int) -> float:
    """Where in the track a sound's first sample is, by its first `HEAD_S` alone: what OBS does later has no part in
    that."""
    begin = round(max(0.0, guess_s - NEAR_S) * MUSIC_RATE_HZ)
    near = decoded(path)[begin : begin + round(2 * NEAR_S * MUSIC_RATE_HZ)]
    known = np.fft.irfft(np.fft.rfft(near), round(len(near) / MUSIC_RATE_HZ * rate_hz))  # at the recording's rate
    head = sound[first : first + round(HEAD_S * rate_hz)]
    power = np.convolve(known**2, np.ones(len(head)), "valid")
    match = np.correlate(known, head, "valid") / np.sqrt(np.maximum(power, 1e-12))
    return begin / MUSIC_RATE_HZ + int(np.argmax(match)) / rate_hz


def levels(sound: Sound, step: int) -> Sound:
    """The level of each ``step`` samples, in dB."""
    return np.array([level_db(sound[at : at + step]) for at in range(0, len(sound) - step, step)])


def level_db(sound: Sound) -> float:
    """Of noise of one colour, which is why plain power will do."""
    return float(10 * np.log10(max(1e-12, float((sound**2).mean()))))


def longest(quiet: NDArray[np.bool_]) -> int:
    """The longest run of samples that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))
