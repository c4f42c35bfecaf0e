"""The course of a track: from its levels, beats, timbre and harmony to an ``Outline``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.bar_lines import BarLines, bar_lines, beat_features
from features.key import Key
from features.loops import loops
from features.music import TrackFeatures
from features.onsets import onsets_by_second
from features.r128 import NOTHING_LUFS, Levels
from features.sections import borders, settle
from features.stretches import Stretch, stretches_of

from .libraries.keys import KEYS
from .records import Floats, Loop, Outline, TrackKey

PEAKS: Final = 1600  # of the waveform, at most
BORDER_S: Final = 3.0
NEAR_S: Final = 2.0  # between a place and the beat that it is moved to
FAR: Final = 4  # beats from the next bar line: further away no bar line is known
LAST_BARS: Final = 2  # that are the outro of a piece that stops at its full level
LAST_SECTION_S: Final = 16.0
FIRST_SECTION_S: Final = 40.0
RISE_LU: Final = 2.0  # by which the first section border must be louder to end an intro


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """An outline, and what the choice of starts needs: the stretches of music; how surely each section begins, (m,) in
    [0, 1]; ``grid_s``, downbeats, or beats where they are not known."""

    outline: Outline
    stretches: tuple[Stretch, ...]
    strengths: Floats
    grid_s: Floats


def outline_of(duration_s: float, levels: Levels, features: TrackFeatures) -> Course:
    """The outline of a track, from its own levels and what ``track_features`` measured."""
    stretches = tuple(stretches_of(levels))
    beats_s, bands = features.beats.times_s, features.course.bands
    bars = bar_lines(beats_s, bands, features.chroma)
    downbeats_s = beats_s[bars.lines]
    grid_s = _grid(beats_s, bars.lines)
    sections_s, strengths = _sections(stretches, bands, grid_s)
    main = max(stretches, key=lambda stretch: stretch.length_s)
    intro_s, outro_s = _intro(main, levels, sections_s, grid_s), _outro(main, bars, beats_s, sections_s, grid_s)
    # Nothing is started in the outro.
    parts = tuple(replace(stretch, fall_s=outro_s) if stretch is main else stretch for stretch in stretches)
    outline = Outline(
        lufs=levels.lufs,
        range_lu=levels.range_lu,
        true_peak_db=levels.true_peak_db,
        loudness=_pad(levels.seconds(), ceil(duration_s)),
        peaks=waveform(levels),
        music_s=tuple((stretch.begin_s, min(stretch.end_s, duration_s)) for stretch in stretches),
        intro_s=intro_s,
        outro_s=min(outro_s, duration_s),
        sections_s=sections_s.astype(np.float32),
        downbeats_s=downbeats_s.astype(np.float32),
        loops=_loops(bars, beats_s, bands, features.chroma, intro_s, outro_s),
        tempi=tuple((tempo.bpm, tempo.weight) for tempo in features.beats.tempi),
        onsets=onsets_by_second(features.course.envelope, duration_s),
        key=key_of_track(features.key),
    )
    return Course(outline, parts, strengths.astype(np.float32), grid_s.astype(np.float32))


def key_of_track(key: Key | None) -> TrackKey | None:
    """A measured key, by its name."""
    return None if key is None else TrackKey(KEYS[key.number], key.confidence, 100.0 * key.tuning)


def waveform(levels: Levels) -> NDArray[np.uint8]:
    """(n,) the highest samples, evenly spaced, 255 for full scale and more; n is at most 1,600."""
    count = min(PEAKS, len(levels.peaks))
    if not count:
        return np.zeros(0, np.uint8)
    highest = np.maximum.reduceat(levels.peaks, np.arange(count) * len(levels.peaks) // count)
    return np.asarray(np.round(255.0 * np.minimum(highest, 1.0)), np.uint8)


def _pad(loudness: Floats, seconds: int) -> Floats:
    """Cut or padded to ``seconds``: the resampler may round to a block more or less than the meter."""
    return np.pad(loudness[:seconds], (0, max(0, seconds - len(loudness))), constant_values=NOTHING_LUFS)


def _grid(beats_s: NDArray[np.float64], lines: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Downbeats, and beats where no downbeats are known for some bars."""
    if not lines.any():
        return beats_s
    at = np.arange(len(beats_s))
    known = np.flatnonzero(lines)
    last = known[np.maximum(np.searchsorted(known, at, side="right") - 1, 0)]
    following = known[np.minimum(np.searchsorted(known, at), len(known) - 1)]
    far = np.minimum(np.abs(at - last), np.abs(at - following)) > FAR
    return np.asarray(beats_s[lines | far])


