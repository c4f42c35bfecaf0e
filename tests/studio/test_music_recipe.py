import numpy as np
import pytest

from studio.errors import StudioError
from studio.music.recipe import MODES, STYLES, MusicRecipe


def test_there_are_enough_styles_and_modes():
    assert len(STYLES) >= 10
    assert {"major", "minor", "dorian", "mixolydian", "phrygian", "lydian"} <= set(MODES)
    for scale in MODES.values():
        assert len(scale) == 7 and scale[0] == 0 and list(scale) == sorted(set(scale)) and scale[-1] < 12


@pytest.mark.parametrize(
    ("change", "named", "cure"),
    [
        ({"style": "polka"}, "polka", "ambient"),
        ({"mode": "blues"}, "blues", "dorian"),
        ({"tempo_bpm": 59.9}, "59.9", "double"),
        ({"tempo_bpm": float("nan")}, "nan", "60-180"),
        ({"tonic": 12}, "12", "0 to 11"),
        ({"tonic": 1.5}, "1.5", "whole"),
        ({"seed": -1}, "-1", "from 0"),
        ({"brightness": 1.01}, "brightness 1.01", "0 to 1"),
        ({"tension": float("nan")}, "tension nan", "0 to 1"),
        ({"energy": -0.1}, "energy -0.1", "0 to 1"),
        ({"energy": ()}, "()", "pairs"),
        ({"energy": (0.5, 0.6)}, "0.5", "pairs"),
        ({"energy": ((0.0, 0.2), (3.0, 1.5))}, "3 s", "0 to 1"),
        ({"energy": ((0.0, 0.2), (0.0, 0.5))}, "do not rise", "sort"),
        ({"energy": ((float("inf"), 0.2),)}, "inf", "finite"),
    ],
)
def test_a_bad_value_is_named_with_its_cure(change, named, cure):
    with pytest.raises(StudioError) as caught:
        MusicRecipe(**({"style": "house", "tempo_bpm": 120.0} | change))
    assert named in str(caught.value) and cure in str(caught.value)


def test_energy_runs_in_straight_lines_between_breakpoints_and_holds_outside():
    recipe = MusicRecipe("house", 120.0, energy=((2.0, 0.2), (4.0, 0.8)))
    np.testing.assert_allclose(recipe.energy_at([0.0, 2.0, 3.0, 4.0, 9.0]), [0.2, 0.2, 0.5, 0.8, 0.8])
    np.testing.assert_allclose(MusicRecipe("house", 120.0, energy=0.3).energy_at([[1.0, 2.0]]), [[0.3, 0.3]])
