"""Pairs of picture and sound that fit, because one latent made both.

A latent says how a piece feels and moves; ``music_recipe`` and ``video_recipe`` read it, each through its own noise.
Everything that must not carry the answer (key, exact colours, directions, positions, texture, phases) is drawn
separately for each. Part of the answer is constant (style, mood), part is the course of energy over the 28 s, part is
motion that single pictures do not show, and part is the beat.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.associations import MOOD_WORDS, SCENE_WORDS, SCENES_OF, STYLE_WORDS
from studio.energy import draw_energy
from studio.errors import StudioError
from studio.music.recipe import MAX_TEMPO_BPM, MIN_TEMPO_BPM, STYLES, MusicRecipe
from studio.video.recipe import KINDS, PALETTES, SceneRecipe
from studio.video.timing import level_at

LENGTH_S: Final = 28.0
ON_BEAT_SHARE: Final = 0.6

# Usual tempo and its spread, bpm.
TEMPO_OF: Final = {
    "ambient": (72, 9),
    "chiptune": (140, 18),
    "cinematic": (92, 16),
    "drum_and_bass": (171, 6),
    "folk": (104, 18),
    "funk": (108, 10),
    "house": (123, 7),
    "jazz": (118, 28),
    "lofi": (80, 8),
    "rock": (128, 18),
    "synthwave": (104, 14),
    "techno": (133, 8),
    "trap": (142, 12),
    "waltz": (118, 26),
}
MODES_BY_VALENCE: Final = (
    "phrygian",
    "harmonic_minor",
    "minor",
    "dorian",
    "mixolydian",
    "major",
    "lydian",
)  # dark first
WARM: Final = ("ember", "desert", "meadow", "pastel")
COLD: Final = ("ocean", "dusk", "neon", "mono")


@dataclass(frozen=True)
class Latent:
    """What a pair shares. ``energy`` is breakpoints (time_s, level) over 28 s; levels in [0, 1]; tempo 60-180 bpm."""

    style: str
    tempo_bpm: float
    energy: tuple[tuple[float, float], ...]
    valence: float
    tension: float
    seed: int


def draw_latent(rng: np.random.Generator) -> Latent:
    """A latent from the whole space; equal generators give equal latents."""
    style = str(rng.choice(STYLES))
    usual, spread = TEMPO_OF.get(style, (115, 25))
    tempo = float(np.clip(rng.normal(usual, spread), MIN_TEMPO_BPM, MAX_TEMPO_BPM))
    lean = 0.2 * (tempo - 115) / 60
    return Latent(
        style=style,
        tempo_bpm=round(tempo, 2),
        energy=draw_energy(rng, lean, LENGTH_S),
        valence=float(rng.beta(1.3, 1.3)),
        tension=float(rng.beta(1.2, 1.5)),
        seed=int(rng.integers(2**31)),
    )


def music_recipe(latent: Latent, rng: np.random.Generator) -> MusicRecipe:
    """Music for a latent. ``rng`` draws the noise of the reading and everything that must not carry the answer."""
    dark = np.clip(1 - latent.valence + 0.25 * (latent.tension - 0.4), 0, 1)
    mode = round(float(np.clip((1 - dark) * (len(MODES_BY_VALENCE) - 1) + rng.normal(0, 0.8), 0, 6)))
    return MusicRecipe(
        style=latent.style,
        tempo_bpm=latent.tempo_bpm,
        tonic=int(rng.integers(12)),
        mode=MODES_BY_VALENCE[mode],
        energy=_reading(latent.energy, rng, 0.05),
        brightness=_level(0.15 + 0.6 * latent.valence + 0.1 * (1 - latent.tension) + rng.normal(0, 0.08)),
        tension=_level(latent.tension + rng.normal(0, 0.08)),
        seed=int(rng.integers(2**31)),
    )


def longer(recipe: MusicRecipe, start_s: float, duration_s: float, rng: np.random.Generator) -> MusicRecipe:
    """The same piece as a track of ``duration_s`` whose 28 s from ``start_s`` on run as ``recipe`` does.

    Before and after them energy follows courses of its own.
    """
    if not isinstance(recipe.energy, tuple) or not 0.0 <= start_s <= duration_s - LENGTH_S:
        raise StudioError(f"start_s {start_s!r}: the 28 s must lie inside the {duration_s:g} s of the track")
    course: list[tuple[float, float]] = []
    for first, last in ((0.0, start_s), (start_s, start_s + LENGTH_S), (start_s + LENGTH_S, duration_s)):
        own = recipe.energy if first == start_s else draw_energy(rng, 0.0, LENGTH_S)
        course += [(round(first + at, 3), level) for at, level in own if first + at < last - 1e-6]
    return replace(recipe, energy=tuple(course))


def scene_kind(latent: Latent, rng: np.random.Generator) -> str:
    """A kind of scene: in three of four draws one that the style prefers, else any."""
    if rng.random() < 0.75:
        return str(rng.choice(SCENES_OF[latent.style], p=[0.5, 0.3, 0.2]))
    return str(rng.choice(KINDS))


def video_recipe(latent: Latent, rng: np.random.Generator, beats_s: NDArray[np.float64] | None = None) -> SceneRecipe:
    """A scene for a latent. ``beats_s``: the music's true beats in seconds, on which cuts and accents may fall.

    Without beats (or in two of five draws) cuts and accents keep a grid of their own, at a tempo of their own.
    """
    kind = scene_kind(latent, rng)
    on_beat = bool(rng.random() < ON_BEAT_SHARE) and beats_s is not None and len(beats_s) > 4
    if on_beat:
        assert beats_s is not None
        beats = np.asarray(beats_s, np.float64)
    else:
        period = 60 / float(rng.uniform(60, 170))
        beats = np.arange(rng.uniform(0, period), LENGTH_S, period)
    # Faster music carries faster pictures of the same energy.
    lean = 0.12 * (latent.tempo_bpm - 115) / 60
    curve = _reading(latent.energy, rng, 0.06, lean)
    warm = _level(latent.valence + rng.normal(0, 0.16))
    family = WARM if rng.random() < warm else COLD
    pace = latent.tempo_bpm / 60 / float(rng.choice([1, 2, 4]))
    return SceneRecipe(
        kind=kind,
        motion=curve,
        palette=str(rng.choice(PALETTES)) if rng.random() < 0.2 else str(rng.choice(family)),
        brightness=_level(0.15 + 0.65 * latent.valence - 0.25 * (latent.tension - 0.4) + rng.normal(0, 0.09)),
        cut_times_s=_cuts(latent, curve, beats, rng),
        accents_s=accents(curve, beats, rng),
        detail=_level(rng.uniform(0.1, 0.9)),
        contrast=_level(0.1 + 0.75 * latent.tension + rng.normal(0, 0.1)),
        warmth=_level(0.15 + 0.7 * warm + rng.normal(0, 0.06)),
        shake=_level(0.7 * latent.tension + rng.normal(0, 0.12)),
        pace_hz=float(np.clip(pace * rng.normal(1, 0.03), 0, 4)) if rng.random() < 0.6 else 0.0,
        seed=int(rng.integers(2**31)),
    )


def _cuts(
    latent: Latent, curve: tuple[tuple[float, float], ...], beats: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, ...]:
    """Cuts on beats, closer together where tempo and energy are high; a fifth of the videos is a single shot."""
    if rng.random() < 0.2:
        return ()
    stretch = float(np.exp(rng.normal(0, 0.35)))
    cuts: list[float] = []
    last = -rng.uniform(0, 3)
    for beat, level in zip(beats, level_at(curve, beats), strict=True):
        wait = stretch * (9.0 - 6.0 * level) * (115 / latent.tempo_bpm) ** 0.7
        if beat - last >= wait and beat > 0.5:
            cuts.append(round(float(beat), 3))
            last = float(beat)
    return tuple(cuts)


def accents(
    curve: tuple[tuple[float, float], ...], beats: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, ...]:
    """Accents on every first, second or fourth beat, likelier where energy is high; none in a tenth of the videos."""
    if rng.random() < 0.1:
        return ()
    every = int(rng.choice([1, 2, 4], p=[0.45, 0.35, 0.2]))
    levels = level_at(curve, beats)
    chosen = (np.arange(len(beats)) % every == rng.integers(every)) & (rng.random(len(beats)) < 0.6 + 0.5 * levels)
    return tuple(round(float(beat), 3) for beat in beats[chosen] if beat >= 0)


def _reading(
    curve: tuple[tuple[float, float], ...], rng: np.random.Generator, noise: float, lean: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """The curve as one medium reads it: bent by a power, shifted by ``lean`` on average, with a wobble.

    The order of levels stays, apart from the wobble of ``0.6 * noise``.
    """
    power, shift = float(np.exp(rng.normal(0, 0.15))), float(rng.normal(lean, noise))
    wobble = noise * 0.6 * rng.standard_normal(len(curve))
    return tuple((at, _level(level**power + shift + w)) for (at, level), w in zip(curve, wobble, strict=True))


def _level(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))


def mood(latent: Latent) -> NDArray[np.float32]:
    """(3,) float32 in [0, 1]: mean energy over the 28 s, valence, tension (``features.spec.MOOD_AXES``)."""
    return np.array([_mean_energy(latent), latent.valence, latent.tension], np.float32)


def _mean_energy(latent: Latent) -> float:
    times, levels = np.array(latent.energy).T
    return float(np.trapezoid(levels, times) / (times[-1] - times[0]))


def tags(latent: Latent, rng: np.random.Generator) -> tuple[str, ...]:
    """Words for a pair, sorted, each once: of its style, of a scene that would suit it, of its mood and its pace.

    The scene's words are drawn separately from the style's preferences, so the music tells as much about them as the
    picture.
    """
    words: set[str] = set()
    style_words, scene_words = STYLE_WORDS[latent.style], SCENE_WORDS[SCENES_OF[latent.style][0]]
    words.update(w for w in style_words if rng.random() < 0.75)
    if rng.random() < 0.25:
        scene_words = SCENE_WORDS[scene_kind(latent, rng)]
    words.update(w for w in scene_words if rng.random() < 0.6)
    levels = np.array([level for _, level in latent.energy])
    third = len(levels) // 3
    axes = {
        "energy": _mean_energy(latent),
        "rise": _level(0.5 + float(levels[-third:].mean() - levels[:third].mean())),
        "valence": latent.valence,
        "tension": latent.tension,
        "pace": (latent.tempo_bpm - MIN_TEMPO_BPM) / (MAX_TEMPO_BPM - MIN_TEMPO_BPM),
    }
    for axis, centre, group in MOOD_WORDS:
        likely = 0.9 * float(np.exp(-(((axes[axis] - centre) / 0.25) ** 2)))
        words.update(w for w in group if rng.random() < likely)
    if not words:
        words.add(style_words[0])
    return tuple(sorted(words))
