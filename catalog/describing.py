"""What sidecars say of the files of an index's run, noted in its catalogue."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from .beside import read_beside
from .notes import SIDECAR
from .report import FileNote, printable
from .scan import Scan
from .store import Store

MAX_CONTRADICTIONS: Final = 100  # between sidecars that are told


def describe(music: Path, scanned: Scan, store: Store, is_inside: Callable[[Path], bool]) -> tuple[int, list[FileNote]]:
    """Note what sidecars say of the files, present or missing; returns of how many tracks they say anything, and what
    is to be told. A playlist is not where its files are, so what the tables of their folders said stays; so does what
    was said in folders, and by tables, that cannot be read now."""
    if scanned.listed is not None:
        return 0, []
    hidden = tuple(scanned.closed)
    places = [
        (path, begin_s)
        for path, begin_s in store.places()
        if is_inside(path) and not any(map(path.is_relative_to, hidden))
    ]
    said = read_beside(music, scanned.sidecars, places)
    notes = [FileNote(path, text) for path, text in said.complaints]
    store.notes.replace(SIDECAR, said.notes, music, (*hidden, *said.closed))
    against = [it for it in store.notes.contradictions(SIDECAR) if any(map(is_inside, it[::2]))]
    notes += [
        FileNote(path, f"{field} is yes here, but no for {printable(other)}, which is the same music: the no counts")
        for path, field, other in against[:MAX_CONTRADICTIONS]
    ]
    if len(against) > MAX_CONTRADICTIONS:
        notes.append(FileNote(music, f"and {len(against) - MAX_CONTRADICTIONS} more such tracks"))
    return len({(note.path, note.begin_s) for note in said.notes}), notes
