"""Unpitched instruments: swept sines for skins, shaped noise and inharmonic squares for metal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from .waves import Samples, seconds, shaped_noise

HITS: Final = 3  # takes of each sound, so that repeated strokes differ


@dataclass(frozen=True, slots=True)
class Kit:
    """One drum kit. All in [0, 1]: longer, higher, dirtier, more of the room's noise."""

    long: float
    high: float
    dirt: float
    noise: float


def draw_kit(flavour: str, rng: np.random.Generator) -> Kit:
    """A kit that is ``electronic``, ``acoustic``, ``soft`` or ``chip``, each with its own spread."""
    long, high, dirt, noise = rng.random(4)
    match flavour:
        case "acoustic":
            return Kit(0.2 + 0.4 * long, 0.3 + 0.5 * high, 0.3 * dirt, 0.5 + 0.5 * noise)
        case "soft":
            return Kit(0.2 + 0.3 * long, 0.1 + 0.4 * high, 0.2 * dirt, 0.3 + 0.4 * noise)
        case "chip":
            return Kit(0.1 * long, 0.6 + 0.4 * high, 0.6 + 0.4 * dirt, 0.8 + 0.2 * noise)
        case _:
            return Kit(0.2 + 0.7 * long, 0.2 + 0.7 * high, 0.1 + 0.8 * dirt, 0.3 + 0.6 * noise)


