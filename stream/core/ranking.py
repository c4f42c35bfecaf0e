"""Candidates and the state of the stream -> scores, with the parts that a score is made of.

A score is the weighted mean of three parts, each in [0, 1], plus what taste, history and speech add or take off:

*content*: how near the segment's vector is to the window's, and the matcher's opinion where the bundle has one. Both
are read absolutely and relative to the other candidates: retrieval returns near neighbours, whose absolute values
hardly differ, so half of the part says how a candidate stands among them.

*rhythm*: does the pulse of the pictures fit the track's tempo (octaves folded: 60 fits 120), as far as the visual tempo
can be trusted; and does the amount of motion fit how dense and strong the beats are.

*mood*: distance of the two points on ``features.spec.MOOD_AXES``. A bundle without a mood graph says nothing of mood;
then the energy that colour and motion suggest is compared with the energy that tempo and beats suggest.

*Steering* takes up to ``STEER_SHARE`` of the score and gives it to how far that way a candidate stands in the whole
catalogue (``catalog.standing``), which the search has leant to already; the parts say what they said. Steered nowhere,
every number is as if steering did not exist.

Everything here is a pure function; ties are broken by track id.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate
from features.motion import VisualTempo
from features.spec import CLIP_S

from .events import Reasons, Steer, Weights

Floats = NDArray[np.float64]

STILL, FAST = 0.02, 2.0  # frame widths per second: the ends of the motion scale, which is logarithmic
SLOW_BPM, QUICK_BPM = 60.0, 180.0
TEMPO_SHARE = 0.7  # of rhythm, at full confidence; the rest always compares motion with the beats
MOOD_REACH = 0.2  # root-mean-square distance on the axes at which mood is 0.5: about what the mood head errs by
NO_PULSE = 0.5  # of how far rhythm may be from the middle where the music has none
STEER_SHARE = 0.7  # of the score, for the whole of a dial
LOGIT_BOUND = 1e-4  # scores this close to 0 or 1 are not told apart


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the pictures are like now. ``speed``: frame widths per second; colours and ``mood`` (3,) in [0, 1]."""

    tempo: VisualTempo
    speed: float
    brightness: float
    contrast: float
    colourfulness: float
    warmth: float
    mood: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A candidate with its score in [0, 1] and the parts of it. ``adjust`` is in the score already, as far as that
    stays in [0, 1]; ``steered`` is what of it steering added or took off."""

    candidate: Candidate
    score: float
    reasons: Reasons
    adjust: float = 0.0
    steered: float = 0.0


def rank(
    candidates: Sequence[Candidate],
    matches: Floats | None,
    now: Pictures,
    weights: Weights | None = None,
    steer: Steer | None = None,
    adjusts: Floats | None = None,
) -> list[Ranked]:
    """Best first. In the order of ``candidates``: ``matches``, the matcher's scores (n,) in [0, 1], and ``adjusts``,
    what is to be added to each score (n,); None for none."""
    if not candidates:
        return []
    weights = weights or Weights()
    lean = () if steer is None else steer.lean
    contents = content(np.array([c.similarity for c in candidates], np.float64), matches)
    energies = music_energy(candidates)
    added = np.zeros(len(candidates)) if adjusts is None else adjusts
    ranked = []
    for candidate, part, energy, adjust in zip(
        candidates, contents.tolist(), energies.tolist(), added.tolist(), strict=True
    ):
        reasons = Reasons(
            part,
            rhythm(now, candidate.track.tempo_bpm, energy),
            mood(now, candidate.mood, energy),
        )
        leant = steered(weighted(reasons, weights), lean, candidate.standing)
        adjust += leant
        ranked.append(Ranked(candidate, total(reasons, weights, adjust), reasons, adjust, leant))
    return sorted(ranked, key=order)


def order(ranked: Ranked) -> tuple[float, str]:
    """Sort key: best score first, then by track id."""
    return -ranked.score, ranked.candidate.track.id


def weighted(reasons: Reasons, weights: Weights) -> float:
    """The mean of the parts."""
    mass = weights.content + weights.rhythm + weights.mood
    return (weights.content * reasons.content + weights.rhythm * reasons.rhythm + weights.mood * reasons.mood) / mass


def total(reasons: Reasons, weights: Weights, adjust: float) -> float:
    """The score: the mean of the parts and what is added to it, kept in [0, 1]."""
    return _unit(weighted(reasons, weights) + adjust)


def content(similarities: Floats, matches: Floats | None) -> Floats:
    """(n,) in [0, 1] from cosines (n,) in [-1, 1] and the matcher's scores (n,) in [0, 1], if any."""
    absolute = (1.0 + np.clip(similarities, -1.0, 1.0)) / 2.0
    relative = spread(similarities)
    if matches is not None:
        bounded = np.clip(matches, LOGIT_BOUND, 1.0 - LOGIT_BOUND)
        absolute = (absolute + np.clip(matches, 0.0, 1.0)) / 2.0
        relative = (relative + spread(np.log(bounded / (1.0 - bounded)))) / 2.0
    return np.asarray((absolute + relative) / 2.0)


