"""What happens to a mix before a listener gets it: a room, the pitch of the tape, noise, and a master.

Tone and level are moved to those of real tracks (``spread``): a mix that is dull among ours becomes as dull as it would
be among theirs, with some chance. Room, tone and bandwidth share one pass through the frequency
domain.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.music.waves import Samples, fast_length

from . import spread

GRID_HZ: Final = 4.0  # how often the tone of a mix is measured
FRAME: Final = 2048
PIVOT_HZ: Final = 1000.0
MOST_TILT_DB: Final = 9.0  # an octave
TILTED_HZ: Final = (60.0, 12_000.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recording:
    """How a mix was recorded and mastered. The default: only moved to the tone and level of real tracks.

    ``tuning_cents``: the whole is that much sharp, and as much faster. ``wow_cents``: most of a slow wavering of pitch.
    ``wet``, ``decay_s``: the room. ``noise_db`` under full scale: ``hiss``, ``hum``, ``crackle`` are its shares.
    ``top_hz``: nothing above it. ``drive_db`` into a limiter, ``ratio_to_one`` of a compressor before it. ``side``:
    share of the stereo width that is kept. ``tone_noise``, ``level_noise``: chance in tone and level, 0 to 1.
    """

    tuning_cents: float = 0.0
    wow_cents: float = 0.0
    wet: float = 0.0
    decay_s: float = 0.4
    noise_db: float = -120.0
    hiss: float = 1.0
    hum: float = 0.0
    crackle: float = 0.0
    top_hz: float = 20_000.0
    drive_db: float = 0.0
    ratio_to_one: float = 1.0
    side: float = 1.0
    tone_noise: float = 0.0
    level_noise: float = 0.0

    @property
    def ratio(self) -> float:
        """Speed of the tape."""
        return float(2.0 ** (self.tuning_cents / 1200))


def record(mix: Samples, how: Recording, n: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """(2, m) -> (2, n), peak below 1."""
    rank = float(spread.rank_of("rms_db", _db(mix, rate_hz)))
    target_db = float(spread.real("rms_db", spread.blur_rank(rank, how.level_noise, rng)))
    sound = _to_tape(mix, how, n, rate_hz, rng)
    middle, side = (sound[0] + sound[1]) * np.float32(0.5), (sound[0] - sound[1]) * np.float32(0.5 * how.side)
    middle, side = _tone(middle, side, how, rate_hz, rng)
    sound = _compress(np.stack([middle + side, middle - side]), how, rate_hz)
    sound = _limit(sound, how, rate_hz, target_db)
    sound += _noise(how, n, rate_hz, rng)
    return np.asarray(np.clip(sound, -0.99, 0.99), np.float32)


def _to_tape(mix: Samples, how: Recording, n: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Read the mix at the tape's speed, which wavers."""
    if how.tuning_cents == 0.0 and how.wow_cents == 0.0 and mix.shape[1] >= n:
        return np.ascontiguousarray(mix[:, :n])
    t = np.arange(n) / rate_hz
    place = t * how.ratio
    for rate in rng.uniform(0.3, 1.5, 2) if how.wow_cents > 0.0 else ():
        depth = (2.0 ** (how.wow_cents / 1200) - 1.0) / (2 * np.pi * rate)
        place = place + 0.5 * depth * (np.sin(2 * np.pi * rate * t + rng.uniform(0, 6.28)) + 1.0)
    place = np.minimum(place * rate_hz, mix.shape[1] - 2)
    left = place.astype(np.int64)
    part = (place - left).astype(np.float32)
    return np.asarray(mix[:, left] * (1 - part) + mix[:, left + 1] * part, np.float32)


def _tone(
    middle: Samples, side: Samples, how: Recording, rate_hz: int, rng: np.random.Generator
) -> tuple[Samples, Samples]:
    """The room, the top, and a tilt that moves the centroid to its target. The room is in the middle."""
    n = len(middle)
    length = int(min(4.0 * how.decay_s, 3.0) * rate_hz) if how.wet > 0.0 else 1
    size = fast_length(n + length)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    spectrum = np.fft.rfft(middle, size)
    if how.wet > 0.0:
        spectrum *= 1.0 + how.wet * np.fft.rfft(_room(length, how.decay_s, rate_hz, rng), size)
        middle = np.asarray(np.fft.irfft(spectrum, size)[:n], np.float32)
    tilt = _tilt(middle, how, rate_hz, rng)
    octaves = np.log2(np.clip(hz, *TILTED_HZ) / PIVOT_HZ)
    gain = (10.0 ** (tilt * octaves / 20) / np.sqrt(1.0 + (hz / how.top_hz) ** 8)).astype(np.float32)
    middle = np.asarray(np.fft.irfft(spectrum * gain, size)[:n], np.float32)
    if how.side > 0.0:
        side = np.asarray(np.fft.irfft(np.fft.rfft(side, size) * gain, size)[:n], np.float32)
    return middle, side


