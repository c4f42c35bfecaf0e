"""Recipes refuse what cannot be drawn, and say why."""

import pytest

from studio.errors import StudioError
from studio.video.recipe import KINDS, SceneRecipe


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "opera"}, "opera"),
        ({"palette": "beige"}, "beige"),
        ({"brightness": 1.2}, "brightness"),
        ({"contrast": float("nan")}, "contrast"),
        ({"motion": -0.1}, "motion"),
        ({"motion": ()}, "motion"),
        ({"motion": ((0.0, 0.5), (0.0, 0.6))}, "rising"),
        ({"motion": ((0.0, 0.5), (1.0, 1.6))}, "motion"),
        ({"cut_rate": -1.0}, "cut_rate"),
        ({"cut_times_s": (3.0, 2.0)}, "cut_times_s"),
        ({"accents_s": (-1.0,)}, "accents_s"),
        ({"accents_s": (float("inf"),)}, "accents_s"),
        ({"pace_hz": 9.0}, "pace_hz"),
        ({"seed": -1}, "seed"),
    ],
)
def test_refuses_and_names_the_value(change: dict[str, object], word: str) -> None:
    with pytest.raises(StudioError, match=word):
        SceneRecipe(**{"kind": "water", **change})  # type: ignore[arg-type]


def test_every_kind_makes_a_recipe_that_can_be_a_key() -> None:
    assert len({SceneRecipe(kind) for kind in KINDS}) == len(KINDS) >= 10
