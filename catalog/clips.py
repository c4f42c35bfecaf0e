"""Clip embeddings on disk: one ``.npy`` file a track, memory-mapped by searches.

No file is ever written twice. A track that is analysed again gets a file of another name, the database switches to it,
and the old one is removed when nothing uses it: a mapped file cannot be replaced on Windows, and must not change
elsewhere. File and folder are flushed to the disk before the database names the file, so a power cut leaves at worst a
file that no track owns.
"""

import contextlib
import os
import secrets
from collections.abc import Collection
from pathlib import Path

import numpy as np

from .records import Analysis, Floats

CLIPS = "clips"


def clip_path(folder: Path, name: str) -> Path:
    """The path of the clip file of that name: (clips, C + ...) float32, see ``clip_rows``."""
    return folder / CLIPS / name


def clip_rows(analysis: Analysis) -> Floats:
    """(clips, C + ...): each clip's vector, and behind it the other features that are kept of it, end to end."""
    flat = [values.reshape(len(values), -1) for values in analysis.extras.values()]
    return np.concatenate([analysis.clips, *flat], axis=1) if flat else analysis.clips


def write_clips(folder: Path, track: str, rows: Floats) -> str:
    """Write a track's rows to a new file, down to the disk; returns its name."""
    name = f"{track}-{secrets.token_hex(4)}.npy"
    path = clip_path(folder, name)
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as file:
        np.save(file, rows.astype(np.float32, copy=False))
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path.parent)
    return name


def is_whole(path: Path, clips: int, width: int) -> bool:
    """Whether ``path`` can be mapped and holds (``clips``, ``width``) numbers."""
    try:
        rows = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return bool(rows.shape == (clips, width) and rows.dtype == np.float32)


def remove_others(folder: Path, owned: Collection[str]) -> None:
    """Remove the clip files that no track owns; a file that a search still maps may stay until the next time."""
    for path in (folder / CLIPS).glob("*"):
        if path.name not in owned:
            with contextlib.suppress(OSError):
                path.unlink()


def flush_folder(folder: Path) -> None:
    """Make the names in ``folder`` last through a power cut, where the system offers that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
