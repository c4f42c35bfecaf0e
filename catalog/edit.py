"""What a user says of tracks, kept in the catalogue apart from what their files and sidecars say."""

import contextlib
import difflib
import fnmatch
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .database import exclusive, readable
from .described import said_value
from .errors import CatalogError, NothingChosenError, UnknownTrackError
from .fields import FIELDS, NO, UNKNOWN, YES, FieldError, as_answer, parse, shown
from .layout import read_layout
from .licence import duties, matches, normalise
from .notes import EDIT, Note, Said, counting
from .recordings import best_files
from .records import Track
from .sidecar import write_rows
from .store import Store
from .stored import StoredTrack
from .tags import one_line

FILE: Final = "file"  # the origin of what the file's own tags, or its name, say
BUILT: Final = "built"  # of a credit line that nobody gave
_TEXTS: Final[Mapping[str, Callable[[Track], str]]] = {
    "title": lambda track: track.title,
    "artist": lambda track: track.artist,
    "source": lambda track: track.rights.source,
    "bought": lambda track: track.rights.bought,
    "list_at": lambda track: track.rights.list_at,
    "path": lambda track: str(track.path),
}
_ANSWERS: Final[Mapping[str, Callable[[Track], bool | None]]] = {
    "live_ok": lambda track: track.rights.live_ok,
    "vod_ok": lambda track: track.rights.vod_ok,
    "vocals": lambda track: track.sung,
    "hidden": lambda track: track.hidden,
}
_WORDS: Final[Mapping[str, Callable[[Track], Sequence[str]]]] = {
    "tag": lambda track: track.tags,
    "mood": lambda track: track.moods,
}
WHERE: Final = ("licence", *_TEXTS, *_ANSWERS, *_WORDS)
NEAREST: Final = 3  # values that an error names, which come nearest to the one that nothing has
COMMON: Final = 5  # and which most tracks have
MAX_COMPARED: Final = 2000
WAIT_S: Final = 10.0  # for an index to end: one that a server runs beside has little to do


@dataclass(frozen=True, slots=True)
class Shown:
    """A field's value that counts, who says it (``FILE`` for the file's own tags, ``BUILT``, empty where nobody does),
    and what else is said: origin and value."""

    value: str
    origin: str
    others: tuple[tuple[str, str], ...] = ()


def choose(tracks: Mapping[str, StoredTrack], ids: Collection[str], where: Sequence[str]) -> list[Track]:
    """Tracks by their ids, or those that pass every ``FIELD=VALUE`` of ``where``, in order. Raises
    ``UnknownTrackError``, ``NothingChosenError`` and ``CatalogError``."""
    for id in ids:
        if id not in tracks:
            raise UnknownTrackError(f"{id!r}: no such track; segue search lists them")
    tests = [_test(text) for text in where]
    named = {tracks[id].track.id for id in ids}
    every = {stored.track.id: stored.track for stored in tracks.values()}
    found = {
        id: track for id, track in every.items() if (id in named or not ids) and all(test(track) for test in tests)
    }
    if not found:
        raise NothingChosenError(_why_none(list(every.values()), where))
    return [found[id] for id in sorted(found)]


def _why_none(tracks: Sequence[Track], where: Sequence[str]) -> str:
    """What was looked for in vain, and which values there are."""
    alone = [text for text in where if not any(map(_test(text), tracks))]
    if not tracks:
        return "the catalogue holds no track that is there; segue index fills it"
    if not alone:
        return f"each of {', '.join(where)} holds of some tracks, but of none all of them do; leave one out"
    return "; ".join(f"--where {text!r} holds of none of {len(tracks)} tracks{_near(tracks, text)}" for text in alone)


def _near(tracks: Sequence[Track], text: str) -> str:
    name, _, wanted = text.partition("=")
    wanted = (normalise(wanted) if name == "licence" else wanted).casefold().strip("*?")
    counts = Counter(value for track in tracks for value in _values(name, track))
    if not any(counts):
        return f": none has a {name}"
    some = {value.casefold(): value for value, _ in counts.most_common(MAX_COMPARED)}
    near = [some[it] for it in difflib.get_close_matches(wanted, some, NEAREST)]
    common = [value for value, _ in counts.most_common(COMMON) if value not in near]
    shows = f"{name}=" if name in _ANSWERS else ""
    named = ", ".join(f"{shows}{one_line(value) or 'no ' + name} ({counts[value]})" for value in (*near, *common))
    return f"; there are {named}" + (", ..." if len(counts) > len(near) + len(common) else "")


def _values(name: str, track: Track) -> Sequence[str]:
    """A track's values of a field of ``WHERE``, as text."""
    if name in _WORDS:
        return _WORDS[name](track)
    if name in _ANSWERS:
        return [{True: YES, False: NO, None: UNKNOWN}[_ANSWERS[name](track)]]
    return [track.licence if name == "licence" else _TEXTS[name](track)]


