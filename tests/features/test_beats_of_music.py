"""Beats of rendered music, whose beats are known."""

import numpy as np
import pytest

from features.beats import track_beats
from studio.music.render import MusicRecipe, beat_times, render


@pytest.mark.parametrize("style", ["folk", "house", "jazz", "rock", "synthwave", "waltz"])
@pytest.mark.parametrize("tempo_bpm", [97.0, 118.0])
def test_beats_fall_on_the_beat(style, tempo_bpm):
    recipe = MusicRecipe(style=style, tempo_bpm=tempo_bpm, seed=31)
    samples = render(recipe, 16.0, rate_hz=16_000).mean(axis=1)
    truth_s = beat_times(recipe, 16.0)
    beats = track_beats(samples)
    level = beats.tempo_bpm / tempo_bpm
    assert min(abs(level / octave - 1) for octave in (0.5, 1.0, 2.0)) < 0.02
    assert beats.confidence > 0.3
    # At half or double the tempo, half of the beats or of the truth are matched; never fewer.
    on_beat = np.abs(beats.times_s[:, None] - truth_s).min(axis=1) < 0.05
    assert on_beat.mean() > (0.45 if level > 1.5 else 0.9)
