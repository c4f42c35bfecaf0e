"""The tracks that OBS plays in the measurement, and noise of a known loudness."""

import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.starts import RATE_HZ, encode, write_wav
from catalog.errors import UnknownTrackError
from catalog.gain import gain_db
from catalog.records import Outline, Track
from features.decode.sound import decode

LOUDNESS: Final = (-27.0, -14.0)  # of the tracks between which the level may not step


def tracks(folder: Path, kinds: tuple[str, ...], seconds: float) -> "BenchShelf":
    """One track in each of the formats that ffmpeg can make, and one of each loudness. Needs ffmpeg."""
    source = folder / "source.wav"
    write_wav(source, seconds)
    paths = {kind: path for kind in kinds if (path := encode(source, kind)) is not None}
    gains: dict[str, float] = {}
    for lufs in LOUDNESS:
        path = _steady(folder / f"at {lufs:g}.wav", lufs)
        paths[path.stem] = path
        levels = decode(path, levels=True).levels
        assert levels is not None
        gains[path.stem] = gain_db(_outline(levels.lufs, levels.true_peak_db))
    return BenchShelf(paths, gains)


class BenchShelf:
    """Of these files."""

    def __init__(self, paths: Mapping[str, Path], gains: Mapping[str, float]) -> None:
        self.paths, self._gains = paths, gains
        self._tracks = {
            name: Track(name, name, "", path, decode(path).duration_s, 120.0, "", ()) for name, path in paths.items()
        }

    def track(self, id: str) -> Track:
        if id not in self._tracks:
            raise UnknownTrackError(id)
        return self._tracks[id]

    def gain(self, id: str) -> float | None:
        return self._gains.get(id)

    def outline(self, id: str) -> Outline | None:
        return None


def noise(path: Path, seconds: float, power: float) -> Path:
    sound = np.random.default_rng(2).standard_normal((round(seconds * RATE_HZ), 2)) * power
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes((np.clip(sound, -1.0, 1.0) * 32_000).astype("<i2").tobytes())
    return path


def _outline(lufs: float, true_peak_db: float) -> Outline:
    """One that has nothing but levels."""
    none = np.zeros(0, np.float32)
    return Outline(lufs, 0.0, true_peak_db, none, np.zeros(0, np.uint8), ((0.0, 1.0),), 0.0, 1.0, none, none, ())


def _steady(path: Path, lufs: float) -> Path:
    """A minute of noise, of about this loudness throughout."""
    return noise(path, 60.0, 10 ** ((lufs - 2.0) / 20))
