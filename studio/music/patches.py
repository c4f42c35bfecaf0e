"""Pitched instruments: a patch is one setting of one small synthesiser, drawn from its family's ranges.

The synthesiser has two ways to make a tone: reading moving one-cycle tables (saws, pulses, strings, organs, reeds) and
two-operator frequency modulation (Chowning, 1973: bells, electric pianos, metallic basses).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .families import FAMILIES
from .waves import Samples, envelope, harmonics, low_pass, read, seconds, shaped_noise, sine, tables

FRAMES: Final = 7  # tables that a moving timbre passes through

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Patch:
    """One instrument. Cutoffs are at brightness 0.5; ``ring`` is how much faster upper harmonics die."""

    wave: str = "saw"  # of ``waves.harmonics``, or "fm"
    width: float = 0.5
    voices: int = 1
    detune_cents: float = 8.0
    cutoff_hz: float = 3_000.0
    closed: float = 1.0  # cutoff at the end of the sweep, as a share of the first
    sweep_s: float = 0.4
    resonance: float = 0.0
    ring: float = 0.0
    attack_s: float = 0.005
    decay_s: float = 0.5
    sustain: float = 0.6
    release_s: float = 0.08
    vibrato_hz: float = 5.0
    vibrato_cents: float = 0.0
    tremolo: float = 0.0
    drive: float = 0.0
    breath: float = 0.0
    knock: float = 0.0
    fm_ratio: float = 1.0
    fm_index: float = 1.5
    glide: float = 0.0  # semitones above at the start


def draw_patch(family: str, rng: np.random.Generator) -> Patch:
    """One instrument of a family."""
    values: dict[str, Any] = {}
    for name, span in FAMILIES[family].items():
        if isinstance(span[0], str):
            values[name] = str(rng.choice(span))
        else:
            values[name] = float(rng.uniform(*span))
    if "voices" in values:
        values["voices"] = round(values["voices"])
    return Patch(**values)


def tone(
    patch: Patch, pitch: int, length_s: float, brightness: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    """One note, ``(1, n)`` or, where the patch has several voices, ``(2, n)``; peak 1.

    ``pitch`` is a MIDI note number; the note is held for ``length_s`` and released after it.
    """
    pitch_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    n = int((length_s + patch.release_s) * rate_hz) + 1
    t = seconds(n, rate_hz)
    cycles = pitch_hz * t
    if patch.vibrato_cents > 0.0:
        swing = (2.0 ** (patch.vibrato_cents / 1200) - 1.0) * pitch_hz / (2 * np.pi * patch.vibrato_hz)
        cycles -= swing * sine(patch.vibrato_hz * t + 0.25) * np.minimum(t / 0.4, 1.0)
    if patch.glide > 0.0:
        cycles += pitch_hz * (2.0 ** (patch.glide / 12) - 1.0) * 0.03 * (1.0 - np.exp(-t / 0.03))
    voices = _from_modulation if patch.wave == "fm" else _from_tables
    sound = voices(patch, pitch_hz, cycles, t, brightness, rate_hz, rng)
    if patch.breath > 0.0:
        top_hz = min(0.45 * rate_hz, 4.0 * pitch_hz + 800.0)
        breath = shaped_noise(min(n, rate_hz // 2), rate_hz, pitch_hz, top_hz, rng)
        sound += np.float32(0.4 * patch.breath) * np.resize(breath, n)
    sound *= envelope(n, rate_hz, length_s, patch.attack_s, patch.decay_s, patch.sustain, patch.release_s)
    if patch.tremolo > 0.0:
        sound *= np.float32(1.0 - 0.5 * patch.tremolo) - np.float32(0.5 * patch.tremolo) * sine(patch.vibrato_hz * t)
    if patch.knock > 0.0:
        burst = min(n, int(0.02 * rate_hz))
        noise = shaped_noise(burst, rate_hz, 150.0, 1500.0 + 4000.0 * brightness, rng)
        sound[:, :burst] += patch.knock * 0.3 * noise * np.linspace(1.0, 0.0, burst, dtype=np.float32) ** 2
    if patch.drive > 0.0:
        sound = np.tanh(sound * np.float32(1.0 + patch.drive))
    return np.asarray(sound / (np.abs(sound).max() + 1e-6), dtype=np.float32)


def _from_tables(
    patch: Patch, pitch_hz: float, cycles: Times, t: Times, brightness: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    base = harmonics(patch.wave, pitch_hz, rate_hz, patch.width)
    k = np.arange(1, len(base) + 1, dtype=np.float64)
    cutoff_hz = max(patch.cutoff_hz * 2.0 ** (3.0 * (brightness - 0.5)), 0.9 * pitch_hz)
    moving = patch.closed < 1.0 or patch.ring > 0.0
    if not moving:
        frames = (base * low_pass(k * pitch_hz, cutoff_hz, patch.resonance))[None]
        position = None
    else:
        passed = np.linspace(0.0, 1.0, FRAMES)
        rows = []
        for share in passed:
            now_hz = max(cutoff_hz * patch.closed**share, 0.9 * pitch_hz)
            dying = np.exp(-patch.ring * 8.0 * share**2 * patch.sweep_s * np.minimum(k - 1, 40))
            rows.append(base * low_pass(k * pitch_hz, now_hz, patch.resonance) * dying)
        frames = np.array(rows)
        position = ((FRAMES - 1) * np.sqrt(np.minimum(t / patch.sweep_s, 1.0))).astype(np.float32)
    cycle = tables(frames)
    if patch.voices == 1:
        return read(cycle, cycles + rng.random(), position)[None]
    sound = np.zeros((2, len(t)), dtype=np.float32)
    for voice in range(patch.voices):
        offset = 2.0 * voice / (patch.voices - 1) - 1.0
        ratio = 2.0 ** (patch.detune_cents * offset / 1200)
        samples = read(cycle, cycles * ratio + rng.random(), position)
        right = 0.5 + 0.4 * offset * (-1) ** voice
        sound[0] += np.float32(1.0 - right) * samples
        sound[1] += np.float32(right) * samples
    return sound


def _from_modulation(
    patch: Patch, pitch_hz: float, cycles: Times, t: Times, brightness: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    # Carson's rule: keep the highest sideband below the Nyquist frequency.
    room = max(0.0, 0.45 * rate_hz / pitch_hz - 1.0) / patch.fm_ratio - 1.0
    index = min(patch.fm_index * 2.0 ** (2.0 * (brightness - 0.5)), max(0.0, room))
    falling = index / (2 * np.pi) * (0.25 + 0.75 * np.exp(-t / (0.4 * patch.decay_s)))
    swing = falling * sine(cycles * patch.fm_ratio)
    detuned = [2.0 ** (patch.detune_cents * voice / 1200) for voice in range(min(patch.voices, 2))]
    return np.array([sine(cycles * ratio + swing) for ratio in detuned], dtype=np.float32)
