"""A pair from its latent to its recipes: the one way from random numbers to the pairs of a corpus.

``studio.world`` spreads pictures and sounds like those of real clips and tracks; films look as they do after delivery.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio import pairs
from studio.pairs import LENGTH_S, Latent
from studio.world import delivery
from studio.world.film import render as film
from studio.world.pairs import film as film_recipe
from studio.world.pairs import track as track_recipe
from studio.world.sound import beats_of
from studio.world.sound import render as sound

NAME: Final = "world"  # of the studio: a corpus records which one made it


@dataclass(frozen=True)
class Take:
    """28 s of video and its music, drawn but not yet made. ``beats_s`` are the true beats of the music, counted from
    where the video begins."""

    latent: Latent
    tags: tuple[str, ...]
    beats_s: NDArray[np.float64]
    sound: Callable[[int], NDArray[np.float32]]  # rate_hz -> (n, 2) samples
    pictures: Callable[[float], NDArray[np.uint8]]  # pictures a second -> (n, 90, 160, 3) RGB


def take(rng: np.random.Generator) -> Take:
    """A video and 28 s of music; equal generators give equal takes."""
    return _take(rng, 0.0, LENGTH_S)


def moment(rng: np.random.Generator, start_s: float, duration_s: float) -> Take:
    """The music is a track of ``duration_s``, and the video was made for its 28 s from ``start_s`` on.

    Raises ``StudioError`` where these do not lie inside the track.
    """
    return _take(rng, start_s, duration_s)


def _take(rng: np.random.Generator, start_s: float, duration_s: float) -> Take:
    latent = pairs.draw_latent(rng)
    piece = track_recipe(latent, rng)
    if duration_s != LENGTH_S:
        piece = replace(piece, music=pairs.longer(piece.music, start_s, duration_s, rng))
    beats_s = beats_of(piece, duration_s) - start_s
    beats_s = beats_s[(beats_s >= 0.0) & (beats_s < LENGTH_S)]
    recipe = film_recipe(latent, rng, beats_s)
    words = pairs.tags(latent, rng)
    way = delivery.draw(rng)
    return Take(
        latent,
        words,
        beats_s,
        lambda rate_hz: sound(piece, duration_s, rate_hz=rate_hz),
        lambda fps: delivery.deliver(film(recipe, LENGTH_S, fps=fps), way),
    )
