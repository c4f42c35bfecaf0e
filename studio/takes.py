"""A pair from its latent to its recipes, in either studio, so that who wants pairs need not know which.

``first`` is the studio that the bundle which ships was trained on; it stays as it is, byte for byte, until another was
trained on ``world``. Then it can go: delete ``first`` and its row of ``STUDIOS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio import pairs
from studio.music import render as music
from studio.pairs import LENGTH_S, Latent
from studio.video import render as video
from studio.world import delivery as world_delivery
from studio.world import pairs as world_pairs
from studio.world.film import render as world_film
from studio.world.sound import beats_of
from studio.world.sound import render as world_sound


@dataclass(frozen=True)
class Take:
    """One pair of 28 s, drawn but not yet made. ``beats_s`` are the true beats of its music."""

    latent: Latent
    tags: tuple[str, ...]
    beats_s: NDArray[np.float64]
    heard: Callable[[int], NDArray[np.float32]]  # rate_hz -> (n, 2) samples
    seen: Callable[[float], NDArray[np.uint8]]  # pictures a second -> (n, 90, 160, 3) RGB


def first(rng: np.random.Generator) -> Take:
    """A pair as clean as ``studio.pairs`` draws it."""
    latent = pairs.draw_latent(rng)
    piece = pairs.music_recipe(latent, rng)
    beats_s = music.beat_times(piece, LENGTH_S)
    scene = pairs.video_recipe(latent, rng, beats_s)
    return Take(
        latent,
        pairs.tags(latent, rng),
        beats_s,
        lambda rate_hz: music.render(piece, LENGTH_S, rate_hz=rate_hz),
        lambda fps: video.render(scene, LENGTH_S, fps=fps),
    )


def world(rng: np.random.Generator) -> Take:
    """A pair whose pictures and sounds are spread as those of real clips and tracks are."""
    latent = pairs.draw_latent(rng)
    piece = world_pairs.track(latent, rng)
    beats_s = beats_of(piece, LENGTH_S)
    film = world_pairs.film(latent, rng, beats_s)
    words = pairs.tags(latent, rng)
    way = world_delivery.draw(rng)
    return Take(
        latent,
        words,
        beats_s,
        lambda rate_hz: world_sound(piece, LENGTH_S, rate_hz=rate_hz),
        lambda fps: world_delivery.delivered(world_film(film, LENGTH_S, fps=fps), way),
    )


FIRST: Final = "first"
STUDIOS: Final[Mapping[str, Callable[[np.random.Generator], Take]]] = {FIRST: first, "world": world}
