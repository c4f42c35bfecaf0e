"""Where a library or a playlist says that a file is -> the file here.

Such a text may be of another machine: a Windows path with a drive letter, a ``file:`` address, a disk that is mounted
elsewhere. So what counts is how many names, from the last one backwards, agree with a file's own path, without regard
to case and to the way in which accents are composed.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

MAX_TEXT: Final = 8192
MAX_NAMES: Final = 32  # the last ones of a location, of which some may be below a folder here
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:(?://|\\\\)", re.IGNORECASE)
_DRIVE: Final = re.compile(r"/?[a-z]:(?=/|$)", re.IGNORECASE)
_HERE: Final = ("", "localhost")


def is_remote(text: str) -> bool:
    """Whether a location is an address that is no file's."""
    scheme = _SCHEME.match(text)
    return scheme is not None and not text.casefold().startswith("file:")


def plain(text: str) -> str:
    """A location as a path with slashes: of a ``file:`` address its path, decoded; a foreign host stays in front."""
    if text[:5].casefold() != "file:":
        return text
    path, host = text[5:].replace("\\", "/"), ""
    if path.startswith("//"):
        host, slash, rest = path[2:].partition("/")
        path = slash + rest
    decoded = unquote(path)
    if host.casefold() in _HERE:
        return decoded
    return f"{unquote(host)}{decoded}" if _DRIVE.fullmatch(host) else f"//{host}{decoded}"


def candidates(text: str, base: Path) -> Iterator[Path]:
    """The paths that a location may mean for a playlist in the folder ``base``, likeliest first: as it is written, with
    slashes, decoded, and for absolute ones their last names below ``base``."""
    seen = set[str]()
    for name in _spellings(text):
        path = os.path.normpath(base / name)
        if path not in seen:
            seen.add(path)
            yield Path(path)
    for name in _spellings(text):
        names = _names(name)
        for first in range(max(0, len(names) - MAX_NAMES), len(names)):
            path = os.path.normpath(base.joinpath(*names[first:]))
            if path not in seen:
                seen.add(path)
                yield Path(path)


class Finder:
    """Files here, to find by what another machine calls them. ``sizes``: each file's size in bytes."""

    def __init__(self, sizes: Mapping[Path, int]) -> None:
        self._sizes = sizes
        self._by_names: dict[tuple[str, ...], list[Path]] = {}  # by a file's name, and by its folder's and its own
        self._by_size: dict[tuple[str, int], list[Path]] = {}
        for path, size in sizes.items():
            folder, name = _fold(path.parent.name), _fold(path.name)
            self._by_names.setdefault((name,), []).append(path)
            self._by_names.setdefault((folder, name), []).append(path)
            self._by_size.setdefault((name, size), []).append(path)

    def find(self, text: str, size: int = 0) -> Path | None:
        """The file whose last names agree with most of the location's; None where that is none, or where two agree
        equally and not one of them alone has the given ``size`` (0: not known). A file that agrees in its name only
        must have the size, unless the location has no more than a name."""
        best: list[Path] = []
        most = 0
        for name in _spellings(text):
            names = [_fold(part) for part in _names(name)]
            for path in self._by_names.get(tuple(names[-2:]), ()):
                agree = _agreeing(names, path)
                if agree > most:
                    best, most = [path], agree
                elif agree == most and path not in best:
                    best.append(path)
            if not most and names and size:
                best = list(self._by_size.get((names[-1], size), ()))
        if len(best) > 1 and size:
            best = [path for path in best if self._sizes[path] == size]
        return best[0] if len(best) == 1 else None


def _spellings(text: str) -> Iterator[str]:
    """A location, also with its backslashes as slashes, and decoded."""
    text = text[:MAX_TEXT].replace("\0", "")
    name = plain(text)
    yield name
    if "\\" in name:
        yield name.replace("\\", "/")
    if "%" in name:
        yield unquote(name.replace("\\", "/"))


def _names(name: str) -> list[str]:
    """The folders and the file of a path, without drive and root."""
    return [part for part in _DRIVE.sub("", name.replace("\\", "/"), count=1).split("/") if part not in ("", ".", "..")]


def _agreeing(names: list[str], path: Path) -> int:
    count = 0
    for mine, theirs in zip(reversed(names), reversed(path.parts), strict=False):
        if mine != _fold(theirs):
            break
        count += 1
    return count


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