def stroke(voice: str, kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    """One stroke, ``(1, n)``, peak 1; every call with a fresh ``rng`` state is another take."""
    sound = _VOICES[voice](kit, brightness, rate_hz, rng)
    return np.asarray(sound / (np.abs(sound).max() + 1e-6), dtype=np.float32)[None]


def _skin(start_hz: float, end_hz: float, sweep_s: float, decay_s: float, rate_hz: int, drive: float) -> Samples:
    n = int(5 * decay_s * rate_hz)
    t = seconds(n, rate_hz)
    cycles = end_hz * t + (start_hz - end_hz) * sweep_s * (1.0 - np.exp(-t / sweep_s))
    body = np.sin(2 * np.pi * cycles) * np.exp(-t / decay_s)
    return np.asarray(np.tanh((1.0 + drive) * body) * np.clip(5.0 - t / decay_s, 0.0, 1.0), dtype=np.float32)


def _burst(low_hz: float, high_hz: float, decay_s: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    n = int(5 * decay_s * rate_hz)
    fall = np.exp(-seconds(n, rate_hz) / decay_s).astype(np.float32)
    high_hz = min(high_hz, 0.48 * rate_hz)
    return shaped_noise(n, rate_hz, min(low_hz, 0.6 * high_hz), high_hz, rng) * fall * np.float32(0.35)


def _sum(*sounds: Samples) -> Samples:
    out = np.zeros(max(len(sound) for sound in sounds), dtype=np.float32)
    for sound in sounds:
        out[: len(sound)] += sound
    return out


def _kick(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    end_hz = 40.0 + 22.0 * kit.high
    body = _skin(
        end_hz * (3.0 + 4.0 * kit.dirt), end_hz, 0.02 + 0.03 * kit.long, 0.06 + 0.14 * kit.long, rate_hz, 2 * kit.dirt
    )
    click = _burst(1500.0, 3000.0 + 6000.0 * brightness, 0.004, rate_hz, rng)
    return _sum(body, click * np.float32(0.2 + 0.6 * kit.noise))


def _snare(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    tune_hz = 150.0 + 90.0 * kit.high
    body = _skin(1.6 * tune_hz, tune_hz, 0.012, 0.05 + 0.05 * kit.long, rate_hz, kit.dirt)
    wires = _burst(900.0 + 1200.0 * kit.high, 5000.0 + 7000.0 * brightness, 0.05 + 0.09 * kit.long, rate_hz, rng)
    return _sum(body * np.float32(0.7), wires * np.float32(0.6 + 1.2 * kit.noise))


def _clap(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    tail = _burst(800.0 + 500.0 * kit.high, 4000.0 + 6000.0 * brightness, 0.06 + 0.08 * kit.long, rate_hz, rng)
    out = np.zeros(len(tail) + int(0.03 * rate_hz), dtype=np.float32)
    for hand in range(3):
        at = int(hand * 0.011 * rate_hz)
        snap = tail[: int(0.012 * rate_hz)]
        out[at : at + len(snap)] += snap
    out[-len(tail) :] += tail
    return out


def _rim(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    wood = _skin(2200.0, 1500.0 + 500.0 * kit.high, 0.004, 0.012, rate_hz, 0.5)
    return _sum(wood, _burst(700.0, 3000.0 + 4000.0 * brightness, 0.008, rate_hz, rng))


def _metal(decay_s: float, kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    hiss = _burst(5000.0 + 2500.0 * kit.high, 9000.0 + 6000.0 * brightness, decay_s, rate_hz, rng)
    t = seconds(len(hiss), rate_hz)
    ring = np.zeros(len(hiss))
    for partial in (2.0, 3.0, 4.16, 5.43, 6.79, 8.21):  # the inharmonic set of classic drum machines
        tone_hz = partial * (700.0 + 250.0 * kit.high)
        if tone_hz < 0.45 * rate_hz:
            ring += np.sin(2 * np.pi * tone_hz * t)
    ring *= np.exp(-t / decay_s) * 0.12 * (1.2 - kit.noise)
    return np.asarray(hiss + ring, dtype=np.float32)


def _hat(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    return _metal(0.012 + 0.03 * kit.long, kit, brightness, rate_hz, rng)


def _open(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    return _metal(0.08 + 0.1 * kit.long, kit, brightness, rate_hz, rng)


def _ride(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    return _sum(_metal(0.22, kit, brightness, rate_hz, rng), _hat(kit, brightness, rate_hz, rng))


def _crash(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    wash = _burst(2500.0, 7000.0 + 7000.0 * brightness, 0.35 + 0.2 * kit.long, rate_hz, rng)
    return _sum(wash, _metal(0.3, kit, brightness, rate_hz, rng))


def _tom(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    tune_hz = 75.0 + 60.0 * kit.high
    return _sum(
        _skin(1.7 * tune_hz, tune_hz, 0.03, 0.12 + 0.06 * kit.long, rate_hz, kit.dirt),
        _burst(300.0, 1500.0 + 3000.0 * brightness, 0.02, rate_hz, rng) * np.float32(0.5 * kit.noise),
    )


def _taiko(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    boom = _skin(130.0, 52.0 + 20.0 * kit.high, 0.04, 0.22 + 0.12 * kit.long, rate_hz, 0.5)
    return _sum(boom, _burst(100.0, 700.0 + 1500.0 * brightness, 0.05, rate_hz, rng) * np.float32(0.8))


def _shaker(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    grain = _burst(3500.0 + 2000.0 * kit.high, 8000.0 + 5000.0 * brightness, 0.02 + 0.02 * kit.long, rate_hz, rng)
    rise = min(len(grain), int(0.015 * rate_hz))
    grain[:rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)
    return grain


def _conga(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    tune_hz = 190.0 + 120.0 * kit.high
    return _sum(_skin(1.3 * tune_hz, tune_hz, 0.01, 0.07, rate_hz, 0.2), _burst(800.0, 3500.0, 0.006, rate_hz, rng))


def _brush(kit: Kit, brightness: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    sweep = _burst(1200.0, 5000.0 + 4000.0 * brightness, 0.06 + 0.05 * kit.long, rate_hz, rng)
    rise = min(len(sweep), int(0.02 * rate_hz))
    sweep[:rise] *= np.linspace(0.2, 1.0, rise, dtype=np.float32)
    return sweep


_VOICES: Final[Mapping[str, Callable[[Kit, float, int, np.random.Generator], Samples]]] = {
    "kick": _kick,
    "snare": _snare,
    "clap": _clap,
    "rim": _rim,
    "hat": _hat,
    "open": _open,
    "ride": _ride,
    "crash": _crash,
    "tom": _tom,
    "taiko": _taiko,
    "shaker": _shaker,
    "conga": _conga,
    "brush": _brush,
}
