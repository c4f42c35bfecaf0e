"""What a music file says of itself: title, artist, genres, licence, tempo. Never a reason to refuse the file."""

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen

MAX_TEXT = 300
# The same thing under the names of Vorbis comments and APE, ID3, MP4 and ASF, in lower case; the first found counts.
_TITLE = ("title", "tit2", "\xa9nam")
_ARTIST = ("artist", "tpe1", "\xa9art", "author", "albumartist", "tpe2", "aart")
_GENRE = ("genre", "tcon", "\xa9gen", "wm/genre")
_LICENCE = ("license", "licence", "txxx:license", "txxx:licence", "----:com.apple.itunes:license", "wcop",
            "copyright", "tcop", "cprt")  # fmt: skip
_BPM = ("bpm", "tempo", "tbpm", "tmpo", "wm/beatsperminute")
_CC = re.compile(r"creativecommons\.org/licen[cs]es/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
_CC0 = re.compile(r"creativecommons\.org/publicdomain/zero/(\d\.\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tags:
    """Texts are one line of at most 300 characters; absent ones are empty, an absent or absurd tempo is 0."""

    title: str
    artist: str
    genres: tuple[str, ...]
    licence: str  # an SPDX name where a Creative Commons address says which
    tempo_bpm: float


def read_tags(path: Path) -> Tags:
    """Tags of a file, the title from its name where they lack one."""
    found = _values(path)
    return Tags(
        title=_first(found, _TITLE) or title_of(path),
        artist=_first(found, _ARTIST),
        genres=_genres(found),
        licence=spdx(_first(found, _LICENCE)),
        tempo_bpm=_tempo(_first(found, _BPM)),
    )


def title_of(path: Path) -> str:
    """A readable title from a file's name, which need not be text."""
    return one_line(os.fsencode(path.stem).decode("utf-8", "replace").replace("_", " ")) or "untitled"


def one_line(text: str) -> str:
    """``text`` without control characters and line breaks, spaces joined, at most 300 characters."""
    # Cs and Co would not survive the way to a terminal or a browser; the rest would break lines there.
    kept = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") else c for c in text[: 4 * MAX_TEXT])
    return " ".join("".join(kept).split())[:MAX_TEXT]


def spdx(licence: str) -> str:
    """``CC-BY-4.0`` for a text with that licence's address, any other text as it is."""
    if match := _CC0.search(licence):
        return f"CC0-{match[1]}"
    if match := _CC.search(licence):
        return f"CC-{match[1].upper()}-{match[2]}"
    return licence


def _values(path: Path) -> dict[str, list[str]]:
    try:
        file = mutagen.File(path)
        return {} if file is None or file.tags is None else _texts(file.tags)
    except Exception:  # noqa: BLE001 - damaged tags raise whatever parsing them hit
        return {}


def _texts(tags: Any) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for key, value in tags.items():
        values = getattr(value, "genres", None) or getattr(value, "text", None) or getattr(value, "url", None) or value
        if isinstance(values, str | bytes | int | float) or not isinstance(values, Iterable):
            values = [values]
        spelled = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]
        # ID3 keys may end in a language or description (WCOP:...), which only TXXX needs.
        name = key.casefold()
        name = name if name.startswith(("txxx", "----")) else name.partition(":")[0]
        texts.setdefault(name, []).extend(spelled)
    return texts


def _first(found: dict[str, list[str]], keys: tuple[str, ...]) -> str:
    lines = (one_line(text) for key in keys for text in found.get(key, ()))
    return next((line for line in lines if line), "")


def _genres(found: dict[str, list[str]]) -> tuple[str, ...]:
    words = (one_line(word) for key in _GENRE for text in found.get(key, ()) for word in re.split(r"[;,/\0]", text))
    return tuple(dict.fromkeys(word for word in words if word))[:16]


def _tempo(text: str) -> float:
    try:
        bpm = float(text)
    except ValueError:
        return 0.0
    return bpm if 20.0 <= bpm <= 400.0 else 0.0
