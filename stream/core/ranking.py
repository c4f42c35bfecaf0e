"""Candidates and the state of the stream -> scores, with the parts that a score is made of.

A score is the weighted mean of three parts, each in [0, 1], plus what taste, history and speech add or take off:

Towers have favourites: some music is near to any picture. So no part takes a distance or a speed alone. Each part
compares it with what is usual for *this* music or these pictures: with real footage (the bundle's bank,
``features.footage``) and with the rest of the catalogue (``catalog.standing``).

*content*: how near the segment's vector is to the window's, more than to those of the bank's footage; and relative to
the other candidates, since retrieval returns near neighbours. The matcher counts there, where the bundle has one.

*rhythm*: does the pulse of the pictures fit the track's tempo (octaves folded: 60 fits 120), as far as the visual tempo
can be trusted; and does the place of the motion, from the stillest footage to the wildest, fit that of the music, from
the calmest of the catalogue to the most energetic.

*mood*: distance of two points on ``features.spec.MOOD_AXES``: each side's place on them, among real footage and in the
catalogue, or where the bundle has no bank the moods themselves. A bundle without a mood graph knows no mood;
then the energy that colour and motion suggest is compared with the music's.

*Steering* takes up to ``STEER_SHARE`` of the score and gives it to how far that way a candidate stands in the whole
catalogue (``catalog.standing``), which the search has leant to already; the parts stay the same. With all dials
at 0, every number is as if steering did not exist.

Everything here is a pure function; ties are broken by track id.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate
from features.footage import speed_place
from features.motion import VisualTempo

from .events import Reasons, Steer, Weights

Floats = NDArray[np.float64]

TEMPO_SHARE = 0.7  # of rhythm, at full confidence; the rest always compares the places of motion and music
MOOD_REACH = 0.2  # root-mean-square distance on the axes at which mood is 0.5: about what the mood head errs by
PLACES_REACH = 0.3  # the same between places, which are spread evenly
NO_PULSE = 0.5  # of how far rhythm may be from the middle where the music has none
STEER_SHARE = 0.7  # of the score, for the whole of a dial
LOGIT_BOUND = 1e-4  # scores this close to 0 or 1 count as equal


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the pictures are like now. ``speed``: frame widths per second; colours and ``mood`` (3,) in [0, 1];
    ``mood_places`` (3,): the share of the bank's footage whose mood is lower, None without a bank."""

    tempo: VisualTempo
    speed: float
    brightness: float
    contrast: float
    colourfulness: float
    warmth: float
    mood: NDArray[np.float32] | None
    mood_places: NDArray[np.float64] | None = None


@dataclass(slots=True, eq=False)
class Ranked:
    """A candidate with its score in [0, 1] and the parts of it. ``adjust`` is in the score already, as far as that
    stays in [0, 1], and so is steering: ``steer_score`` replaced ``share`` of the mean of the parts. Never changed; not
    frozen, since a hop makes dozens (see ``Candidate``)."""

    candidate: Candidate
    score: float
    reasons: Reasons
    adjust: float = 0.0
    share: float = 0.0
    steer_score: float = 0.0

    def added(self, weights: Weights) -> float:
        """What is added to the mean of the parts: ``adjust`` and steering."""
        return self.adjust + self.share * (self.steer_score - weighted(self.reasons, weights))


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
    stands = np.concatenate([c.standing for c in candidates]).reshape(len(candidates), -1)
    contents = content([c.similarity for c in candidates], [c.zscore for c in candidates], matches).tolist()
    energies = [place(stand) for stand in stands[:, 0].tolist()]
    rhythms = _rhythms(now, [c.track.tempo_bpm for c in candidates], energies)
    moods = _moods(now, candidates, stands, energies)
    added = [0.0] * len(candidates) if adjusts is None else adjusts.tolist()
    lean = () if steer is None else steer.lean
    steered = [steering(lean, stand) for stand in stands] if lean else [(0.0, 0.0)] * len(candidates)
    shares, steers = zip(*steered, strict=True)
    reasons = list(map(Reasons, contents, rhythms, moods))
    scores = totals(reasons, weights, added, shares, steers)
    return best_first(list(map(Ranked, candidates, scores, reasons, added, shares, steers)))


def order(ranked: Ranked) -> tuple[float, str]:
    """Sort key: best score first, then by track id."""
    return -ranked.score, ranked.candidate.track.id


