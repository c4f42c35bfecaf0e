"""The speech meter: any chunking equals one pass; a real voice is heard, music is not taken for one."""

import needs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.decode.sound import decode
from features.errors import FeatureError
from features.speech import CHUNK, SpeechMeter
from studio import pairs
from studio.music import render


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return np.concatenate([decode(file).samples for file in needs.voices()])


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(0, 5))
def test_any_chunking_equals_one_pass(sizes: list[int], seed: int) -> None:
    samples = (0.1 * np.random.default_rng(seed).standard_normal(sum(sizes) + 700)).astype(np.float32)
    meter = SpeechMeter()
    cut = np.split(samples, np.cumsum(sizes))
    told = np.concatenate([meter.push(piece) for piece in cut])
    np.testing.assert_array_equal(told, SpeechMeter().push(samples))
    assert told.shape == (len(samples) // CHUNK,) and told.dtype == np.float32
    meter.reset()
    np.testing.assert_array_equal(meter.push(samples), told)


def test_a_voice_is_heard_and_music_is_not_taken_for_one(voice: np.ndarray) -> None:
    assert (SpeechMeter().push(voice[: 10 * 16_000]) > 0.5).mean() > 0.6
    rng = np.random.default_rng(4)
    recipe = pairs.music_recipe(pairs.draw_latent(rng), rng)
    music = render.render(recipe, 10, rate_hz=16_000).mean(axis=1, dtype=np.float32)
    assert (SpeechMeter().push(music) > 0.5).mean() < 0.1


def test_what_is_no_sound_is_refused() -> None:
    with pytest.raises(FeatureError, match="NaN"):
        SpeechMeter().push(np.full(600, np.nan, np.float32))
