"""Whether a catalogue is whole: its database, the analysis of each track, the clip files, what can be searched.

Nothing is changed. What a killed indexer may leave behind, a clip file that no track owns, is no fault: the next
``segue index`` removes it, as it analyses tracks again whose own is lost.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from .clips import CLIPS, clip_path, is_whole
from .layout import Layout, read_layout
from .needs import shape_of
from .store import Store

MOST: Final = 1000  # faults that are told
RESTORE: Final = "restore it, or index the music into a new folder"
AGAIN: Final = "segue index on its music analyses it again"


@dataclass(frozen=True, slots=True)
class Verified:
    """``faults``: each names what, the cause and the cure; at most ``MOST``. ``unowned``: clip files of no track;
    ``absent``: files of music that are not there now."""

    tracks: int
    segments: int
    faults: tuple[str, ...]
    unowned: int
    absent: int


def verify(folder: Path, look_at_music: bool = True) -> Verified:
    """Read everything of a catalogue once. ``look_at_music``: count the files that are gone. Raises ``FormatError``
    for a folder that is no catalogue, or a database that cannot even be opened."""
    layout = read_layout(folder)
    faults: list[str] = []
    tracks = segments = absent = 0
    names = set[str]()
    with closing(Store(folder, write=False)) as store, store.snapshot():
        try:
            for fault in store.check():
                _add(faults, f"the database: {fault}; {RESTORE}")
            owned, tracks = store.clip_files(), len(store.present())
            names = {name for name, _ in owned.values()}
            damaged = store.faults(layout.embedding_dim)
            segments = store.count_segments()
            for fault in _faults(folder, layout, owned, damaged):
                _add(faults, fault)
            absent = sum(not _is_there(path) for path in store.files()) if look_at_music else 0
        except sqlite3.Error as error:
            _add(faults, f"the database: cannot be read to its end ({error}); {RESTORE}")
    there = {path.name for path in (folder / CLIPS).glob("*")}
    return Verified(tracks, segments, tuple(faults), len(there - names), absent)


def _is_there(path: Path) -> bool:
    """False too on a drive that does not answer, where ``Path.is_file`` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def _add(faults: list[str], fault: str) -> None:
    if len(faults) < MOST:
        faults.append(fault)


def _faults(
    folder: Path, layout: Layout, owned: Mapping[str, tuple[str, int]], damaged: Mapping[str, str]
) -> Iterator[str]:
    width = layout.clip_dim + sum(int(np.prod(shape_of(name))) for name in layout.extras)
    for id, (name, clips) in owned.items():
        if not is_whole(clip_path(folder, name), clips, width):
            yield f"track {id}: its clip file {name} is gone or damaged; {AGAIN}"
    yield from (f"track {id}: {what}; {AGAIN}" for id, what in sorted(damaged.items()))
