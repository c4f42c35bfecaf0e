"""Moods by second, as clips are taught them."""

import numpy as np

from towers.corpora.corpus import Pair, Split


def test_mood_by_second_follows_the_course_of_energy() -> None:
    pairs = (
        Pair("a", mood=(0.5, 0.3, 0.7), latent={"energy": [[0.0, 0.0], [28.0, 1.0]]}),
        Pair("b", mood=(0.5, 0.3, 0.7)),
    )
    moods = Split("train", pairs, {}).mood_by_second()
    np.testing.assert_allclose(moods[0, :, 0], (np.arange(28) + 0.5) / 28, atol=1e-6)
    assert (moods[1, :, 0] == 0.5).all()
    np.testing.assert_allclose(moods[:, :, 1:], np.broadcast_to(np.float32([0.3, 0.7]), (2, 28, 2)))
