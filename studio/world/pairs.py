"""Films and tracks for a latent, spread like real ones.

``studio.pairs`` says what a latent is and how one medium reads it. Here each reading becomes a rank, and the rank a
real value (``spread``): the calmest tenth stays the calmest, and moves as little as the calmest tenth of real clips.
Everything that must not carry the answer (overlays, grain, blur, room, tape, noise) is drawn separately. Colourfulness
has no tie of its own: it follows palette, light and warmth, as in real pictures.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.pairs import COLD, LENGTH_S, ON_BEAT_SHARE, WARM, Latent, accents, music_recipe, scene_kind
from studio.video.recipe import PALETTES
from studio.video.timing import level_at

from . import spread
from .grade import Look, colour_of_warmth
from .playing import Hand
from .recipe import FORMS, Film
from .recording import Recording
from .sound import Track

Curve = tuple[tuple[float, float], ...]
# How much chance is added to the latent, as for ``spread.blur_rank``.
NOISE: Final = {"speed": 0.15, "brightness": 0.4, "contrast": 0.5, "warmth": 0.5}
# Weight of each form in the calmest and in the liveliest films.
FORM_WEIGHTS: Final = {
    "moving": (0.30, 0.90),
    "locked": (0.26, 0.05),
    "talk": (0.22, 0.03),
    "screen": (0.12, 0.01),
    "slides": (0.10, 0.01),
}
OVERLAY_SHARES: Final = {"logo": 0.15, "caption": 0.1, "hud": 0.12, "chat": 0.04, "webcam": 0.05, "frame": 0.06}
UNCUT: Final = {"moving": 0.7, "locked": 0.8, "talk": 0.85, "screen": 0.9, "slides": 0.0}
# Seconds between cuts at levels of energy from 0 to 1, in films that are cut.
WAITS_S: Final = ((0.0, 9.0), (0.3, 5.0), (0.6, 2.0), (0.85, 0.9), (1.0, 0.4))
FRANTIC: Final = 0.06  # of the films that are cut
SATURATION: Final = {  # normal scores
    "mono": -1.6, "pastel": -0.5, "desert": 0.0, "meadow": 0.1, "dusk": 0.2, "ocean": 0.3, "ember": 0.6, "neon": 1.2,
}  # fmt: skip
PLAYED: Final = ("ambient", "cinematic", "folk", "funk", "jazz", "rock", "waltz", "lofi")  # by hands, mostly
MISSING: Final = {"pad": 0.4, "arp": 0.3, "lead": 0.15}  # shares of tracks in which nobody plays that part
MUSIC_NOISE: Final = {"tone": 0.3, "level": 0.3}


def film(latent: Latent, rng: np.random.Generator, beats_s: NDArray[np.float64] | None = None) -> Film:
    """A film for a latent. ``beats_s``: the music's true beats in seconds, on which cuts and accents may fall.

    Without beats (or in two of five draws) cuts and accents keep a grid of their own, at a tempo of their own.
    """
    kind = scene_kind(latent, rng)
    if rng.random() < ON_BEAT_SHARE and beats_s is not None and len(beats_s) > 4:
        beats = np.asarray(beats_s, np.float64)
    else:
        period = 60 / float(rng.uniform(60, 170))
        beats = np.arange(rng.uniform(0, period), LENGTH_S, period)
    curve = _reading(latent.energy, rng, 0.06, 0.12 * (latent.tempo_bpm - 115) / 60)
    shift = float(rng.standard_normal())
    ranks = [_shift(float(spread.rank_of("motion", level)), NOISE["speed"], shift) for _, level in curve]
    speeds = tuple((at_s, float(spread.requested_speed(rank))) for (at_s, _), rank in zip(curve, ranks, strict=True))
    levels: Curve = tuple((at_s, rank) for (at_s, _), rank in zip(curve, ranks, strict=True))
    form = _form(float(np.mean(ranks)), rng)
    warm = float(np.clip(latent.valence + rng.normal(0, 0.16), 0, 1))
    palette = (
        str(rng.choice(PALETTES)) if rng.random() < 0.2 else str(rng.choice(WARM if rng.random() < warm else COLD))
    )
    pace = latent.tempo_bpm / 60 / float(rng.choice([1, 2, 4]))
    return Film(
        kind=kind,
        form=form,
        palette=palette,
        look=_look(latent, warm, palette, rng),
        speeds=speeds,
        cut_times_s=_cuts(form, levels, latent.tempo_bpm, beats, rng),
        accents_s=accents(levels, beats, rng),
        accent=float(np.clip(rng.exponential(0.4), 0, 1)) if rng.random() < 0.55 else 0.0,
        burst=float(1.7 * rng.beta(1.1, 1.6) if form == "moving" else 2.0 * rng.beta(1.3, 1.5)),
        shake=_shake(latent, form, rng),
        change=float(rng.uniform(0.1, 0.85)),
        breath=float(np.clip(rng.exponential(0.2), 0, 1)) if rng.random() < 0.15 else 0.0,
        pace_hz=float(np.clip(pace * rng.normal(1, 0.03), 0, 4)) if rng.random() < 0.5 else 0.0,
        detail=float(rng.uniform(0.1, 0.9)),
        soft=float(rng.beta(1.2, 2.5)),
        grain=float(np.clip(np.exp(rng.normal(-0.4, 0.9)), 0, 6)) if rng.random() < 0.8 else 0.0,
        still_grain=bool(rng.random() < 0.5),
        overlays=tuple(name for name, share in OVERLAY_SHARES.items() if rng.random() < share),
        seed=int(rng.integers(2**31)),
    )


def _reading(curve: Curve, rng: np.random.Generator, noise: float, lean: float) -> Curve:
    """The curve as one medium reads it (``studio.pairs.reading``), but not clipped at 0 and 1: ranks need no bounds."""
    power, shift = float(np.exp(rng.normal(0, 0.15))), float(rng.normal(lean, noise))
    wobble = noise * 0.6 * rng.standard_normal(len(curve))
    return tuple((at, float(level**power + shift + w)) for (at, level), w in zip(curve, wobble, strict=True))


def _shift(rank: float, noise: float, shift: float) -> float:
    """A rank moved by a chance that the whole film shares."""
    return spread.rank_of_score(np.sqrt(1 - noise**2) * spread.normal_score(rank) + noise * shift)


def _form(liveliness: float, rng: np.random.Generator) -> str:
    weights = np.array([calm + (lively - calm) * liveliness for calm, lively in (FORM_WEIGHTS[form] for form in FORMS)])
    return str(rng.choice(FORMS, p=weights / weights.sum()))


def _look(latent: Latent, warm: float, palette: str, rng: np.random.Generator) -> Look:
    """The look: each reading of the latent at its real value, with chance."""
    readings = {
        "brightness": 0.15 + 0.65 * latent.valence - 0.25 * (latent.tension - 0.4) + rng.normal(0, 0.09),
        "contrast": 0.1 + 0.75 * latent.tension + rng.normal(0, 0.1),
        "warmth": 0.15 + 0.7 * warm + rng.normal(0, 0.06),
    }
    values = {}
    for name, value in readings.items():
        rank = spread.blur_rank(float(spread.rank_of(name, value)), NOISE[name], rng)
        values[name] = float(spread.real(name, rank))
    # Dark and glaring pictures have less colour; red or blue ones have as much as their warmth needs.
    light = spread.normal_score(float(np.interp(values["brightness"], spread.REAL["brightness"], spread.RANKS)))
    lean = spread.normal_score(float(np.interp(values["warmth"], spread.REAL["warmth"], spread.RANKS)))
    score = (
        0.55 * SATURATION[palette] + 0.8 * float(rng.standard_normal()) + 0.45 * (0.3 * abs(lean) - abs(light)) - 0.25
    )
    colourful = float(spread.real("colourfulness", spread.rank_of_score(score)))
    needed = colour_of_warmth(values["brightness"], values["contrast"], values["warmth"])
    return Look(values["brightness"], values["contrast"], min(1.0, max(colourful, needed)), values["warmth"])


def _shake(latent: Latent, form: str, rng: np.random.Generator) -> float:
    """The share of motion that a hand makes: likelier and larger with tension."""
    by_hand = rng.random() < (0.15 + 0.35 * latent.tension if form in ("moving", "locked", "talk") else 0.0)
    return float(np.clip(0.15 + 0.5 * latent.tension + rng.normal(0, 0.12), 0.05, 0.8)) if by_hand else 0.0


def _cuts(
    form: str, levels: Curve, tempo_bpm: float, beats: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, ...]:
    """Cuts on beats and, where they come fast, between; closer together where tempo and energy are high."""
    lively = float(np.mean([level for _, level in levels]))
    if rng.random() < UNCUT[form] * (1.4 - 0.8 * lively):
        return ()
    at, waits = zip(*WAITS_S, strict=True)
    stretch = float(np.exp(rng.normal(0, 0.5))) * (115 / tempo_bpm) ** 0.7 * (2.0 if form == "screen" else 1.0)
    if rng.random() < FRANTIC:
        stretch *= 0.2
    grid = np.interp(np.arange(4 * len(beats) - 3) / 4, np.arange(len(beats)), beats)
    cuts: list[float] = []
    last = -rng.uniform(0, 3)
    for k, (beat, level) in enumerate(zip(grid, level_at(levels, grid), strict=True)):
        wait = stretch * float(np.exp(np.interp(level, at, np.log(waits))))
        on_grid = k % 4 == 0 or (k % 2 == 0 and wait < 0.6) or wait < 0.3
        if on_grid and beat - last >= wait and beat > 0.4:
            cuts.append(round(float(beat), 3))
            last = float(beat)
    return tuple(cuts)


def track(latent: Latent, rng: np.random.Generator) -> Track:
    """Music for a latent, with its players and its recording."""
    music = music_recipe(latent, rng)
    by_hand = rng.random() < (0.8 if latent.style in PLAYED else 0.3)
    hand = Hand(
        late_s=float(np.clip(rng.exponential(0.009), 0, 0.03)) if by_hand else 0.0,
        uneven=float(rng.uniform(0.05, 0.45)) if by_hand else 0.0,
        drift=float(rng.uniform(0.0, 0.03)) if by_hand and rng.random() < 0.6 else 0.0,
        drift_hz=float(rng.uniform(0.03, 0.15)),
        drift_phase=float(rng.uniform(0, 2 * np.pi)),
        slower=float(np.exp(abs(rng.normal(0, 1.2)))),
        longer=float(np.exp(rng.normal(-0.45, 0.45))),
        detune_cents=float(rng.exponential(3.0)) if by_hand else 0.0,
        vibrato_cents=float(rng.exponential(8.0)) if by_hand else 0.0,
        missing=tuple(part for part, share in MISSING.items() if rng.random() < share),
        drums=float(rng.choice([0.0, rng.uniform(0.2, 0.7), 1.0], p=[0.12, 0.22, 0.66])),
    )
    return Track(music, hand, recording(rng))


def recording(rng: np.random.Generator) -> Recording:
    """A random recording, which carries no information about the latent."""
    return Recording(
        tuning_cents=float(np.clip(rng.normal(0, 12), -40, 40)) if rng.random() < 0.6 else 0.0,
        wow_cents=float(rng.exponential(5.0)) if rng.random() < 0.2 else 0.0,
        wet=float(rng.beta(1.0, 5.0)) if rng.random() < 0.5 else 0.0,
        decay_s=float(np.exp(rng.normal(-0.7, 0.6))),
        noise_db=float(rng.uniform(-90, -55)) if rng.random() < 0.35 else -120.0,
        hiss=1.0,
        hum=float(rng.random()) if rng.random() < 0.15 else 0.0,
        crackle=float(rng.random()) if rng.random() < 0.12 else 0.0,
        top_hz=float(rng.uniform(3_500, 8_000)) if rng.random() < 0.12 else float(rng.uniform(10_000, 20_000)),
        drive_db=float(rng.uniform(0, 10)) if rng.random() < 0.3 else 0.0,
        ratio_to_one=float(rng.uniform(1.0, 3.0)) if rng.random() < 0.35 else 1.0,
        side=float(rng.choice([0.0, 0.5, 1.0], p=[0.15, 0.25, 0.6])),
        tone_noise=MUSIC_NOISE["tone"],
        level_noise=MUSIC_NOISE["level"],
    )
