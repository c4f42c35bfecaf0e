"""Listening for voices: a recorded voice is heard where it is, music without one is not, lengths are kept."""

import needs
import numpy as np
import pytest

from features import vocals
from features.decode.sound import decode
from features.vocals import vocals_by_second

RATE_HZ = 16_000


def plucked(seconds: float) -> np.ndarray:
    """Tones with overtones, one after another."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch = 220 * 2 ** (np.floor(t * 2) % 5 / 12)
    fade = np.exp(-4 * (t * 2 % 1))
    return (0.2 * fade * sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 6))).astype(np.float32)


def test_a_voice_is_heard_in_the_seconds_in_which_it_speaks() -> None:
    voice = decode(needs.voices()[0]).samples[: 5 * RATE_HZ]
    sound = np.concatenate([plucked(10.0), voice, plucked(10.0)])
    found = vocals_by_second(sound)
    assert found is not None and found.dtype == np.uint8 and found.shape == (25,)
    assert found[11:14].mean() > 70 and found[:9].mean() < 10 and found[17:].mean() < 10


def test_music_without_a_voice_and_silence_have_none() -> None:
    for sound in (plucked(12.3), np.zeros(RATE_HZ * 3, np.float32)):
        found = vocals_by_second(sound)
        assert found is not None and len(found) == -(-len(sound) // RATE_HZ) and found.mean() < 5


@pytest.mark.parametrize("samples", [0, 1, 1599, 16_001])
def test_any_length(samples: int) -> None:
    found = vocals_by_second(np.zeros(samples, np.float32))
    assert found is not None and len(found) == -(-samples // RATE_HZ)


def test_blocks_change_nothing_but_at_their_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = plucked(20.0)
    whole = vocals_by_second(sound)
    monkeypatch.setattr(vocals, "BLOCK_S", 7)
    cut = vocals_by_second(sound)
    assert whole is not None and cut is not None and len(cut) == len(whole)
    assert np.abs(whole.astype(int) - cut).mean() < 5


def test_without_the_package_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocals, "PACKAGE", "no_such_package_here")
    vocals.can_listen.cache_clear()
    assert vocals_by_second(plucked(2.0)) is None
    vocals.can_listen.cache_clear()
