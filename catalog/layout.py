"""``catalog.json``: which format a catalogue has and which bundle made its vectors.

It is written first and whole, so a folder with it is a catalogue, perhaps an empty one.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engines.bundle import Bundle
from features.spec import MUSIC_FEATURES

from .clips import CLIPS, flush_folder
from .database import DATABASE, LOCK
from .errors import BundleMismatchError, FormatError
from .needs import needs_of

FORMAT = 5
FILE = "catalog.json"
CURE = "index the music into a new folder"


@dataclass(frozen=True, slots=True)
class Layout:
    """The bundle's identity and name, the clip width C and the embedding width E."""

    bundle: str
    bundle_name: str
    clip_dim: int
    embedding_dim: int
    extras: tuple[str, ...] = ()  # features kept of each clip behind its vector


def layout_of(bundle: Bundle) -> Layout:
    """The layout of a catalogue made with ``bundle``."""
    manifest = bundle.manifest
    return Layout(bundle.identity, manifest.name, manifest.music_dim, manifest.embedding_dim, needs_of(bundle).kept)


def is_catalog(folder: Path) -> bool:
    return (folder / FILE).is_file()


def read_layout(folder: Path) -> Layout:
    """Raises ``FormatError`` for a folder that is no catalogue or one of another format."""
    path = folder / FILE
    try:
        data: Any = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        what = "has no catalog.json" if folder.is_dir() else "no such folder"
        raise FormatError(f"{folder}: not a catalogue ({what}); make one with segue index") from error
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}); {CURE}") from error
    version = data.get("format") if isinstance(data, dict) else None
    if version in range(1, FORMAT):
        raise FormatError(f"{path}: of an older segue (format {version}, this one reads {FORMAT}); {CURE}")
    if version != FORMAT:
        raise FormatError(f"{path}: format {version!r}, this program reads {FORMAT}; {CURE}")
    try:
        layout = Layout(**{key: value for key, value in data.items() if key != "format"})
        layout = replace(layout, extras=tuple(layout.extras))
    except TypeError as error:
        raise FormatError(f"{path}: not what segue index writes ({error}); {CURE}") from error
    types = {"bundle": str, "bundle_name": str, "clip_dim": int, "embedding_dim": int}
    if unknown := [name for name in layout.extras if name not in MUSIC_FEATURES]:
        raise FormatError(f"{path}: keeps {', '.join(map(str, unknown))}, which this program does not know; {CURE}")
    for name, kind in types.items():
        if type(getattr(layout, name)) is not kind:
            raise FormatError(f"{path}: {name} is {getattr(layout, name)!r}; {CURE}")
    return layout


def check_vacant(folder: Path) -> None:
    """Make ``folder`` where there is none. Raises ``FormatError`` for one that holds something else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in folder.iterdir() if not path.name.startswith((".", LOCK))]
    except OSError as error:
        raise FormatError(f"{folder}: cannot be made a catalogue ({error.strerror}); name another folder") from error
    if others:
        raise FormatError(f"{folder}: not a catalogue, and not empty ({others[0]!r}); name a new folder for it")


def write_layout(folder: Path, layout: Layout) -> None:
    """Make ``folder`` a catalogue, under its lock. Refuses a folder that holds something else."""
    check_vacant(folder)
    partial = folder / ".catalog.json.tmp"
    with partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"format": FORMAT} | asdict(layout), indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / FILE)  # noqa: PTH105
    flush_folder(folder)


def remove_catalog(folder: Path) -> None:
    """Remove a catalogue that stayed empty, as far as its files can be removed. The caller holds its lock."""
    for name in (FILE, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    remove_empty(folder / CLIPS)


def remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def check_bundle(folder: Path, layout: Layout, bundle: Bundle) -> None:
    """Raises ``BundleMismatchError`` unless ``bundle`` made the catalogue in ``folder``."""
    if layout.bundle != bundle.identity:
        raise BundleMismatchError(
            f"{folder}: made with bundle {layout.bundle_name} ({layout.bundle}), not with {bundle.manifest.name} "
            f"({bundle.identity}); pass the bundle that made it, or {CURE}"
        )
