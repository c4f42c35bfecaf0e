"""What speaks for a suggestion, in facts that a person can check by eye and ear; `fact_words.py` says them.

Each fact that holds has a strength in [0, 1]; a row tells its two strongest. What a row told before goes first while it
still holds, with the figures it had unless they have moved, so that rows can be read. A row that would tell the same
as one above it tells something else, as long as there is something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from catalog.records import Candidate, is_vocal
from features.footage import speed_place
from features.spec import CLIP_S

from . import fact_words as words
from .events import Fact
from .ranking import Pictures, Ranked, place, tempo_fit

MOST: Final = 2
KEPT: Final = 64  # rows whose facts are remembered
HOLDS: Final = 0.15  # a fact that is told may lose this much before another takes its place
ORDER: Final = 0.05  # by which the second must be ahead to be told first
MOVED: Final = 0.08  # of a figure: less than this is no news
CONFIDENT: Final = 0.3  # of the visual tempo
FITS: Final = 0.85  # tempo_fit from which on two pulses are one
REGULAR: Final = 0.12  # deviation of the times between cuts, by their mean, up to which they are a pulse
MIN_CUTS: Final = 4
SOFT_LUFS, LOUD_LUFS = -20.0, -13.0
CALM, FAST = 0.35, 0.65  # of the motion in real footage
DENSE: Final = 3.0  # beats a second that go with the fastest motion
AGREES: Final = 0.2  # motion and beats, on their scales
AHEAD: Final = 0.03  # of the second best in the list
DARK, BRIGHT = 0.25, 0.6
CLEAR: Final = 0.12  # how far from the middle an axis of mood must be to have a name
NEAR: Final = 0.2  # two moods on an axis


@dataclass(frozen=True, slots=True)
class Setting:
    """What facts are about, beside the pictures: the times between the cuts of late, whether somebody speaks, and the
    titles of liked tracks that a row is most like."""

    cuts_s: tuple[float, ...] = ()
    speech: bool = False
    like: Mapping[str, str] = field(default_factory=dict)


class Facts:
    """State: what the rows of late told."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Fact, ...]] = {}

    def of(self, rows: Sequence[Ranked], now: Pictures, setting: Setting) -> list[tuple[Fact, ...]]:
        """At most two facts for each row."""
        found: list[tuple[Fact, ...]] = []
        for row, firsts in zip(rows, _firsts(rows), strict=True):
            track = row.candidate.track.id
            before = {fact.kind: fact for fact in self._told.get(track, ())}
            held = {fact.kind: HOLDS - ORDER * place for place, fact in enumerate(self._told.get(track, ()))}
            ordered = sorted(
                [*_all(row, now, setting), *firsts], key=lambda known: known[0] + held.get(known[1].kind, 0.0)
            )[::-1]
            facts = [_steady(fact, before.get(fact.kind)) for _, fact in ordered]
            found.append(_unlike(facts, found))
            self._told.pop(track, None)
            self._told[track] = found[-1]
        while len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
        return found


def _all(row: Ranked, now: Pictures, setting: Setting) -> list[tuple[float, Fact]]:
    """Every fact that holds, with its strength."""
    parts = (_pulse(row, now, setting), _energy(row, now), _mood(row, now), _taste(row, setting), _voice(row, setting))
    found = [part for part in parts if part is not None]
    return [*found, _likeness(row), *_plain(row)]


def _pulse(row: Ranked, now: Pictures, setting: Setting) -> tuple[float, Fact] | None:
    bpm = row.candidate.track.tempo_bpm
    if bpm <= 0:
        return None
    cuts = np.asarray(setting.cuts_s)
    if len(cuts) >= MIN_CUTS and cuts.std() <= REGULAR * cuts.mean():
        every_s = float(cuts.mean())
        if tempo_fit(60.0 / every_s, bpm) >= FITS:
            return 0.95, words.cut_pulse(bpm, every_s)
    if now.tempo.confidence >= CONFIDENT and tempo_fit(now.tempo.bpm, bpm) >= FITS:
        return 0.6 + 0.4 * now.tempo.confidence, words.picture_pulse(bpm, now.tempo.bpm)
    return None


