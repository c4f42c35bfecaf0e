"""The fields of a track that a sidecar or ``segue catalog edit`` may give, and how each is read.

Every value is text: in a sidecar's cell, behind ``--set``, in the table ``notes``. ``parse`` brings it to the one form
that notes hold.
"""

import contextlib
import datetime
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .libraries.keys import key_of
from .licence import normalise
from .tags import one_line

MAX_TEXT: Final = 300
MAX_CREDIT: Final = 1000
MAX_WORDS: Final = 32
MAX_WORD: Final = 80
YES, NO, UNKNOWN = "yes", "no", "unknown"
_SAID: Final[Mapping[str, str]] = {
    **dict.fromkeys(("yes", "y", "true", "1", "ok", "x"), YES),
    **dict.fromkeys(("no", "n", "false", "0"), NO),
    **dict.fromkeys(("unknown", "?"), UNKNOWN),
}
_DAY: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


class FieldError(ValueError):
    """A value that its field cannot have; the text says what it may be."""


@dataclass(frozen=True, slots=True)
class Field:
    """``parse``: text that is not blank to the form that notes hold. ``is_list``: that form is a JSON array."""

    about: str
    parse: Callable[[str], str]
    is_list: bool = False


def text(given: str, limit: int = MAX_TEXT) -> str:
    """One line."""
    if len(given) > limit:
        raise FieldError(f"is {len(given)} characters long; give at most {limit}")
    if not (visible := one_line(given, limit)):
        raise FieldError("holds nothing that can be shown")
    return visible


def credit_text(given: str) -> str:
    return text(given, MAX_CREDIT)


def licence(given: str) -> str:
    """In the spelling that filters compare."""
    return normalise(text(given))


def answer(given: str) -> str:
    """yes, no or unknown."""
    try:
        return _SAID[given.strip().casefold()]
    except KeyError:
        raise FieldError(f"is {given[:40]!r}; give yes, no or unknown") from None


def day(given: str) -> str:
    """A day as 2026-11-30."""
    plain = given.strip()
    if match := _DAY.fullmatch(plain):
        year, month, number = match.groups()
    elif match := _DAY_FIRST.fullmatch(plain):
        number, month, year = match.groups()
    else:
        raise FieldError(f"is {given[:40]!r}; give a day as 2026-11-30")
    try:
        return datetime.date(int(year), int(month), int(number)).isoformat()
    except ValueError as error:
        raise FieldError(f"is {given[:40]!r}, which is no day ({error}); give one as 2026-11-30") from error


def words(given: str) -> str:
    """Words that are separated by semicolons or commas, as a JSON array, each once."""
    found = list(dict.fromkeys(word for part in re.split(r"[;,\n]", given) if (word := one_line(part))))
    if len(found) > MAX_WORDS or any(len(word) > MAX_WORD for word in found):
        raise FieldError(f"holds {len(found)} words; give at most {MAX_WORDS}, of at most {MAX_WORD} characters each")
    if not found:
        raise FieldError("holds no word")
    return json.dumps(found, ensure_ascii=False)


def key(given: str) -> str:
    """A musical key in one spelling, see ``libraries.keys``."""
    found = key_of(given)
    if not found:
        raise FieldError(f"is {given[:40]!r}; give a key as F#m, Db or 8A")
    return found


def rating(given: str) -> str:
    if given.strip() not in ("1", "2", "3", "4", "5"):
        raise FieldError(f"is {given[:40]!r}; give 1 to 5 stars")
    return given.strip()


FIELDS: Final[Mapping[str, Field]] = {
    "licence": Field("as in SPDX, such as CC-BY-4.0, or in any words", licence),
    "attribution": Field("the line to credit the track with", credit_text),
    "live_ok": Field("may be heard in a live stream: yes, no or unknown", answer),
    "vod_ok": Field("may be heard in a published recording: yes, no or unknown", answer),
    "source": Field("where it is from: an address, a shop, a label", text),
    "bought": Field("day of the purchase or licence, as 2026-11-30", day),
    "list_at": Field("where your channel must be listed before you use it", text),
    "vocals": Field("whether anybody sings or speaks: yes, no or unknown", answer),
    "moods": Field("words, separated by semicolons", words, is_list=True),
    "tags": Field("words of your own, beside the file's genres", words, is_list=True),
    "key": Field("musical key: F#m, Db, 8A", key),
    "rating": Field("stars, 1 to 5", rating),
    "title": Field("instead of the file's", text),
    "artist": Field("instead of the file's", text),
    "hidden": Field("left out of every search, though the file is there: yes or no", answer),
}


def parse(name: str, given: str) -> str:
    """The form of a field's value that notes hold. Raises ``FieldError`` for a value that it cannot have, and for a
    field that there is not."""
    if name not in FIELDS:
        raise FieldError(f"there is no field {name[:40]!r}; there are {', '.join(FIELDS)}")
    if "\0" in given:
        raise FieldError("holds a NUL character; save the file as plain text again")
    return FIELDS[name].parse(given)


def usable(given: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Fields and texts as notes hold them, without what cannot be used: what a file's tags say has no reader to
    complain to."""
    found: dict[str, str] = {}
    for name, value in given:
        with contextlib.suppress(FieldError):
            found[name] = parse(name, value)
    return tuple(found.items())


def shown(name: str, value: str) -> str:
    """A value of a note as it is written in a sidecar."""
    return "; ".join(as_list(value)) if FIELDS[name].is_list else value


def as_list(value: str) -> tuple[str, ...]:
    """The words of a note that is a list; none where it is not what ``words`` makes."""
    try:
        found = json.loads(value)
    except ValueError:
        return ()
    return tuple(word for word in found if isinstance(word, str)) if isinstance(found, list) else ()


def as_answer(value: str) -> bool | None:
    """A note that answers a question; None: it is not known."""
    return {YES: True, NO: False}.get(value)
