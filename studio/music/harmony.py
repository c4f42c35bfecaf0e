"""Chords: progressions that bring out each mode, chords as stacked thirds, voicings that move little.

Conventions: a degree counts scale steps from the tonic, 0 up; a pitch is a MIDI note number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .recipe import MODES, MusicRecipe

_PROGRESSIONS: Final[Mapping[str, tuple[tuple[int, ...], ...]]] = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 5, 4), (5, 3, 0, 4), (0, 2, 3, 4), (0, 3, 0, 4), (1, 4, 0, 5)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 3, 4, 0), (0, 2, 6, 3), (5, 6, 0, 0), (0, 5, 3, 4)),
    "dorian": ((0, 3, 0, 3), (0, 6, 3, 0), (0, 1, 2, 3), (0, 3, 6, 3), (0, 2, 3, 0)),
    "mixolydian": ((0, 6, 3, 0), (0, 4, 3, 0), (0, 6, 0, 3), (0, 3, 6, 0), (0, 1, 6, 0)),
    "phrygian": ((0, 1, 0, 6), (0, 1, 2, 1), (0, 6, 5, 1), (0, 0, 1, 1), (0, 3, 1, 0)),
    "lydian": ((0, 1, 0, 1), (0, 1, 6, 2), (0, 1, 5, 4), (0, 4, 1, 0), (0, 2, 1, 0)),
    "harmonic_minor": ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 0, 3), (0, 5, 4, 4), (0, 3, 0, 4)),
}
PHRASE: Final = 4  # chords to a progression


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord: the degree it stands on, and its pitch classes as semitones above the tonic, root first."""

    degree: int
    tones: tuple[int, ...]


def degree_semitones(mode: str, degree: int) -> int:
    """Semitones above the tonic of a scale degree, any number of octaves up or down."""
    scale = MODES[mode]
    octave, step = divmod(degree, len(scale))
    return 12 * octave + scale[step]


def draw_progressions(
    recipe: MusicRecipe, chord_size: int, rng: np.random.Generator
) -> tuple[list[Chord], list[Chord]]:
    """Two progressions of ``PHRASE`` chords, for verse and chorus; tension suspends, clusters and darkens some."""
    choices = _PROGRESSIONS[recipe.mode]
    first, second = rng.permutation(len(choices))[:2]
    return (
        [_chord(recipe, degree, chord_size, rng) for degree in choices[first]],
        [_chord(recipe, degree, chord_size, rng) for degree in choices[second]],
    )


def _chord(recipe: MusicRecipe, degree: int, size: int, rng: np.random.Generator) -> Chord:
    if size == 2:  # power chord
        steps = [0, 4]
    else:
        steps = [0, 2, 4, 6, 8][:size]
        if rng.random() < 0.2 + 0.3 * recipe.tension and size == 3:
            steps[1] = int(rng.choice([1, 3]))  # suspended
    tones = [degree_semitones(recipe.mode, degree + step) for step in steps]
    if rng.random() < 1.4 * (recipe.tension - 0.3):  # a rub a semitone above the root or below the fifth
        tones.append(tones[0] + int(rng.choice([13, 6, 11])))
    return Chord(degree, tuple(tones))


def voice(chord: Chord, tonic: int, centre: int, before: Sequence[int] = ()) -> list[int]:
    """Pitches of the chord around ``centre``, the inversion that moves least from ``before``; rising."""
    classes = [(tone + tonic) % 12 for tone in chord.tones]
    best: list[int] = []
    best_cost = np.inf
    for turn in range(len(classes)):
        order = classes[turn:] + classes[:turn]
        low = centre - 5 + (order[0] - (centre - 5)) % 12
        pitches = [low]
        for pitch_class in order[1:]:
            pitches.append(pitches[-1] + ((pitch_class - pitches[-1]) % 12 or 12))
        target = float(np.mean(before)) if before else float(centre)
        cost = abs(float(np.mean(pitches)) - target) + 0.3 * max(0, pitches[-1] - pitches[0] - 14)
        if cost < best_cost:
            best, best_cost = pitches, cost
    return best