def _sections(
    stretches: Sequence[Stretch], bands: Floats, grid_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each stretch of music begins, and the borders inside of it; and how sure they are."""
    times: list[float] = []
    strengths: list[float] = []
    for stretch in stretches:
        first = grid_s[(grid_s >= stretch.begin_s - 0.1) & (grid_s <= stretch.begin_s + NEAR_S)]
        times.append(float(first[0]) if len(first) else stretch.begin_s)
        strengths.append(1.0)
        for border_s, strength in zip(*borders(bands, stretch.begin_s, stretch.end_s), strict=True):
            place_s = settle(bands, float(border_s), grid_s, NEAR_S)
            if place_s > times[-1]:
                times.append(place_s)
                strengths.append(float(strength))
    return np.array(times), np.array(strengths)


def _intro(main: Stretch, levels: Levels, sections_s: NDArray[np.float64], grid_s: NDArray[np.float64]) -> float:
    """Where the music has reached its level; or the first early border behind which it is louder."""
    if main.rise_s > main.begin_s:
        return _near(main.rise_s, sections_s, grid_s)
    inside = sections_s[(sections_s > main.begin_s + NEAR_S) & (sections_s < main.fall_s)]
    last_s = min(FIRST_SECTION_S, 0.3 * main.length_s)
    if len(inside) and inside[0] <= main.begin_s + last_s:
        before, after = (levels.part(a, b) for a, b in ((main.begin_s, inside[0]), (inside[0], inside[0] + 16.0)))
        if after.lufs >= before.lufs + RISE_LU:
            return float(inside[0])
    return main.begin_s


def _outro(
    main: Stretch,
    bars: BarLines,
    beats_s: NDArray[np.float64],
    sections_s: NDArray[np.float64],
    grid_s: NDArray[np.float64],
) -> float:
    """Where a fade or the soft end begins; of a piece that stops at full level its last section, if that is short, or
    its last two bars."""
    if main.fall_s < main.end_s - 1.0:
        return _near(main.fall_s, sections_s[1:], grid_s)
    late = sections_s[(sections_s >= main.end_s - LAST_SECTION_S) & (sections_s < main.end_s - 1.0)]
    if len(late) and late[0] > main.begin_s:
        return float(late[0])
    lines = beats_s[bars.lines] if bars.lines.any() else beats_s[:: -bars.meter][::-1]
    inside = lines[(lines > main.begin_s) & (lines < main.end_s)]
    return float(inside[-LAST_BARS]) if len(inside) > 2 * LAST_BARS else main.end_s


def _near(place_s: float, sections_s: NDArray[np.float64], grid_s: NDArray[np.float64]) -> float:
    """The border of a section near a place that loudness shows to a second or two; else a beat."""
    for places, reach_s in ((sections_s, BORDER_S), (grid_s, NEAR_S)):
        if len(places):
            nearest = float(places[np.argmin(np.abs(places - place_s))])
            if abs(nearest - place_s) <= reach_s:
                return nearest
    return place_s


def _loops(
    bars: BarLines, beats_s: NDArray[np.float64], bands: Floats, chroma: Floats, intro_s: float, outro_s: float
) -> tuple[Loop, ...]:
    if len(beats_s) < 2:
        return ()
    features = np.concatenate(beat_features(beats_s, bands, chroma), axis=1)
    lines = bars.lines if bars.lines.any() else np.ones(len(beats_s), np.bool_)
    return tuple(
        Loop(loop.from_s, loop.to_s, loop.likeness)
        for loop in loops(beats_s, features, bars.meter, lines, intro_s, outro_s)
    )