def _room(length: int, decay_s: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    """An impulse response without its direct sound: a few walls, then a tail that fades, of unit energy."""
    t = np.arange(length) / rate_hz
    tail = rng.standard_normal(length) * np.exp(-t * 2.3 / decay_s)
    tail = (tail + np.roll(tail, 1) + np.roll(tail, 2)) / 3  # walls swallow the top
    tail[: int(rng.uniform(0.005, 0.03) * rate_hz)] = 0.0
    walls = (rng.uniform(0.004, 0.06, 6) * rate_hz).astype(int)
    tail[np.minimum(walls, length - 1)] += rng.uniform(-1.0, 1.0, 6)
    return np.asarray(tail / np.sqrt(np.sum(tail**2) + 1e-9), np.float32)


def _tilt(mono: Samples, how: Recording, rate_hz: int, rng: np.random.Generator) -> float:
    """Decibels an octave that bring the mean centroid of ``mono`` to its place among real ones."""
    starts = np.arange(0, max(1, len(mono) - FRAME), int(rate_hz / GRID_HZ))
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (0, FRAME)), FRAME)[starts]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1))
    hz = np.fft.rfftfreq(FRAME, 1 / rate_hz)
    octaves = np.log2(np.clip(hz, *TILTED_HZ) / PIVOT_HZ)
    top = 1.0 / np.sqrt(1.0 + (hz / how.top_hz) ** 8)

    def centroid(tilt: float) -> float:
        weight = magnitude * (10.0 ** (tilt * octaves / 20) * top)
        return float(np.mean(weight @ hz / (weight.sum(axis=1) + 1e-9)))

    rank = float(spread.rank_of("centroid_hz", centroid(0.0)))
    target = float(spread.real("centroid_hz", spread.blur_rank(rank, how.tone_noise, rng)))
    low, high = -MOST_TILT_DB, MOST_TILT_DB
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if centroid(middle) < target else (low, middle)
    return (low + high) / 2


def _compress(mix: Samples, how: Recording, rate_hz: int) -> Samples:
    """Bring loud parts nearer to the others: level over 0.1 s, above half its mean, divided by the ratio."""
    if how.ratio_to_one <= 1.0:
        return mix
    block = max(1, int(0.02 * rate_hz))
    count = -(-mix.shape[1] // block)
    squares = np.zeros(count * block, np.float32)
    np.mean(np.square(mix), axis=0, out=squares[: mix.shape[1]])
    kernel = np.ones(5) / 5
    level = np.sqrt(np.convolve(squares.reshape(count, block).mean(axis=1), kernel, "same")) + 1e-6
    threshold = 0.5 * float(np.sqrt(np.mean(level**2)))
    gain = np.maximum(level / threshold, 1.0) ** (1.0 / how.ratio_to_one - 1.0)
    ends = np.append(gain, gain[-1])
    line = np.interp(np.arange(mix.shape[1]) / block, np.arange(count + 1), ends)
    return np.asarray(mix * line.astype(np.float32), np.float32)


def _limit(mix: Samples, how: Recording, rate_hz: int, target_db: float) -> Samples:
    """Drive the sound into a limiter, and bring it to the desired level."""
    peak = float(np.quantile(np.abs(mix[:, ::7]), 0.999)) + 1e-6
    ceiling = peak * 10.0 ** (-how.drive_db / 20)
    if how.drive_db > 0.0:
        mix = np.asarray(np.tanh(mix / np.float32(ceiling)) * np.float32(ceiling), np.float32)
    gain = 10.0 ** ((target_db - _db(mix, rate_hz)) / 20)
    mix = mix * np.float32(gain)
    # Straight up to about 0.7, then bending towards 1.
    return np.asarray(mix / np.sqrt(np.sqrt(1.0 + np.square(np.square(mix)))), np.float32)


def _db(mix: Samples, rate_hz: int) -> float:
    """Mean RMS of frames of the mono mix in decibels of full scale, as ``spread`` has it."""
    mono = mix.mean(axis=0)
    block = max(1, rate_hz * FRAME // 22_050)
    count = max(1, len(mono) // block)
    rows = np.resize(mono, count * block).reshape(count, block)
    return float(20.0 * np.log10(np.sqrt(np.square(rows).mean(axis=1)).mean() + 1e-9))


def _noise(how: Recording, n: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """(2, n): hiss, mains hum and the crackle of a record, nearly the same on both sides."""
    if how.noise_db <= -110.0:
        return np.zeros((2, n), np.float32)
    floor = 10.0 ** (how.noise_db / 20)
    noise = how.hiss * floor * rng.standard_normal((2, n), np.float32)
    if how.hum > 0.0:
        mains_hz = float(rng.choice([50.0, 60.0]))
        t = np.arange(n) / rate_hz
        for harmonic in (1, 2, 3):
            wave = np.sin(2 * np.pi * mains_hz * harmonic * t + rng.uniform(0, 6.28)) / harmonic
            noise += np.float32(2.0 * how.hum * floor) * wave.astype(np.float32)
    if how.crackle > 0.0:
        count = int(n / rate_hz * 12 * how.crackle)
        for place, force in zip(rng.integers(0, max(1, n - 8), count), rng.exponential(12.0, count), strict=True):
            noise[:, place : place + 6] += np.float32(floor * force) * rng.standard_normal(6, np.float32)
    return np.asarray(noise, np.float32)
