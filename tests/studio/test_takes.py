"""Takes: the first studio as it always was, and the world's beside it."""

import numpy as np
import pytest

from studio import pairs
from studio.music import render as music
from studio.takes import FIRST, STUDIOS
from studio.video import render as video


def test_the_first_studio_draws_what_it_always_drew() -> None:
    rng = np.random.default_rng([7, 0, 3])
    latent = pairs.draw_latent(rng)
    piece = pairs.music_recipe(latent, rng)
    scene = pairs.video_recipe(latent, rng, music.beat_times(piece, pairs.LENGTH_S))
    words = pairs.tags(latent, rng)
    take = STUDIOS[FIRST](np.random.default_rng([7, 0, 3]))
    assert (take.latent, take.tags) == (latent, words)
    np.testing.assert_array_equal(take.heard(16_000), music.render(piece, pairs.LENGTH_S, 16_000))
    np.testing.assert_array_equal(take.seen(8), video.render(scene, pairs.LENGTH_S, 8))


@pytest.mark.parametrize("studio", STUDIOS)
def test_a_take_has_both_sides_whole(studio: str) -> None:
    take = STUDIOS[studio](np.random.default_rng(1))
    assert take.heard(16_000).shape == (28 * 16_000, 2)
    assert take.seen(2).shape == (56, 90, 160, 3)
    assert take.tags and np.all(np.diff(take.beats_s) > 0) and take.beats_s[-1] < pairs.LENGTH_S
