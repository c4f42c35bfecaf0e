"""Keys of rendered music, whose keys are known, in and out of tune; noise and silence have none."""

import numpy as np
import pytest

from features.key import MINORS, KeyMeter
from features.music import track_features, track_key
from studio.music.recipe import MusicRecipe
from studio.music.render import render

RATE_HZ = 16_000


def chords(roots: tuple[int, ...], minor: bool, cents: float = 0.0) -> np.ndarray:
    """Triads with overtones, two seconds each; roots in semitones above C."""
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    third = 3 if minor else 4
    parts = []
    for root in roots:
        pitches = [root + 36, *(root + 48 + step for step in (0, third, 7))]
        hz = [440.0 * 2.0 ** ((pitch - 69 + cents / 100.0) / 12.0) for pitch in pitches]
        parts.append(sum(np.sin(2 * np.pi * f * k * t) / k for f in hz for k in range(1, 5)) * np.exp(-t))
    return (0.05 * np.concatenate(parts)).astype(np.float32)


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", [0, 1, 6, 11])
def test_chords_of_a_key(tonic: int, minor: bool) -> None:
    steps = (0, 5, 0, 7, 0, 5, 0, 0)
    key = track_key(chords(tuple(tonic + step for step in steps), minor))
    assert key is not None and key.number == tonic + MINORS * minor
    assert key.confidence > 0.4 and abs(key.tuning) < 0.03


@pytest.mark.parametrize("cents", [-40.0, -20.0, 30.0])
def test_an_instrument_out_of_tune(cents: float) -> None:
    key = track_key(chords((9, 2, 9, 4, 9, 9), False, cents))
    assert key is not None and key.number == 9 and key.tuning * 100 == pytest.approx(cents, abs=4)


def test_noise_and_silence_have_no_key() -> None:
    rng = np.random.default_rng(0)
    assert track_key((0.1 * rng.normal(size=20 * RATE_HZ)).astype(np.float32)) is None
    assert track_key(np.zeros(5 * RATE_HZ, np.float32)) is None


def test_rendered_music_mostly_has_its_key() -> None:
    right = 0
    pieces = [("house", "minor"), ("folk", "major"), ("synthwave", "minor"), ("rock", "major"), ("ambient", "major")]
    for seed, (style, mode) in enumerate(pieces):
        recipe = MusicRecipe(style=style, tempo_bpm=110.0, tonic=2 * seed % 12, mode=mode, seed=seed)
        samples = render(recipe, 16.0, rate_hz=RATE_HZ).mean(axis=1, dtype=np.float32)
        key = track_key(samples)
        right += key is not None and key.number == recipe.tonic + MINORS * (mode == "minor")
    assert right >= 3


def test_pieces_of_any_size_count_alike_and_the_track_has_the_same() -> None:
    samples = chords((7, 0, 2, 7), False)
    magnitude = np.abs(np.fft.rfft(np.lib.stride_tricks.sliding_window_view(samples, 4096)[::2048])).astype(np.float32)
    whole, parts = KeyMeter(4096), KeyMeter(4096)
    whole.push(magnitude)
    for at in range(0, len(magnitude), 7):
        parts.push(magnitude[at : at + 7])
    one, other = whole.finish(), parts.finish()
    assert one is not None and other is not None and one.number == other.number
    assert one.confidence == pytest.approx(other.confidence)
    assert track_features(samples, ()).key == track_key(samples)
