"""Pitched instruments: a patch is one setting of one small synthesiser, drawn from the ranges of its family.

The synthesiser has two ways to make a tone: reading moving one-cycle tables (saws, pulses, strings, organs, reeds) and
two-operator frequency modulation (Chowning, 1973: bells, electric pianos, metallic basses).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .waves import Samples, envelope, harmonics, low_pass, read, seconds, shaped_noise, tables

FRAMES: Final = 7  # tables that a moving timbre passes through

Range = tuple[float, float] | tuple[str, ...]


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


_PAD: Final[Mapping[str, Range]] = {
    "attack_s": (0.15, 0.7),
    "decay_s": (2.0, 4.0),
    "sustain": (0.7, 0.95),
    "release_s": (0.3, 0.8),
}
_PLUCKED: Final[Mapping[str, Range]] = {
    "sustain": (0.0, 0.02),
    "attack_s": (0.001, 0.004),
    "release_s": (0.05, 0.2),
    "sweep_s": (0.6, 1.0),
}

# Each family's ranges: two numbers to draw between, or names to draw from.
FAMILIES: Final[Mapping[str, Mapping[str, Range]]] = {
    "warm_pad": {**_PAD, "wave": ("saw", "pulse"), "width": (0.2, 0.5), "voices": (2, 4), "detune_cents": (5, 16), "cutoff_hz": (500, 1600), "vibrato_cents": (0, 6)},
    "strings": {**_PAD, "wave": ("saw",), "voices": (3, 4), "detune_cents": (8, 18), "cutoff_hz": (1500, 4500), "vibrato_hz": (4.5, 6.2), "vibrato_cents": (5, 14), "breath": (0.0, 0.04)},
    "choir": {**_PAD, "wave": ("reed", "triangle"), "voices": (3, 4), "detune_cents": (8, 20), "cutoff_hz": (700, 1800), "resonance": (0.8, 2.0), "vibrato_cents": (8, 18), "breath": (0.03, 0.1)},
    "glass_pad": {**_PAD, "wave": ("fm",), "fm_ratio": (1.0, 3.0), "fm_index": (0.3, 1.0), "voices": (1, 2), "tremolo": (0.0, 0.4)},
    "electric_piano": {"wave": ("fm",), "fm_ratio": (0.98, 1.02), "fm_index": (0.6, 2.2), "attack_s": (0.002, 0.006), "decay_s": (0.6, 1.6), "sustain": (0.0, 0.1), "release_s": (0.1, 0.25), "tremolo": (0.0, 0.35), "knock": (0.0, 0.15)},
    "piano": {**_PLUCKED, "wave": ("string",), "width": (0.1, 0.16), "voices": (1, 2), "detune_cents": (0.5, 2.5), "cutoff_hz": (2000, 5000), "ring": (0.05, 0.2), "decay_s": (0.5, 1.4), "knock": (0.05, 0.25)},
    "guitar": {**_PLUCKED, "wave": ("string",), "width": (0.12, 0.35), "cutoff_hz": (2500, 6000), "ring": (0.1, 0.35), "decay_s": (0.3, 0.9), "knock": (0.1, 0.4)},
    "harp": {**_PLUCKED, "wave": ("string", "triangle"), "width": (0.3, 0.5), "cutoff_hz": (2000, 4500), "ring": (0.2, 0.5), "decay_s": (0.4, 1.0), "knock": (0.0, 0.1)},
    "organ": {"wave": ("organ",), "width": (0.0, 1.0), "attack_s": (0.004, 0.02), "decay_s": (1.0, 2.0), "sustain": (0.8, 0.95), "cutoff_hz": (2500, 7000), "vibrato_hz": (5.5, 7.0), "vibrato_cents": (0, 12), "tremolo": (0.0, 0.3), "knock": (0.0, 0.1)},
    "stab": {"wave": ("saw", "pulse"), "width": (0.1, 0.5), "voices": (2, 4), "detune_cents": (6, 22), "cutoff_hz": (2000, 6000), "closed": (0.1, 0.3), "sweep_s": (0.1, 0.4), "resonance": (0.0, 1.5), "decay_s": (0.1, 0.35), "sustain": (0.0, 0.2)},
    "synth_pluck": {"wave": ("saw", "square", "pulse"), "width": (0.1, 0.5), "voices": (1, 2), "cutoff_hz": (1500, 5000), "closed": (0.1, 0.35), "sweep_s": (0.1, 0.35), "resonance": (0.0, 2.5), "decay_s": (0.1, 0.3), "sustain": (0.0, 0.15)},
    "acid": {"wave": ("saw", "square"), "cutoff_hz": (1200, 3500), "closed": (0.08, 0.2), "sweep_s": (0.08, 0.25), "resonance": (2.0, 5.0), "decay_s": (0.15, 0.3), "sustain": (0.1, 0.4), "drive": (0.5, 2.5)},
    "bell": {"wave": ("fm",), "fm_ratio": (2.4, 3.6), "fm_index": (0.8, 2.5), "attack_s": (0.001, 0.003), "decay_s": (0.4, 1.2), "sustain": (0.0, 0.01), "release_s": (0.2, 0.5)},
    "chip": {"wave": ("square", "pulse"), "width": (0.125, 0.25), "cutoff_hz": (12000, 16000), "attack_s": (0.001, 0.002), "decay_s": (0.1, 0.5), "sustain": (0.3, 0.8), "release_s": (0.01, 0.03), "vibrato_cents": (0, 12)},
    "chip_bass": {"wave": ("triangle", "square"), "cutoff_hz": (6000, 12000), "attack_s": (0.001, 0.002), "sustain": (0.6, 0.9), "release_s": (0.01, 0.03)},
    "saw_lead": {"wave": ("saw",), "voices": (2, 4), "detune_cents": (5, 20), "cutoff_hz": (2500, 7000), "closed": (0.4, 0.8), "attack_s": (0.004, 0.03), "vibrato_cents": (4, 14), "release_s": (0.08, 0.2), "drive": (0.0, 0.8)},
    "soft_lead": {"wave": ("triangle", "square", "sine"), "cutoff_hz": (1200, 3000), "attack_s": (0.01, 0.05), "vibrato_cents": (5, 16), "release_s": (0.08, 0.2), "breath": (0.0, 0.05)},
    "flute": {"wave": ("reed", "triangle"), "cutoff_hz": (1200, 2600), "attack_s": (0.03, 0.09), "sustain": (0.75, 0.95), "vibrato_hz": (4.5, 5.8), "vibrato_cents": (8, 22), "breath": (0.06, 0.2), "release_s": (0.06, 0.15)},
    "brass": {"wave": ("saw",), "voices": (1, 3), "detune_cents": (3, 8), "cutoff_hz": (1500, 4500), "closed": (0.5, 0.9), "attack_s": (0.03, 0.09), "sustain": (0.7, 0.9), "vibrato_cents": (2, 9), "drive": (0.2, 1.0), "breath": (0.01, 0.04)},
    "overdriven": {"wave": ("string", "saw"), "width": (0.1, 0.2), "voices": (1, 2), "detune_cents": (3, 9), "cutoff_hz": (2500, 6000), "ring": (0.0, 0.05), "decay_s": (0.8, 2.0), "sustain": (0.3, 0.7), "drive": (3.0, 8.0), "knock": (0.0, 0.2), "vibrato_cents": (0, 8)},
    "sub_bass": {"wave": ("sine", "triangle"), "cutoff_hz": (400, 1500), "sustain": (0.6, 0.9), "drive": (0.0, 1.5), "release_s": (0.03, 0.1)},
    "long_bass": {"wave": ("sine",), "attack_s": (0.002, 0.005), "decay_s": (0.5, 1.2), "sustain": (0.0, 0.2), "drive": (0.8, 3.0), "glide": (1.0, 7.0), "release_s": (0.1, 0.2)},
    "synth_bass": {"wave": ("saw", "square", "pulse"), "width": (0.2, 0.5), "voices": (1, 2), "detune_cents": (3, 10), "cutoff_hz": (500, 1800), "closed": (0.2, 0.5), "sweep_s": (0.1, 0.4), "resonance": (0.0, 2.0), "decay_s": (0.2, 0.6), "sustain": (0.3, 0.7)},
    "reese": {"wave": ("saw",), "voices": (2, 3), "detune_cents": (15, 35), "cutoff_hz": (350, 1100), "sustain": (0.8, 0.95), "drive": (0.5, 2.0)},
    "finger_bass": {"wave": ("string",), "width": (0.15, 0.3), "cutoff_hz": (700, 2200), "ring": (0.05, 0.2), "attack_s": (0.002, 0.006), "decay_s": (0.5, 1.0), "sustain": (0.0, 0.1), "release_s": (0.04, 0.1), "knock": (0.05, 0.2)},
    "fm_bass": {"wave": ("fm",), "fm_ratio": (0.99, 1.01), "fm_index": (1.0, 3.5), "decay_s": (0.2, 0.5), "sustain": (0.1, 0.5)},
}  # fmt: skip


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
        cycles -= swing * np.cos(2 * np.pi * patch.vibrato_hz * t) * np.minimum(t / 0.4, 1.0)
    if patch.glide > 0.0:
        cycles += pitch_hz * (2.0 ** (patch.glide / 12) - 1.0) * 0.03 * (1.0 - np.exp(-t / 0.03))
    voices = _modulated if patch.wave == "fm" else _tabled
    sound = voices(patch, pitch_hz, cycles, t, brightness, rate_hz, rng)
    if patch.breath > 0.0:
        top_hz = min(0.45 * rate_hz, 6.0 * pitch_hz + 1500.0)
        sound += patch.breath * shaped_noise(n, rate_hz, pitch_hz, top_hz, rng)
    sound *= envelope(n, rate_hz, length_s, patch.attack_s, patch.decay_s, patch.sustain, patch.release_s)
    if patch.tremolo > 0.0:
        sound *= (1.0 - patch.tremolo * (0.5 + 0.5 * np.sin(2 * np.pi * patch.vibrato_hz * t))).astype(np.float32)
    if patch.knock > 0.0:
        burst = min(n, int(0.02 * rate_hz))
        noise = shaped_noise(burst, rate_hz, 150.0, 1500.0 + 4000.0 * brightness, rng)
        sound[:, :burst] += patch.knock * 0.3 * noise * np.linspace(1.0, 0.0, burst, dtype=np.float32) ** 2
    if patch.drive > 0.0:
        sound = np.tanh(sound * np.float32(1.0 + patch.drive))
    return np.asarray(sound / (np.abs(sound).max() + 1e-6), dtype=np.float32)


def _tabled(
    patch: Patch, pitch_hz: float, cycles: Any, t: Any, brightness: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    base = harmonics(patch.wave, pitch_hz, rate_hz, patch.width)
    k = np.arange(1, len(base) + 1)
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
        one = read(cycle, cycles * ratio + rng.random(), position)
        right = 0.5 + 0.4 * offset * (-1) ** voice
        sound[0] += np.float32(1.0 - right) * one
        sound[1] += np.float32(right) * one
    return sound


def _modulated(
    patch: Patch, pitch_hz: float, cycles: Any, t: Any, brightness: float, rate_hz: int, rng: np.random.Generator
) -> Samples:
    # Carson's rule: keep the highest sideband below the Nyquist frequency.
    room = max(0.0, 0.45 * rate_hz / pitch_hz - 1.0) / patch.fm_ratio - 1.0
    index = min(patch.fm_index * 2.0 ** (2.0 * (brightness - 0.5)), max(0.0, room))
    falling = index * (0.25 + 0.75 * np.exp(-t / (0.4 * patch.decay_s)))
    turn = 2 * np.pi
    rows = []
    for voice in range(min(patch.voices, 2)):
        spread = cycles * 2.0 ** (patch.detune_cents * voice / 1200) % 1.0
        modulator = np.sin((turn * (cycles * patch.fm_ratio % 1.0)).astype(np.float32))
        rows.append(np.sin((turn * spread).astype(np.float32) + falling.astype(np.float32) * modulator))
    return np.array(rows, dtype=np.float32)
