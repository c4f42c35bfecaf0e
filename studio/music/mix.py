"""Playing the score into buses, and from there to the master.

Every distinct sound (instrument, pitch, length, brightness) is made once and added wherever it is played. Reverb,
equalising and background noise share one pass through the frequency domain.

Conventions: a bus is ``(2, n)`` float32.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .band import Band, Player
from .drums import HITS, stroke
from .patches import tone
from .recipe import MusicRecipe
from .score import Note
from .styles import Style
from .waves import Samples, fast_length, seconds

BRIGHTNESS_LEVELS: Final = 5  # filter positions that energy can choose from
EQ_POINTS: Final = 4_096  # 4 Hz apart at 32 kHz
BLOCK_S: Final = 0.01  # resolution of gains that change


@dataclass(frozen=True, slots=True)
class Buses:
    """Pitched parts and drums, apart, and when the kick fell (seconds)."""

    tonal: Samples
    drums: Samples
    kicks_s: tuple[float, ...]


def play(
    notes: list[Note], band: Band, recipe: MusicRecipe, step_s: float, n: int, rate_hz: int, rng: np.random.Generator
) -> Buses:
    """The dry buses of ``n`` samples."""
    tonal, drums = np.zeros((2, n), dtype=np.float32), np.zeros((2, n), dtype=np.float32)
    sounds: dict[tuple[str, int, int, int], Samples] = {}
    kicks = []
    takes = rng.integers(HITS, size=len(notes))
    for note, take in zip(notes, takes, strict=True):
        opened = 0.6 * recipe.brightness + 0.4 * note.energy
        level = round(opened * (BRIGHTNESS_LEVELS - 1))
        brightness = level / (BRIGHTNESS_LEVELS - 1)
        if note.pitch < 0:
            key = (note.part, int(take), 0, level)
            if key not in sounds:
                sounds[key] = stroke(note.part, band.kit, brightness, rate_hz, rng)
            gain = note.velocity * band.drum_gains[note.part]
            _add(drums, sounds[key], note.at_s, gain, band.drum_pans[note.part], rate_hz)
            if note.part == "kick":
                kicks.append(note.at_s)
            continue
        key = (note.part, note.pitch, round(note.length_s * 1000), level)
        player = band.players[note.part]
        if key not in sounds:
            sounds[key] = tone(player.patch, note.pitch, note.length_s, brightness, rate_hz, rng)
        _play_with_echo(tonal, sounds[key], note, player, 3 * step_s, rate_hz)
    return Buses(tonal, drums, tuple(kicks))


def _play_with_echo(bus: Samples, sound: Samples, note: Note, player: Player, gap_s: float, rate_hz: int) -> None:
    gain, pan, at_s = note.velocity * player.gain, player.pan, note.at_s
    _add(bus, sound, at_s, gain, pan, rate_hz)
    repeat = player.echo
    while repeat > 0.06:
        at_s, pan = at_s + gap_s, -pan
        _add(bus, sound, at_s, gain * repeat, pan, rate_hz)
        repeat *= player.echo


def _add(bus: Samples, sound: Samples, at_s: float, gain: float, pan: float, rate_hz: int) -> None:
    start = round(at_s * rate_hz)
    skip = max(0, -start)
    start = max(0, start)
    length = min(sound.shape[1] - skip, bus.shape[1] - start)
    if length <= 0:
        return
    angle = (pan + 1.0) * np.pi / 4
    for side, share in enumerate((np.cos(angle), np.sin(angle))):
        audible = sound[side % len(sound), skip : skip + length]
        bus[side, start : start + length] += audible * np.float32(1.414 * gain * share)


def duck(bus: Samples, kicks_s: tuple[float, ...], depth: float, recover_s: float, rate_hz: int) -> None:
    """Dip ``bus`` in place under every kick, as a sidechained compressor would."""
    if depth <= 0.0:
        return
    dip = np.float32(1.0) - np.float32(depth) * np.exp(
        -seconds(int(4 * recover_s * rate_hz), rate_hz) / recover_s
    ).astype(np.float32)
    gain = np.ones(bus.shape[1], dtype=np.float32)
    for at_s in kicks_s:
        start = max(0, round(at_s * rate_hz))
        span = gain[start : start + len(dip)]
        np.minimum(span, dip[: len(span)], out=span)
    bus *= gain


def colour(buses: Buses, recipe: MusicRecipe, style: Style, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Room, equaliser and background noise over the sum of the buses; ``(2, n)``."""
    n = buses.tonal.shape[1]
    wet = float(rng.uniform(*style.room))
    decay_s = 0.15 + 0.5 * float(rng.random()) + 0.7 * wet
    hiss = np.float32(10.0 ** (rng.uniform(-80.0, -52.0) / 20))
    coarse_hz = np.linspace(0.0, rate_hz / 2, EQ_POINTS)
    coarse = _equaliser(coarse_hz, recipe.brightness, style.top_hz, rng)
    room = _room(decay_s, rate_hz, rng)
    size = fast_length(n + room.shape[1])
    curve = np.interp(np.linspace(0.0, rate_hz / 2, size // 2 + 1), coarse_hz, coarse).astype(np.float32)
    send = (buses.tonal[0] + buses.tonal[1]) * np.float32(0.5 * wet)
    send += (buses.drums[0] + buses.drums[1]) * np.float32(0.18 * wet)
    sent = np.fft.rfft(send, size)
    out = np.empty((2, n), dtype=np.float32)
    for side in range(2):
        dry = buses.tonal[side] + buses.drums[side]
        dry += hiss * rng.standard_normal(n, dtype=np.float32)
        spectrum = np.fft.rfft(dry, size)
        spectrum += sent * np.fft.rfft(room[side], size)
        spectrum *= curve
        out[side] = np.fft.irfft(spectrum, size)[:n]
    return out


def _room(decay_s: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Impulse response ``(2, m)``: noise that fades, its top faster than its bottom, after a short gap."""
    m = int(4.5 * decay_s * rate_hz)
    t = seconds(m, rate_hz)
    noise = rng.standard_normal((2, m)).astype(np.float32)
    smooth = (noise + np.roll(noise, 1, 1) + np.roll(noise, 2, 1) + np.roll(noise, 3, 1)) / 2
    tail = smooth * np.exp(-t / decay_s) + noise * np.exp(-t / (0.3 * decay_s)) * 0.7
    gap = int(rng.uniform(0.002, 0.03) * rate_hz)
    tail[:, :gap] = 0.0
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    return np.asarray(tail, dtype=np.float32)


def _equaliser(
    freqs: NDArray[np.float64], brightness: float, top_hz: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    octaves = np.log2(np.maximum(freqs, 10.0) / 1000.0)
    tilt_db = 9.0 * (brightness - 0.5) + rng.normal(0.0, 1.0)
    shelf = 1.0 / (1.0 + np.exp(-2.0 * (octaves - 1.0)))
    low_db, mid_db = rng.normal(0.0, 1.5), rng.normal(0.0, 2.0)
    low = 1.0 / (1.0 + np.exp(3.0 * (octaves + 2.8)))
    middle = np.exp(-0.5 * ((octaves - rng.uniform(-1.5, 1.5)) / 0.7) ** 2)
    gain_db = tilt_db * shelf + low_db * low + mid_db * middle
    if rng.random() < 0.15:  # an old recording or a small speaker
        top_hz = min(top_hz, float(rng.uniform(3_000.0, 8_000.0)))
    gain = 10.0 ** (gain_db / 20) / np.sqrt(1.0 + (freqs / top_hz) ** 8)
    gain /= np.sqrt(1.0 + (rng.uniform(22.0, 45.0) / np.maximum(freqs, 1.0)) ** 6)
    return np.asarray(gain)


def master(mix: Samples, recipe: MusicRecipe, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Levelled, compressed, softly limited, shaped by energy, faded at both ends; peak below 1."""
    n = mix.shape[1]
    loud = float(np.sqrt(np.mean(np.square(mix))))
    mix *= np.float32(0.24 / max(loud, 0.02))  # the floor keeps near silence from becoming a roar of hiss
    narrow = np.float32(rng.uniform(0.0, 0.4)) * (mix[0] - mix[1])
    mix[0] -= narrow
    mix[1] += narrow
    block = max(1, int(BLOCK_S * rate_hz))
    count = -(-n // block)
    squares = np.zeros(count * block, dtype=np.float32)
    np.mean(np.square(mix), axis=0, out=squares[:n])
    level = np.sqrt(squares.reshape(count, block).mean(axis=1))
    kernel = np.exp(-np.arange(16) / rng.uniform(2.0, 8.0))
    level = np.convolve(level, kernel / kernel.sum())[:count]
    ratio = rng.uniform(1.0, 3.5)
    gain = (np.maximum(level, 0.2) / 0.2) ** (1.0 / ratio - 1.0)
    mix *= _stretch(gain, n, block)
    mix *= np.float32(rng.uniform(1.0, 1.8))
    # Straight up to about 0.7, then bending towards 1: quiet music keeps its peaks.
    mix /= np.sqrt(np.sqrt(1.0 + np.square(np.square(mix))))
    centres = (np.arange(count) + 0.5) * block / rate_hz
    level_db = 11.0 * (recipe.energy_at(centres) - 1.0) + rng.uniform(-2.5, 0.0)
    mix *= _stretch(10.0 ** (level_db / 20), n, block)
    fade_in, fade_out = int(min(0.3, 0.01 * n / rate_hz) * rate_hz), int(min(3.0, 0.06 * n / rate_hz) * rate_hz)
    mix[:, :fade_in] *= np.linspace(0.0, 1.0, fade_in, dtype=np.float32)
    mix[:, n - fade_out :] *= np.linspace(1.0, 0.0, fade_out, dtype=np.float32)
    return np.asarray(mix * np.float32(0.98))


def _stretch(gain: NDArray[np.float64], n: int, block: int) -> Samples:
    """A gain per block as one per sample, in straight lines."""
    ends = np.append(gain, gain[-1]).astype(np.float32)
    ramp = np.arange(block, dtype=np.float32) / np.float32(block)
    lines = ends[:-1, None] + ramp * (ends[1:] - ends[:-1])[:, None]
    return np.asarray(lines.ravel()[:n], dtype=np.float32)
