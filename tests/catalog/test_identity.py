"""How long a file is by its packets alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from catalog.identity import identify


@pytest.mark.parametrize("kind", ["ogg", "flac", "wav", "mp3"])
def test_music_that_changes_often_is_as_long_as_it_plays(tmp_path: Path, kind: str) -> None:
    """Vorbis then changes the size of its blocks, which is where FFmpeg loses count."""
    rng, rate_hz = np.random.default_rng(0), 44_100
    sound = 0.1 * np.sin(2 * np.pi * 220 * np.arange(20 * rate_hz) / rate_hz)
    for at in range(0, len(sound) - 4000, rate_hz // 4):
        sound[at : at + 4000] += 0.4 * rng.normal(size=4000) * np.exp(-np.linspace(0, 8, 4000))
    soundfile.write(tmp_path / f"a.{kind}", sound.clip(-1, 1), rate_hz)
    identity = identify(tmp_path / f"a.{kind}")
    assert identity is not None and identity.duration_s == pytest.approx(20.0, abs=0.1)


def test_a_file_cut_off_is_as_long_as_its_packets(tmp_path: Path, write_music: Callable[..., Path]) -> None:
    path = write_music(tmp_path / "a.ogg", duration_s=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    identity = identify(path)
    assert identity is not None and 5.0 < identity.duration_s < 15.0
