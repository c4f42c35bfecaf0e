"""From a track's recipe to its sound: the same score and instruments, played by people, recorded and mastered.

The stages are those of ``studio.music.render``, with a player's hand between score and instruments (``playing``), and
between mix and listener a room, a tape, a noise floor and a master (``recording``).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.errors import StudioError
from studio.music.band import draw_band
from studio.music.groove import beat_times, draw_grid
from studio.music.mix import colour, duck, master, play
from studio.music.recipe import MusicRecipe
from studio.music.render import MAX_DURATION_S, MIN_RATE_HZ
from studio.music.score import write_score
from studio.music.styles import style_of

from .playing import Hand, drift_times, play_notes, soften
from .recording import Recording, record

_STREAM: Final = 19


@dataclass(frozen=True, slots=True)
class Track:
    """A piece of music, who plays it, and how it was recorded."""

    music: MusicRecipe
    hand: Hand
    recording: Recording


def beats_of(track: Track, duration_s: float) -> NDArray[np.float64]:
    """The true beats of the sound of ``track``, in seconds, rising, in [0, ``duration_s``)."""
    ratio = track.recording.ratio
    beats_s = drift_times(beat_times(track.music, duration_s * ratio + 1.0), track.hand) / ratio
    return np.asarray(beats_s[(beats_s >= 0.0) & (beats_s < duration_s)], np.float64)


def render(track: Track, duration_s: float, rate_hz: int = 32_000) -> NDArray[np.float32]:
    """Stereo samples ``(n, 2)`` float32, peak below 1; the same bytes for the same arguments.

    Raises ``StudioError`` for a duration or rate that cannot be rendered.
    """
    if not (math.isfinite(duration_s) and 0.0 < duration_s <= MAX_DURATION_S):
        raise StudioError(f"duration_s {duration_s!r}: not a length of music; give 0 < seconds <= {MAX_DURATION_S:g}")
    if rate_hz < MIN_RATE_HZ:
        raise StudioError(f"rate_hz {rate_hz!r}: too low for music; give at least {MIN_RATE_HZ}")
    recipe = track.music
    style = style_of(recipe.style)
    grid = draw_grid(recipe)
    made_s = duration_s * track.recording.ratio + 0.05  # a tape that runs fast needs more
    n = max(1, round(made_s * rate_hz))
    hire, write, perform, tint, level, loose, room = (
        np.random.default_rng((recipe.seed, _STREAM, stage)) for stage in range(7)
    )
    band = soften(draw_band(recipe, style, hire), track.hand, loose)
    notes = play_notes(write_score(recipe, grid, made_s, write), track.hand, loose)
    buses = play(notes, band, recipe, grid.step_s, n, rate_hz, perform)
    duck(buses.tonal, buses.kicks_s, style.duck * min(1.0, track.hand.drums), 0.35 * 60.0 / recipe.tempo_bpm, rate_hz)
    mix = master(colour(buses, recipe, style, rate_hz, tint), recipe, rate_hz, level)
    sound = record(mix, track.recording, round(duration_s * rate_hz) or 1, rate_hz, room)
    return np.ascontiguousarray(sound.T)
