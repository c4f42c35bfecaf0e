"""Writing the notes: which part plays what, when, how hard.

Energy decides step by step which parts and which drum rows play, so music grows and thins as the recipe says.
Random choices (patterns, motifs, figures) come from the generator that is passed in.
"""

import itertools
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .form import Section, draw_form
from .groove import Grid
from .harmony import PHRASE, Chord, degree_semitones, draw_progressions, voice
from .recipe import MusicRecipe
from .styles import Row, Style, style_of

_STROKES: Final = {"X": 1.0, "x": 0.75, "o": 0.4}
_PAD, _COMP, _BASS, _ARP, _LEAD = range(5)


class Note(NamedTuple):
    """One note. ``part`` is a pitched part, or the name of a drum voice with ``pitch`` -1."""

    part: str
    at_s: float
    length_s: float
    pitch: int
    velocity: float
    energy: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What every part needs to know of one bar."""

    index: int
    section: Section
    chord: Chord
    following: Chord
    energy: NDArray[np.float64]  # per step


def write_score(recipe: MusicRecipe, grid: Grid, duration_s: float, rng: np.random.Generator) -> list[Note]:
    """Every note of the piece, part by part; times in seconds of the render, the first ones may lie before 0."""
    style = style_of(recipe.style)
    bars = _bars(recipe, style, grid, duration_s, rng)
    notes: list[Note] = []
    notes += _drums(style, bars, grid, rng)
    notes += _bass(recipe, style, bars, grid, rng)
    notes += _chords(recipe, style, bars, grid, rng)
    notes += _arpeggio(recipe, style, bars, grid, rng)
    notes += _lead(recipe, style, bars, grid, rng)
    if recipe.tension > 0.5:
        notes += _unease(recipe, bars, grid, rng)
    return [note for note in _humanise(notes, rng) if note.at_s < duration_s]


def _bars(recipe: MusicRecipe, style: Style, grid: Grid, duration_s: float, rng: np.random.Generator) -> list[Bar]:
    verse, chorus = draw_progressions(recipe, style.chord_size, rng)
    count = grid.bars_in(duration_s)
    steps = np.arange(grid.steps_per_bar)
    bars = []
    for section in draw_form(count, duration_s, rng):
        chords = chorus if section.kind == "chorus" else verse
        for index in range(section.first, section.last):
            turn = (index - section.first) // style.bars_per_chord
            after = (index + 1 - section.first) // style.bars_per_chord
            times = (index * grid.steps_per_bar + steps) * grid.step_s - grid.offset_s
            energy = np.clip(recipe.energy_at(times) + section.lift, 0.0, 1.0)
            bars.append(Bar(index, section, chords[turn % PHRASE], chords[after % PHRASE], energy))
    return bars


def _humanise(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    late = rng.normal(0.0, rng.uniform(0.0, 0.006), len(notes))
    harder = np.exp(rng.normal(0.0, rng.uniform(0.03, 0.15), len(notes)))
    return [
        note._replace(at_s=note.at_s + float(shift), velocity=note.velocity * float(scale))
        for note, shift, scale in zip(notes, late, harder, strict=True)
    ]


def _drums(style: Style, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    notes = []
    for row in style.drums:
        usual, other = (str(pattern) for pattern in rng.choice(row.patterns, 2))
        for bar in bars:
            if bar.section.kind == "break" and row.voice in ("kick", "taiko"):
                continue
            pattern = other if bar.index % 4 == 3 else usual
            notes += _row(row, pattern, bar, grid)
    notes += _fills(style, bars, grid, rng)
    return notes


def _row(row: Row, pattern: str, bar: Bar, grid: Grid) -> list[Note]:
    notes = []
    for step, char in enumerate(pattern):
        energy = float(bar.energy[step])
        if char == "." or not row.from_energy <= energy < row.to_energy:
            continue
        hard = _STROKES[char] * row.gain * (0.65 + 0.45 * energy)
        notes.append(Note(row.voice, grid.at_s(bar.index * grid.steps_per_bar + step), 0.0, -1, hard, energy))
    return notes


def _fills(style: Style, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    voices = [row.voice for row in style.drums if row.voice in ("snare", "tom", "taiko", "clap")]
    notes: list[Note] = []
    if not voices:
        return notes
    steps = grid.steps_per_bar
    for bar in bars[:-1]:
        energy = float(bar.energy[-1])
        if bar.index != bar.section.last - 1 or energy < 0.35 or rng.random() < 0.3:
            continue
        length = 4 if energy < 0.6 else 8
        fill = str(rng.choice(voices))
        for step in range(steps - length, steps):
            if rng.random() < 0.35 + 0.5 * energy:
                hard = (0.3 + 0.35 * (step - steps + length) / length) * (0.6 + 0.4 * energy)
                notes.append(Note(fill, grid.at_s(bar.index * steps + step), 0.0, -1, hard, energy))
        if energy > 0.5:
            notes.append(Note("crash", grid.at_s((bar.index + 1) * steps), 0.0, -1, 0.28 * energy, energy))
    return notes


def _events(pattern: str) -> list[tuple[int, int, str]]:
    """(step, length in steps, character) of each note of a pattern."""
    events = []
    for step, char in enumerate(pattern):
        if char in ".-":
            continue
        length = 1
        while step + length < len(pattern) and pattern[step + length] == "-":
            length += 1
        events.append((step, length, char))
    return events


def _bass(recipe: MusicRecipe, style: Style, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    usual, busy = (str(pattern) for pattern in rng.choice(style.bass, 2))
    lowest = int(rng.integers(28, 34))
    notes = []
    for bar in bars:
        pattern = busy if bar.section.kind == "chorus" else usual
        root = lowest + (recipe.tonic + bar.chord.tones[0] - lowest) % 12
        following = lowest + (recipe.tonic + bar.following.tones[0] - lowest) % 12
        third = root + (bar.chord.tones[1] - bar.chord.tones[0]) % 12
        fifth = root + (bar.chord.tones[1 if style.chord_size == 2 else 2] - bar.chord.tones[0]) % 12
        degree = bar.following.degree
        below = degree_semitones(recipe.mode, degree) - degree_semitones(recipe.mode, degree - 1)
        pitches = {"r": root, "5": fifth, "8": root + 12, "3": third, "l": following - below}
        for step, length, char in _events(pattern):
            energy = float(bar.energy[step])
            if energy < style.entries[_BASS]:
                continue
            at_s = grid.at_s(bar.index * grid.steps_per_bar + step)
            notes.append(Note("bass", at_s, length * grid.step_s * 0.92, pitches[char], 0.75 + 0.25 * energy, energy))
    return notes


def _chords(recipe: MusicRecipe, style: Style, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    patterns = [str(pattern) for pattern in rng.choice(style.comp, 2)]
    lean = round(8 * (recipe.brightness - 0.5))
    pad_centre, comp_centre = 57 + lean + int(rng.integers(-2, 3)), 59 + lean + int(rng.integers(-3, 4))
    if style.chord_size == 2:
        comp_centre = 47 + lean // 2
    pad_before: list[int] = []
    comp_before: list[int] = []
    notes = []
    for bar in bars:
        energy = float(bar.energy[0])
        start = bar.index * grid.steps_per_bar
        pad_before = voice(bar.chord, recipe.tonic, pad_centre, pad_before)
        comp_before = voice(bar.chord, recipe.tonic, comp_centre, comp_before)
        span = min(style.bars_per_chord, 2)
        begins = (bar.index - bar.section.first) % span == 0
        if energy >= style.entries[_PAD] and begins:
            bars_left = min(span, bar.section.last - bar.index)
            length = bars_left * grid.bar_s
            notes += [Note("pad", grid.at_s(start), length, pitch, 0.8, energy) for pitch in pad_before[:4]]
        late = int(rng.random() < 0.5 * recipe.tension)  # syncopation
        for step, length, _ in _events(patterns[bar.section.kind == "chorus"]):
            energy = float(bar.energy[step])
            if energy < style.entries[_COMP]:
                continue
            hard = (0.7 + 0.3 * energy) * (1.0 if step % 8 == 0 else 0.85)
            for pitch in comp_before[:5]:
                at_s = grid.at_s(start + step + late * (step % 4 == 0) * (step > 0))
                notes.append(Note("comp", at_s, length * grid.step_s * 0.9, pitch, hard, energy))
    return notes


def _arpeggio(recipe: MusicRecipe, style: Style, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    rate = int(rng.choice(style.arp_steps))
    centre = 66 + round(10 * (recipe.brightness - 0.5)) + int(rng.integers(-3, 4))
    figure = (
        rng.integers(0, 8, 16)
        if rng.random() < 0.4
        else np.array([(0, 1, 2, 3, 4, 5, 4, 3), (0, 2, 1, 3, 2, 4, 3, 5)][int(rng.integers(2))])
    )
    rests = rng.random(grid.steps_per_bar) < rng.uniform(0.0, 0.3)
    notes = []
    for bar in bars:
        ladder = voice(bar.chord, recipe.tonic, centre)[:4]
        ladder = ladder + [pitch + 12 for pitch in ladder]
        for step in range(0, grid.steps_per_bar, rate):
            energy = float(bar.energy[step])
            if energy < style.entries[_ARP] or rests[step]:
                continue
            pitch = ladder[int(figure[(step // rate) % len(figure)]) % len(ladder)]
            hard = (0.6 + 0.4 * energy) * (1.0 if step % 4 == 0 else 0.75)
            at_s = grid.at_s(bar.index * grid.steps_per_bar + step)
            notes.append(Note("arp", at_s, rate * grid.step_s * 0.85, pitch, hard, energy))
    return notes


def _lead(recipe: MusicRecipe, style: Style, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    """Two motifs of two bars of eighths, moved along with the chords; strong beats land on chord tones."""
    places = grid.steps_per_bar  # eighths in two bars
    octave = 5 + round(1.4 * (recipe.brightness - 0.5) + rng.uniform(-0.4, 0.4))
    motifs = []
    for _ in range(2):
        chances = rng.random(places) * np.where(np.arange(places) % 2 == 0, 0.7, 1.3)
        walk = np.cumsum(rng.choice([-2, -1, -1, 0, 1, 1, 2], places))
        motifs.append((chances, np.round(walk - np.linspace(0.0, walk[-1], places)).astype(int)))
    notes = []
    for bar in bars:
        if not bar.section.leads:
            continue
        chances, walk = motifs[bar.section.kind == "chorus"]
        half = (bar.index - bar.section.first) % 2 * (places // 2)
        energies = bar.energy[::2]
        density = style.lead_density * (0.6 + 0.7 * energies)
        played = (chances[half : half + places // 2] < density) & (energies >= style.entries[_LEAD])
        onsets = np.flatnonzero(played)
        for place, until in itertools.pairwise([*onsets, places // 2]):
            degree = int(np.clip(walk[half + place], -5, 6))
            if place % 2 == 0:
                degree -= degree % 2 if degree % 7 not in (0, 2, 4) else 0
            pitch = 12 * octave + recipe.tonic + degree_semitones(recipe.mode, bar.chord.degree % 7 + degree)
            if pitch > 12 * octave + 19:
                pitch -= 12
            length = min(int(until - place), 4) * 2 * grid.step_s * 0.92
            at_s = grid.at_s(bar.index * grid.steps_per_bar + 2 * int(place))
            energy = float(energies[place])
            notes.append(Note("lead", at_s, length, pitch, 0.75 + 0.25 * energy, energy))
    return notes


def _unease(recipe: MusicRecipe, bars: list[Bar], grid: Grid, rng: np.random.Generator) -> list[Note]:
    """A low pulse on the tonic, and above 0.7 a high rub a semitone over it: audible tension in any mode."""
    low, high = 36 + recipe.tonic % 12, 72 + recipe.tonic % 12
    turn = rng.random(grid.steps_per_bar) < 0.2
    hard = 0.4 + 1.2 * (recipe.tension - 0.5)
    notes = []
    for bar in bars:
        start = bar.index * grid.steps_per_bar
        for step in range(0, grid.steps_per_bar, 2):
            energy = float(bar.energy[step])
            if energy > 0.2:
                pitch = low + int(turn[step])
                notes.append(Note("pulse", grid.at_s(start + step), 1.5 * grid.step_s, pitch, hard, energy))
        if recipe.tension > 0.7 and (bar.index - bar.section.first) % 2 == 0:
            length, energy = 2 * grid.bar_s, float(bar.energy[0])
            notes += [Note("rub", grid.at_s(start), length, pitch, hard, energy) for pitch in (high, high + 1)]
    return notes