def best_first(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Sorted by ``order``."""
    keys = [(-entry.score, entry.candidate.track.id) for entry in ranked]
    return [ranked[at] for at in sorted(range(len(keys)), key=keys.__getitem__)]


def weighted(reasons: Reasons, weights: Weights) -> float:
    """The mean of the parts."""
    mass = weights.content + weights.rhythm + weights.mood
    return (weights.content * reasons.content + weights.rhythm * reasons.rhythm + weights.mood * reasons.mood) / mass


def totals(
    reasons: Sequence[Reasons],
    weights: Weights,
    adjusts: Sequence[float],
    shares: Sequence[float],
    steer_scores: Sequence[float],
) -> list[float]:
    """The score of each candidate: the mean of the parts and what is added to it, kept in [0, 1]."""
    mass = weights.content + weights.rhythm + weights.mood
    of_content, of_rhythm, of_mood = weights.content, weights.rhythm, weights.mood
    scores = []
    for parts, adjust, share, steer_score in zip(reasons, adjusts, shares, steer_scores, strict=True):
        mean = (of_content * parts.content + of_rhythm * parts.rhythm + of_mood * parts.mood) / mass
        score = mean + (adjust + share * (steer_score - mean))
        scores.append(score if 0.0 <= score <= 1.0 else _unit(score))
    return scores


def scored(
    candidate: Candidate,
    reasons: Reasons,
    weights: Weights,
    adjust: float = 0.0,
    share: float = 0.0,
    steer_score: float = 0.0,
) -> Ranked:
    """A candidate with its score."""
    [score] = totals([reasons], weights, [adjust], [share], [steer_score])
    return Ranked(candidate, score, reasons, adjust, share, steer_score)


def content(similarities: Sequence[float], zscores: Sequence[float | None], matches: Floats | None) -> Floats:
    """(n,) in [0, 1] from cosines in [-1, 1], the same as standard scores where all have one, and the matcher's scores
    (n,) in [0, 1], if any."""
    near = np.asarray(similarities, np.float64)
    absolute = (1.0 + np.minimum(np.maximum(near, -1.0), 1.0)) / 2.0
    if None not in zscores:
        near = np.asarray(zscores, np.float64)
        absolute = 1.0 / (1.0 + np.exp(-near))
    relative = spread(near)
    if matches is not None:
        bounded = np.minimum(np.maximum(matches, LOGIT_BOUND), 1.0 - LOGIT_BOUND)
        relative = (relative + spread(np.log(bounded / (1.0 - bounded)))) / 2.0
    return np.asarray((absolute + relative) / 2.0)


def spread(values: Floats) -> Floats:
    """Values -> (0, 1) by their standard score through a logistic curve; 0.5 for all when they do not differ."""
    centred = values - np.add.reduce(values) / len(values)
    deviation = math.sqrt(float(np.add.reduce(centred * centred)) / len(values))
    if deviation < 1e-6:
        return np.full(values.shape, 0.5)
    return np.asarray(1.0 / (1.0 + np.exp(-centred / deviation)))


def steering(lean: Sequence[float], standing: NDArray[np.float32]) -> tuple[float, float]:
    """The share of a score that steering takes, by the dial that is turned furthest, and the value in its place: where
    a candidate stands on the turned dials, in [0, 1]. Zeros if no dial is turned."""
    if not lean:
        return 0.0, 0.0
    turned = [abs(part) for part in lean]
    stands: list[float] = standing.tolist()
    at = sum(part * where for part, where in zip(lean, stands, strict=True)) / sum(turned)
    return STEER_SHARE * max(turned), place(at)


def place(standing: float) -> float:
    """[-1, 1] -> [0, 1]."""
    return (1.0 + standing) / 2.0


def rhythm(now: Pictures, tempo_bpm: float, energy: float) -> float:
    """Pulse against pulse, weighed by the confidence of the visual one, and motion against the music's energy, each by
    its place. Music without a pulse stays nearer to the middle."""
    return _rhythms(now, [tempo_bpm], [energy])[0]


def _rhythms(now: Pictures, tempi_bpm: Sequence[float], energies: Sequence[float]) -> list[float]:
    """``rhythm`` of each candidate; ``energies``: the places of their music."""
    motion, pulse = speed_place(now.speed), now.tempo.bpm
    trust = TEMPO_SHARE * min(1.0, max(0.0, now.tempo.confidence))
    fits = []
    for tempo_bpm, energy in zip(tempi_bpm, energies, strict=True):
        fit = 1.0 - abs(motion - energy)
        if tempo_bpm <= 0:
            fit = 0.5 + NO_PULSE * (fit - 0.5)
        elif pulse > 0:
            fit = trust * tempo_fit(pulse, tempo_bpm) + (1.0 - trust) * fit
        fits.append(fit)
    return fits


def tempo_fit(first_bpm: float, second_bpm: float) -> float:
    """1 for equal tempi and whole octaves apart, 0 for half an octave apart, a cosine between."""
    octaves = math.log2(first_bpm / second_bpm)
    return 0.5 + 0.5 * math.cos(2.0 * math.pi * octaves)


def mood(now: Pictures, music: Candidate) -> float:
    """In [0, 1]; energy stands in where one side has no mood."""
    return _moods(now, [music], music.standing[None], [place(float(music.standing[0]))])[0]


def _moods(
    now: Pictures, candidates: Sequence[Candidate], stands: NDArray[np.float32], energies: Sequence[float]
) -> list[float]:
    """``mood`` of each candidate; ``stands`` (n, 4): where each stands; ``energies``: the first of that as places."""
    energy = scene_energy(now)
    by_energy = [1.0 - abs(energy - own) for own in energies]
    if now.mood is None:
        return by_energy
    if now.mood_places is None:
        here, reach = now.mood.tolist(), MOOD_REACH
        points = [[] if c.mood is None else c.mood.tolist() for c in candidates]
    else:
        here, reach = now.mood_places.tolist(), PLACES_REACH
        points = ((1.0 + stands[:, : len(here)]) / 2.0).tolist()
    near = []  # 1 where two points are one, 0.5 at the distance ``reach`` (root-mean-square over the axes)
    for candidate, point, other in zip(candidates, points, by_energy, strict=True):
        if candidate.mood is None:
            near.append(other)
            continue
        squares = [(left - right) ** 2 for left, right in zip(here, point, strict=True)]
        near.append(1.0 / (1.0 + (math.sqrt(sum(squares) / len(squares)) / reach) ** 2))
    return near


def scene_energy(now: Pictures) -> float:
    """In [0, 1]: half of it motion, half of it colour (colourful, contrasting, bright)."""
    colour = (2.0 * now.colourfulness + now.contrast + now.brightness) / 4.0
    return _unit((speed_place(now.speed) + colour) / 2.0)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
