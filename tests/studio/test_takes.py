"""Takes: both sides whole, the same for equal generators, and a moment of a longer track where it should be."""

import numpy as np
import pytest

from studio import pairs
from studio.errors import StudioError
from studio.takes import moment, take


def test_a_take_has_both_sides_whole() -> None:
    made, again = (take(np.random.default_rng(1)) for _ in range(2))
    assert (made.latent, made.tags) == (again.latent, again.tags)
    heard, seen = made.sound(16_000), made.pictures(2)
    assert heard.shape == (28 * 16_000, 2) and seen.shape == (56, 90, 160, 3)
    np.testing.assert_array_equal(heard, again.sound(16_000))
    np.testing.assert_array_equal(seen, again.pictures(2))
    assert made.tags and np.all(np.diff(made.beats_s) > 0) and made.beats_s[-1] < pairs.LENGTH_S


def test_a_moment_is_28_s_of_a_longer_track() -> None:
    made = moment(np.random.default_rng(1), 40.0, 84.0)
    assert made.sound(8_000).shape == (84 * 8_000, 2) and made.pictures(1).shape == (28, 90, 160, 3)
    assert made.beats_s.min() >= 0 and made.beats_s.max() < pairs.LENGTH_S
    assert made.latent == take(np.random.default_rng(1)).latent
    with pytest.raises(StudioError, match="must lie inside"):
        moment(np.random.default_rng(1), 60.0, 84.0)