def _energy(row: Ranked, now: Pictures) -> tuple[float, Fact] | None:
    """The amount of motion against how loud and dense the music is, where they agree."""
    motion, beats = speed_place(now.speed), beats_per_s(row.candidate)
    lufs = None if row.candidate.outline is None else row.candidate.outline.lufs
    if lufs is not None and motion <= CALM and lufs <= SOFT_LUFS:
        return 0.7, words.soft(now.speed, lufs)
    if lufs is not None and motion >= FAST and lufs >= LOUD_LUFS:
        return 0.65, words.loud(now.speed, lufs)
    if beats > 0.0 and abs(motion - beats / DENSE) <= AGREES:
        return 0.4 + 0.3 * abs(2.0 * motion - 1.0), words.beats(now.speed, beats)
    return None


def _mood(row: Ranked, now: Pictures) -> tuple[float, Fact] | None:
    """The axes on which picture and music lie on the same side of the middle, close to one another."""
    if now.mood is None or row.candidate.mood is None:
        return None
    pictures, music = now.mood.tolist(), row.candidate.mood.tolist()
    if now.mood_places is not None:  # more cheerful than most footage, and than most of the catalogue
        pictures, music = now.mood_places.tolist(), [place(at) for at in row.candidate.standing[: len(music)].tolist()]
    alike = [
        (float(min(abs(seen - 0.5), abs(heard - 0.5))), axis, seen > 0.5)
        for axis, (seen, heard) in enumerate(zip(pictures, music, strict=True))
        if (seen - 0.5) * (heard - 0.5) > 0 and abs(seen - heard) <= NEAR and abs(heard - 0.5) >= CLEAR
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
    track = row.candidate.track
    tagged = any("instrumental" in tag.casefold() for tag in track.tags)
    told = tagged if track.vocals is None else not is_vocal(track)
    return (0.8, words.instrumental()) if setting.speech and told else None


def _likeness(row: Ranked) -> tuple[float, Fact]:
    return 0.05, words.pictures(row.reasons.content)


def _plain(row: Ranked) -> list[tuple[float, Fact]]:
    """What is true of any track, for rows that would else be like others."""
    outline = row.candidate.outline
    return [(0.1, words.loudness(outline.lufs))] if outline is not None and np.isfinite(outline.lufs) else []


def _firsts(rows: Sequence[Ranked]) -> list[list[tuple[float, Fact]]]:
    """Who of the list is ahead of all others in a part of the score, and by how much."""
    found: list[list[tuple[float, Fact]]] = [[] for _ in rows]
    if len(rows) > 1:
        for part in ("content", "rhythm", "mood"):
            values = [float(getattr(row.reasons, part)) for row in rows]
            best = int(np.argmax(values))
            lead = values[best] - sorted(values)[-2]
            if lead >= AHEAD:
                found[best].append((min(0.6, 0.42 + lead), words.first(part, values[best])))
    return found


def beats_per_s(candidate: Candidate) -> float:
    """Mean beats a second over the valid clips of the segment."""
    valid = candidate.rhythm[candidate.mask]
    return float(valid[:, 0].mean()) / CLIP_S if len(valid) else 0.0


def _steady(fact: Fact, before: Fact | None) -> Fact:
    """The fact as it was told, unless its figure has moved."""
    if before is None or before.value is None or fact.value is None:
        return fact
    return before if abs(fact.value - before.value) <= MOVED * max(abs(before.value), 1e-9) else fact


def _unlike(facts: Sequence[Fact], above: Sequence[tuple[Fact, ...]]) -> tuple[Fact, ...]:
    """The first two that do not say together what a row above says."""
    said = {frozenset(fact.text for fact in row) for row in above}
    first = tuple(facts[:MOST])
    if frozenset(fact.text for fact in first) not in said:
        return first
    for other in facts[MOST:]:
        if frozenset((facts[0].text, other.text)) not in said:
            return facts[0], other
    return first
