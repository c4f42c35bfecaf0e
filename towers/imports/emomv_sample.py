"""A few drawn clips, to check whether a video network gives the kind of numbers that a head was trained on."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import spec
from studio.pairs import draw_latent, video_recipe
from studio.video.render import render

CLIPS: Final = 3


def sample_clips() -> Iterator[NDArray[np.uint8]]:
    """(32, 90, 160, 3) uint8 each, the same every time."""
    rng = np.random.default_rng(0)
    for _ in range(CLIPS):
        recipe = video_recipe(draw_latent(rng), rng, np.arange(0.0, spec.CLIP_S, 0.5))
        yield render(recipe, spec.CLIP_S, spec.MOTION_FPS, spec.PICTURE_WIDTH, spec.PICTURE_HEIGHT)
