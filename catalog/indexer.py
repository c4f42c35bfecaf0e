"""A folder of music -> a catalogue that mirrors it.

Incremental by sound. A file whose size and time are known is not read; otherwise a hash of its encoded sound tells
whether the sound is known: then the file was renamed, copied or tagged anew, and nothing is analysed. Each file is
committed by itself, so an index that is interrupted goes on where it stopped. The analysis of a file that vanished is
kept: the file is marked as missing, and its tracks come back with it; tracks from other folders stay.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from engines.base import Engine

from .database import exclusive, readable
from .errors import CatalogError, MusicFolderError
from .layout import (
    check_bundle,
    check_vacant,
    is_catalog,
    layout_of,
    read_layout,
    remove_catalog,
    remove_empty,
    write_layout,
)
from .libraries.bring import (
    Brought,
    bring_libraries,
    bring_playlists,
    forget_libraries,
    read_library,
    read_playlists,
)
from .libraries.m3u8 import PlaylistError, is_playlist
from .libraries.prepared import Library
from .mirror import Analyse, Progress, Run, is_inside
from .report import FileNote, IndexReport, no_music_text, printable
from .scan import Scan, scan, scan_playlist
from .store import Store
from .worker import EngineSpec


def index_folder(
    music: Path,
    catalog: Path,
    engine: Engine,
    jobs: int,
    progress: Progress,
    spec: EngineSpec | None = None,
    forget_missing: bool = False,
    libraries: Sequence[Path | Library] = (),
    forget_libraries: bool = False,
    refresh: bool = False,
    analyse: Analyse | None = None,
    settle_s: float = 0.0,
    unattended: bool = False,
) -> IndexReport:
    """Add and refresh until ``catalog`` holds what ``music`` does; makes the catalogue where there is none.
    ``music`` is a folder, or a playlist (M3U, M3U8) of files anywhere. ``libraries`` of other programs say more of the
    files (see ``libraries/``); ``forget_libraries`` drops what earlier ones said.

    ``jobs`` processes with an engine of their own each, opened as ``spec`` says (None: the bundle's on the CPU); 1
    works in this process with ``engine``, of which more processes need no more than the bundle. ``analyse``: what
    analyses the files instead (see ``dask_pool.on_cluster``). ``forget_missing``: tracks whose files are not in
    ``music`` any more leave the catalogue. ``refresh``: also measures what tracks lack that an older version analysed.
    ``settle_s``: how long a file must stay as it is before it is analysed (see ``settling.py``).
    ``unattended``: nobody reads the report, so tracks stay whose whole folder seems to be away, see ``absent.py``.
    Raises ``MusicFolderError`` for a folder that is missing or without files to try, unless the catalogue knows tracks
    of it, ``BundleMismatchError``, ``FormatError``, ``LockedError``, and what ``analyse`` raises. A catalogue that is
    new and would be empty is not left behind.
    """
    music, catalog = Path(os.path.realpath(music)), Path(os.path.realpath(catalog))
    scanned = _scan(music, catalog)
    if unattended and scanned.listed is None and (music in scanned.closed or not music.is_dir()):
        why = scanned.closed.get(music, "is not there now")
        raise MusicFolderError(
            f"{printable(music)}: {why}; its tracks stay; see that the disk or network drive is there"
        )
    opened = [read_library(library) if isinstance(library, Path) else library for library in libraries]
    if not scanned.files and not _holds(catalog, music):
        raise MusicFolderError(no_music_text(music, scanned))
    spec = spec or EngineSpec(str(engine.bundle.path))
    try:
        if not is_catalog(catalog):
            check_vacant(catalog)
        with exclusive(catalog), readable(catalog):
            new = not is_catalog(catalog)
            if new:
                write_layout(catalog, layout_of(engine.bundle))
            check_bundle(catalog, read_layout(catalog), engine.bundle)
            try:
                with closing(Store(catalog, write=True)) as store:
                    run = Run(
                        music, catalog, scanned, store, engine, spec, progress, refresh, analyse, settle_s, unattended
                    )
                    report = run.report(max(1, jobs), forget_missing)
                    return _bring(report, music, scanned, store, opened, forget_libraries)
            finally:
                if new and _is_empty(catalog):
                    remove_catalog(catalog)
    except (OSError, sqlite3.OperationalError) as error:
        raise CatalogError(
            f"{catalog}: cannot be written ({error}); free some space or mend its permissions"
        ) from error
    finally:
        remove_empty(catalog)


def _holds(catalog: Path, music: Path) -> bool:
    """Whether there is a catalogue that knows files under ``music``."""
    if not is_catalog(catalog):
        return False
    read_layout(catalog)
    with readable(catalog), closing(Store(catalog, write=False)) as store:
        return any(path.is_relative_to(music) for path in store.files())


def _scan(music: Path, catalog: Path) -> Scan:
    try:
        if music.is_dir():
            return scan(music, catalog)
    except OSError as error:  # a drive that does not answer
        return Scan(closed={music: f"folder cannot be read: {error.strerror}"})
    if not is_playlist(music):
        if music.exists():
            raise MusicFolderError(
                f"{printable(music)}: is not a folder; name a folder of music, or a playlist (.m3u8)"
            )
        return Scan()
    try:
        return scan_playlist(music, catalog)
    except PlaylistError as error:
        raise MusicFolderError(f"{printable(music)}: {error}; name a playlist of files, or a folder") from error


def _bring(
    report: IndexReport, music: Path, scanned: Scan, store: Store, libraries: Sequence[Library], forget: bool
) -> IndexReport:
    """Note what playlists and libraries say of the files."""
    sizes = {path: known.stamp.size for path, known in store.files().items()}
    sizes |= {path: stamp.size for path, stamp in scanned.files.items()}
    brought = Brought()
    playlists = [scanned.listed] if scanned.listed else read_playlists(scanned.playlists, sizes, brought)
    bring_playlists(store, music, playlists, brought)
    if forget:
        forget_libraries(store, lambda path: is_inside(path, music, scanned))
    if libraries:
        bring_libraries(store, libraries, sizes, lambda path: is_inside(path, music, scanned), brought)
    notes = tuple(FileNote(path, text) for path, text in brought.notes)
    return replace(report, playlists=brought.playlists, prepared=brought.tracks, notes=report.notes + notes)


def _is_empty(catalog: Path) -> bool:
    with closing(Store(catalog, write=True)) as store:
        return not store.ids()
