"""Start offsets: the windows, the measure, and a run that knows the answer."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from features import spec
from studio import pairs
from studio.errors import StudioError
from towers import start_offsets as moments
from towers.batch import Side


def test_overlap_by_hand() -> None:
    truth, found = np.array([0, 0, 0, 3]), np.array([0, 2, 7, 14])
    assert moments.overlap(truth, found).tolist() == pytest.approx([1.0, 5 / 9, 0.0, 0.0])


def test_chance_is_worked_out_exactly() -> None:
    asked = moments.Moments(np.arange(moments.STARTS), np.arange(moments.STARTS))
    found = moments.figures(asked)
    assert found["moment_r1"] == 100.0 and found["miou"] == 1.0
    # IoU of .5 is reached two clips away at most: 15 exact, 28 by one, 26 by two, of 225.
    assert found["random_moment_r1"] == pytest.approx(100 * (15 + 28 + 26) / 225)


def test_a_longer_piece_keeps_its_course_where_it_should() -> None:
    rng = np.random.default_rng(0)
    recipe = pairs.music_recipe(pairs.draw_latent(rng), rng)
    track = pairs.longer(recipe, 20.0, 84.0, rng)
    at = np.linspace(0.5, 25.5, 40)
    np.testing.assert_allclose(track.energy_at(20.0 + at), recipe.energy_at(at), atol=1e-6)
    assert np.abs(track.energy_at(at + 50.0) - recipe.energy_at(at)).max() > 0.05
    with pytest.raises(StudioError, match="must lie inside"):
        pairs.longer(recipe, 60.0, 84.0, rng)


class Told:
    """A system whose embeddings say how strongly clips move and how loudly they sound, by place."""

    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()

    def video(self, side: Side) -> Any:
        return torch.nn.functional.normalize(side.clips[..., 0], dim=-1)

    music = video


def test_the_segment_that_fits_is_found() -> None:
    class Same(torch.nn.Module):
        inputs = ("x",)

        def forward(self, x: Any) -> Any:
            return x

    course = np.random.default_rng(1).random((21, 1)).astype(np.float32)
    run: Any = SimpleNamespace(system=Told(), video=Same(), music=Same())
    for start in (0, 5, 14):
        seen = {"x": course[start : start + spec.MAX_CLIPS]}
        assert moments.best_segment(run, seen, {"x": course}) == start
