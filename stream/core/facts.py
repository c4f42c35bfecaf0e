"""What speaks for a suggestion, in facts that a person can check by eye and ear; `fact_words.py` has the texts.

Each fact that holds has a strength in [0, 1]; a row shows its two strongest. The facts that a row showed before go
first while they still hold, with the same figures unless these have moved, so that rows can be read. A row that would
show the same as a row above it shows another fact, if there is one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from catalog.records import Candidate, is_vocal
from features.footage import speed_place
from features.spec import CLIP_S

from . import fact_words as words
from .events import Fact, Steer
from .place import in_words
from .ranking import Pictures, Ranked, place, steering, tempo_fit

MOST: Final = 2
KEPT: Final = 64  # rows whose facts are remembered
HOLDS: Final = 0.15  # a fact that is shown may lose this much before another takes its place
ORDER: Final = 0.05  # by which the second must be ahead to become the first
MOVED: Final = 0.08  # of a figure: a smaller change is not shown
CONFIDENT: Final = 0.3  # of the visual tempo
FITS: Final = 0.85  # tempo_fit from which on two pulses count as equal
REGULAR: Final = 0.12  # deviation of the times between cuts, by their mean, up to which they are a pulse
MIN_CUTS: Final = 4
SOFT_LUFS, LOUD_LUFS = -20.0, -13.0
CALM, FAST = 0.35, 0.65  # of the motion in real footage
DENSE: Final = 3.0  # beats a second that go with the fastest motion
AGREES: Final = 0.2  # motion and beats, on their scales
AHEAD: Final = 0.03  # of the second best in the list
DARK, BRIGHT = 0.25, 0.6
CLEAR: Final = 0.12  # how far from the middle an axis of mood must be to have a name
LEANS_TOO: Final = 0.15  # how far from the middle of the catalogue a track must stand on the place's side
NEAR: Final = 0.2  # two moods on an axis


@dataclass(frozen=True, slots=True)
class Setting:
    """What facts need beside the pictures: the times between the latest cuts, whether somebody speaks, and for a row's
    track the title of the liked track that it is most like; what the source calls what is on air, and where that leans.
    """

    cuts_s: tuple[float, ...] = ()
    speech: bool = False
    like: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    lean: Steer = field(default_factory=Steer)


class Facts:
    """State: the facts that the latest rows showed."""

    def __init__(self) -> None:
        self._previous: dict[str, tuple[Fact, ...]] = {}

    def of(self, rows: Sequence[Ranked], now: Pictures, setting: Setting) -> list[tuple[Fact, ...]]:
        """At most two facts for each row."""
        chosen: list[tuple[Fact, ...]] = []
        for row, firsts in zip(rows, _firsts(rows), strict=True):
            track = row.candidate.track.id
            before = {fact.kind: fact for fact in self._previous.get(track, ())}
            bonus = {fact.kind: HOLDS - ORDER * place for place, fact in enumerate(self._previous.get(track, ()))}
            known = [*_all(row, now, setting), *firsts]
            strengths = [strength + bonus.get(fact.kind, 0.0) for strength, fact in known]
            ordered = sorted(range(len(known)), key=strengths.__getitem__)[::-1]
            facts = [_steady(known[at][1], before.get(known[at][1].kind)) for at in ordered]
            chosen.append(_unlike(facts, chosen))
            self._previous.pop(track, None)
            self._previous[track] = chosen[-1]
        while len(self._previous) > KEPT:
            del self._previous[next(iter(self._previous))]
        return chosen


def _all(row: Ranked, now: Pictures, setting: Setting) -> list[tuple[float, Fact]]:
    """Every fact that holds, with its strength."""
    parts = (_pulse(row, now, setting), _energy(row, now), _mood(row, now), _taste(row, setting), _voice(row, setting))
    facts = [part for part in (*parts, _placed(row, setting)) if part is not None]
    return [*facts, _likeness(row), *_plain(row)]


def _pulse(row: Ranked, now: Pictures, setting: Setting) -> tuple[float, Fact] | None:
    bpm = row.candidate.track.tempo_bpm
    if bpm <= 0:
        return None
    every_s = _cut_pulse(setting.cuts_s)
    if every_s is not None and tempo_fit(60.0 / every_s, bpm) >= FITS:
        return 0.95, words.cut_pulse(bpm, every_s)
    if now.tempo.confidence >= CONFIDENT and tempo_fit(now.tempo.bpm, bpm) >= FITS:
        return 0.6 + 0.4 * now.tempo.confidence, words.picture_pulse(bpm, now.tempo.bpm)
    return None


@lru_cache(maxsize=16)  # one for all rows
def _cut_pulse(cuts_s: tuple[float, ...]) -> float | None:
    """The mean time between the latest cuts, where they are a pulse."""
    if len(cuts_s) < MIN_CUTS:
        return None
    cuts = np.asarray(cuts_s)
    return float(cuts.mean()) if cuts.std() <= REGULAR * cuts.mean() else None


def _energy(row: Ranked, now: Pictures) -> tuple[float, Fact] | None:
    """The amount of motion against how loud and dense the music is, where they agree."""
    motion = speed_place(now.speed)
    lufs = None if row.candidate.outline is None else row.candidate.outline.lufs
    if lufs is not None and motion <= CALM and lufs <= SOFT_LUFS:
        return 0.7, words.soft(now.speed, lufs)
    if lufs is not None and motion >= FAST and lufs >= LOUD_LUFS:
        return 0.65, words.loud(now.speed, lufs)
    beats = beats_per_s(row.candidate)
    if beats > 0.0 and abs(motion - beats / DENSE) <= AGREES:
        return 0.4 + 0.3 * abs(2.0 * motion - 1.0), words.beats(now.speed, beats)
    return None


def _mood(row: Ranked, now: Pictures) -> tuple[float, Fact] | None:
    """The axes on which picture and music lie on the same side of the middle, close to one another."""
    if now.mood is None or row.candidate.mood is None:
        return None
    if now.mood_places is None:
        pictures, music = now.mood.tolist(), row.candidate.mood.tolist()
    else:  # more cheerful than most footage, and than most of the catalogue
        pictures = now.mood_places.tolist()
        music = [place(at) for at in row.candidate.standing[: len(row.candidate.mood)].tolist()]
    alike = [
        (float(min(abs(picture - 0.5), abs(track - 0.5))), axis, picture > 0.5)
        for axis, (picture, track) in enumerate(zip(pictures, music, strict=True))
        if (picture - 0.5) * (track - 0.5) > 0 and abs(picture - track) <= NEAR and abs(track - 0.5) >= CLEAR
    ]
    if not alike:
        return None
    sides = sorted(alike, reverse=True)[:2]
    light = "dark" if now.brightness <= DARK else "bright" if now.brightness >= BRIGHT else ""
    fact = words.mood(sorted((axis, high) for _, axis, high in sides), light, row.reasons.mood)
    return 0.45 + 0.5 * row.reasons.mood * min(1.0, 3.0 * sides[0][0]), fact


def _taste(row: Ranked, setting: Setting) -> tuple[float, Fact] | None:
    title = setting.like.get(row.candidate.track.id)
    return None if not title else (0.9, words.liked(title, row.adjust))


def _voice(row: Ranked, setting: Setting) -> tuple[float, Fact] | None:
    if not setting.speech:
        return None
    track = row.candidate.track
    tagged = any("instrumental" in tag.casefold() for tag in track.tags)
    instrumental = tagged if track.vocals is None and track.sung is None else not is_vocal(track)
    return (0.8, words.instrumental()) if instrumental else None


def _likeness(row: Ranked) -> tuple[float, Fact]:
    return 0.05, words.pictures(row.reasons.content)


def _placed(row: Ranked, setting: Setting) -> tuple[float, Fact] | None:
    """The track stands where the name of the place leans."""
    lean = setting.lean.lean
    if not lean:
        return None
    share, stands = steering(lean, row.candidate.standing)
    at = 2.0 * stands - 1.0
    return (0.7, words.placed(setting.place, in_words(setting.lean), at)) if share and at >= LEANS_TOO else None


def _plain(row: Ranked) -> list[tuple[float, Fact]]:
    """What is true of any track, for rows that would otherwise look like others."""
    outline = row.candidate.outline
    return [(0.1, words.loudness(outline.lufs))] if outline is not None and math.isfinite(outline.lufs) else []


def _firsts(rows: Sequence[Ranked]) -> list[list[tuple[float, Fact]]]:
    """For each row, the parts of the score in which it is ahead of all others; the lead adds to the strength."""
    firsts: list[list[tuple[float, Fact]]] = [[] for _ in rows]
    if len(rows) > 1:
        for part in ("content", "rhythm", "mood"):
            values = [float(getattr(row.reasons, part)) for row in rows]
            best = values.index(max(values))
            lead = values[best] - sorted(values)[-2]
            if lead >= AHEAD:
                firsts[best].append((min(0.6, 0.42 + lead), words.first(part, values[best])))
    return firsts


def beats_per_s(candidate: Candidate) -> float:
    """Mean beats a second over the valid clips of the segment."""
    valid = candidate.rhythm[candidate.mask]
    return float(np.add.reduce(valid[:, 0]) / len(valid)) / CLIP_S if len(valid) else 0.0


def _steady(fact: Fact, before: Fact | None) -> Fact:
    """The fact as it was shown, unless its figure has moved."""
    if before is None or before.value is None or fact.value is None:
        return fact
    return before if abs(fact.value - before.value) <= MOVED * max(abs(before.value), 1e-9) else fact


def _unlike(facts: Sequence[Fact], above: Sequence[tuple[Fact, ...]]) -> tuple[Fact, ...]:
    """The first two facts that are not together those of a row above."""
    above_texts = [{fact.text for fact in row} for row in above]
    first = tuple(facts[:MOST])
    if {fact.text for fact in first} not in above_texts:
        return first
    for other in facts[MOST:]:
        if {facts[0].text, other.text} not in above_texts:
            return facts[0], other
    return first
