"""What ranking needs of a segment: its clips' embeddings, memory-mapped from the disk, and their rhythm."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

import numpy as np

from features.spec import MAX_CLIPS, RHYTHM_FIELDS

from .clips import clip_path
from .layout import Layout
from .needs import shape_of
from .recent import Recent
from .records import Floats, Mask
from .stored import StoredTrack

KEPT: Final = 2048  # windows, some 10 kB each


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The fields of ``Candidate`` of the same names; read-only, since searches share it."""

    clips: Floats
    mask: Mask
    rhythm: Floats
    extras: dict[str, Floats]


class Windows:
    """The windows of a catalogue's tracks, for any number of threads; at most ``files`` are mapped at once."""

    def __init__(self, folder: Path, layout: Layout, files: int) -> None:
        self._folder, self._layout = folder, layout
        self._mapped: Recent[str, Floats] = Recent(files)
        self._windows: Recent[tuple[str, int], Window] = Recent(KEPT)

    def close(self) -> None:
        """Let go of the mapped files. May be called twice."""
        self._mapped.clear()

    def window(self, stored: StoredTrack, first_clip: int) -> Window:
        """Up to seven clips of a track. Raises ``OSError`` or ``ValueError`` where its file is gone or damaged."""
        return self._windows.get((stored.clips, first_clip), lambda: self._read(stored, first_clip))

    def _read(self, stored: StoredTrack, first_clip: int) -> Window:
        mapped = self._mapped.get(stored.clips, lambda: self._map(stored.clips))
        window = slice(first_clip, first_clip + MAX_CLIPS)
        valid = len(mapped[window])
        rows = np.zeros((MAX_CLIPS, mapped.shape[1]), np.float32)
        rhythm = np.zeros((MAX_CLIPS, len(RHYTHM_FIELDS)), np.float32)
        rows[:valid], rhythm[:valid] = mapped[window], stored.rhythm[window]
        mask = np.arange(MAX_CLIPS) < valid
        clips, extras = self._parts(rows)
        for part in (rows, clips, mask, rhythm, *extras.values()):
            part.setflags(write=False)
        return Window(clips, mask, rhythm, extras)

    def _parts(self, rows: Floats) -> tuple[Floats, dict[str, Floats]]:
        """Rows as the store keeps them -> clip vectors, and the features behind them."""
        at = self._layout.clip_dim
        clips, extras = rows[:, :at], {}
        for name in self._layout.extras:
            shape = shape_of(name)
            extras[name] = rows[:, at : at + prod(shape)].reshape(len(rows), *shape)
            at += prod(shape)
        return clips, extras

    def _map(self, name: str) -> Floats:
        clips: Floats = np.load(clip_path(self._folder, name), mmap_mode="r")
        return clips