def _test(text: str) -> Callable[[Track], bool]:
    name, equals, wanted = text.partition("=")
    if not equals or name not in WHERE:
        raise CatalogError(f"--where {text!r}: give FIELD=VALUE; there are {', '.join(WHERE)}")
    pattern = wanted.casefold()
    if name == "licence":
        if "*" in wanted or "?" in wanted:
            return lambda track: fnmatch.fnmatchcase(track.licence.casefold(), pattern)
        return lambda track: matches(wanted, track.licence) if wanted else not track.licence
    if name in _ANSWERS:
        try:
            answer = as_answer(parse(name, wanted))
        except FieldError as error:
            raise CatalogError(f"--where {text!r}: {name} {error}") from error
        return lambda track: _ANSWERS[name](track) is answer
    if name in _WORDS:
        return lambda track: any(fnmatch.fnmatchcase(word.casefold(), pattern) for word in _WORDS[name](track))
    return lambda track: fnmatch.fnmatchcase(_TEXTS[name](track).casefold(), pattern)


def changes(sets: Sequence[str], unsets: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """``FIELD=VALUE`` of ``--set`` as notes hold them, and the fields of ``--unset``. Raises ``CatalogError``."""
    values: dict[str, str] = {}
    for text in sets:
        name, equals, given = text.partition("=")
        if not equals:
            raise CatalogError(f"--set {text!r}: give FIELD=VALUE, such as vod_ok=no")
        if name not in FIELDS:
            raise CatalogError(f"--set {name!r}: there is no such field; there are {', '.join(FIELDS)}")
        if name in values:
            raise CatalogError(f"{name} is set twice; give one value")
        if not given.strip():
            raise CatalogError(f"--set {text!r}: has no value; --unset {name} takes an edit back")
        try:
            values[name] = parse(name, given)
        except FieldError as error:
            raise CatalogError(f"--set {text!r}: {name} {error}") from error
    for name in unsets:
        if name not in FIELDS:
            raise CatalogError(f"--unset {name!r}: there is no such field; there are {', '.join(FIELDS)}")
        if name in values:
            raise CatalogError(f"{name} is both set and unset; give one of them")
    return values, tuple(unsets)


def edit(
    folder: Path, ids: Collection[str], where: Sequence[str], values: Mapping[str, str], unset: Collection[str]
) -> list[Track]:
    """Say ``values`` of the chosen tracks, and take back ``unset``; returns the tracks as they were. What is said holds
    for every file of their recordings. Raises ``CatalogError``."""
    with _opened(folder, write=True) as store:
        chosen = choose(best_files(store.tracks()), ids, where)
        places = [place for track in chosen for place in store.places_of(track.id)]
        gone = [(path, begin_s, name) for path, begin_s in places for name in unset]
        store.notes.change(
            EDIT, gone, [Note(*place, name, value) for place in places for name, value in values.items()]
        )
    return chosen


def chosen_now(folder: Path, ids: Collection[str], where: Sequence[str]) -> list[Track]:
    """The tracks that ``edit`` would change."""
    with _opened(folder) as store:
        return choose(best_files(store.tracks()), ids, where)


def show(folder: Path, id: str) -> tuple[Track, dict[str, Shown], tuple[str, ...]]:
    """A track, each of its fields with who says it, and what its licence asks for, in words."""
    with _opened(folder) as store:
        [track] = choose(best_files(store.tracks()), [id], ())
        said = store.notes.all().get((track.path, track.begin_s), {})
        [own] = [it for it in store.names(track.path) if it.id == track.id and it.begin_s == track.begin_s]
    return track, {name: _shown(name, track, own, said) for name in FIELDS}, duties(track.licence)


def _shown(name: str, track: Track, own: Track, said: Said) -> Shown:
    counts = counting(said).get(name)
    every = [(origin, shown(name, fields[name])) for origin, fields in said.items() if name in fields]
    from_file = said_value(name, own)
    if counts is not None:
        others = [pair for pair in every if pair[0] != counts[1]] + ([(FILE, from_file)] if from_file else [])
        return Shown(shown(name, counts[0]), counts[1], tuple(others))
    if name == "attribution":
        return Shown(track.attribution, BUILT if track.attribution else "")
    return Shown(from_file, FILE if from_file else "")


def export(folder: Path, music: Path, write: Callable[[str], object]) -> tuple[int, list[str]]:
    """Write what was edited of the tracks in ``music`` as a ``segue.csv`` for that folder; returns the number of rows,
    and names that cannot be in one."""
    root = Path(os.path.realpath(music))
    rows: list[tuple[str, float | None, dict[str, str]]] = []
    left: list[str] = []
    with _opened(folder) as store:
        notes = store.notes.all()
        places = [place for place in store.places() if place[0].is_relative_to(root)]
    several = {path for path, begin_s in places if begin_s > 0}
    for path, begin_s in places:
        if not (edits := notes.get((path, begin_s), {}).get(EDIT)):
            continue
        name = path.relative_to(root).as_posix()
        try:
            name.encode()
        except UnicodeEncodeError:
            left.append(os.fsencode(name).decode("utf-8", "replace"))
            continue
        values = {field: shown(field, value) for field, value in edits.items()}
        rows.append((name, begin_s if path in several else None, values))
    write_rows(rows, write)
    return len(rows), left


@contextlib.contextmanager
def _opened(folder: Path, write: bool = False) -> Iterator[Store]:
    read_layout(folder)
    with readable(folder), contextlib.ExitStack() as stack:
        if not write:
            yield stack.enter_context(closing(Store(folder, write)))
            return
        try:
            stack.enter_context(exclusive(folder, WAIT_S))
            yield stack.enter_context(closing(Store(folder, write)))
        except sqlite3.OperationalError as error:
            text = f"{folder}: cannot be written ({error}); free some space or mend its permissions"
            raise CatalogError(text) from error