def spread(values: Floats) -> Floats:
    """Values -> (0, 1) by their standard score through a logistic curve; 0.5 for all when they do not differ."""
    deviation = float(values.std())
    if deviation < 1e-6:
        return np.full(values.shape, 0.5)
    return np.asarray(1.0 / (1.0 + np.exp(-(values - values.mean()) / deviation)))


def steered(score: float, lean: Sequence[float], standing: NDArray[np.float32] | None) -> float:
    """What steering adds to a score: ``STEER_SHARE`` of it, as far as the furthest dial is turned, gives way to where a
    candidate stands on the dials that are turned. 0 without either."""
    if not lean or standing is None:
        return 0.0
    turned = [abs(part) for part in lean]
    places: list[float] = standing.tolist()
    place = sum(part * at for part, at in zip(lean, places, strict=True)) / sum(turned)
    return STEER_SHARE * max(turned) * ((1.0 + place) / 2.0 - score)


def rhythm(now: Pictures, tempo_bpm: float, energy: float) -> float:
    """Pulse against pulse, weighed by the confidence of the visual one, and motion against the music's energy. Of music
    without a pulse less can be said: it is neither right nor wrong."""
    fit = 1.0 - abs(motion_energy(now.speed) - energy)
    if tempo_bpm <= 0:
        return 0.5 + NO_PULSE * (fit - 0.5)
    if now.tempo.bpm <= 0:
        return fit
    trust = TEMPO_SHARE * min(1.0, max(0.0, now.tempo.confidence))
    return trust * tempo_fit(now.tempo.bpm, tempo_bpm) + (1.0 - trust) * fit


def pace(tempo_bpm: float) -> float:
    """Beats per minute -> [0, 1], linear between ``SLOW_BPM`` and ``QUICK_BPM``; 0 without a pulse."""
    return _unit((tempo_bpm - SLOW_BPM) / (QUICK_BPM - SLOW_BPM)) if tempo_bpm > 0 else 0.0


def tempo_fit(first_bpm: float, second_bpm: float) -> float:
    """1 for equal tempi and whole octaves apart, 0 for half an octave apart, a cosine between."""
    octaves = math.log2(first_bpm / second_bpm)
    return 0.5 + 0.5 * math.cos(2.0 * math.pi * octaves)


def motion_energy(speed: float) -> float:
    """Frame widths per second -> [0, 1], logarithmic between ``STILL`` and ``FAST``."""
    return _unit(math.log(max(speed, STILL) / STILL) / math.log(FAST / STILL))


def music_energy(candidates: Sequence[Candidate]) -> Floats:
    """(n,) in [0, 1]: tempo and beats per second on a fixed scale, beat strength against the other candidates'."""
    paces = np.array([pace(c.track.tempo_bpm) for c in candidates], np.float64)
    beats, strengths = _beats(candidates)
    density = beats / (QUICK_BPM / 60.0)
    return np.asarray((paces + np.clip(density, 0, 1) + 2.0 * spread(strengths)) / 4.0)


def mood(now: Pictures, music: NDArray[np.float32] | None, energy: float) -> float:
    """In [0, 1]; ``energy`` stands in where one side has no mood."""
    if now.mood is None or music is None:
        return 1.0 - abs(scene_energy(now) - energy)
    pairs = zip(now.mood.tolist(), music.tolist(), strict=True)  # plain numbers: three are too few for arrays
    distance = math.sqrt(sum((axis - other) ** 2 for axis, other in pairs) / 3.0)
    return 1.0 / (1.0 + (distance / MOOD_REACH) ** 2)


def scene_energy(now: Pictures) -> float:
    """In [0, 1]: half of it motion, half of it colour (colourful, contrasting, bright)."""
    colour = (2.0 * now.colourfulness + now.contrast + now.brightness) / 4.0
    return _unit((motion_energy(now.speed) + colour) / 2.0)


def _beats(candidates: Sequence[Candidate]) -> tuple[Floats, Floats]:
    """(n,) and (n,): beats per second and mean beat strength over the valid clips of each segment; 0 without any."""
    valid = np.stack([c.mask for c in candidates])
    sums = (np.stack([c.rhythm for c in candidates]).astype(np.float64) * valid[..., None]).sum(axis=1)
    means = sums / np.maximum(valid.sum(axis=1, keepdims=True), 1)
    return means[:, 0] / CLIP_S, means[:, 1]


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
