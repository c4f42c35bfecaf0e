"""Finds the files that a list names."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Files with these endings count as videos.
_VIDEO = "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv rm rmvb ts vob webm wmv"
VIDEO: Final = frozenset(_VIDEO.split())
BRACKETED: Final = re.compile(r"\[([\w-]{6,})\]$")  # "Title [dQw4w9WgXcQ]", as downloaders name files


def walk(folder: Path) -> Iterator[Path]:
    """Plain files under ``folder`` in a fixed order; hidden ones are left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root) / name
            if not name.startswith(".") and path.is_file():
                yield path


def extension(path: Path) -> str:
    return path.suffix[1:].casefold()


class Media:
    """The files of a folder by name, by stem, and by an id in brackets at the stem's end; the first file counts."""

    def __init__(self, folder: Path) -> None:
        self._paths: dict[str, Path] = {}
        stems: dict[str, Path] = {}
        for path in walk(folder):
            self._paths.setdefault(path.name, path)
            stems.setdefault(path.stem, path)
            if match := BRACKETED.search(path.stem):
                stems.setdefault(match[1], path)
        self._paths = {**stems, **self._paths}

    def find(self, *names: str) -> Path | None:
        """The file of the first name that has one."""
        return next((self._paths[name] for name in names if name in self._paths), None)

    def beginning(self, prefix: str) -> Path | None:
        """A file whose name begins with ``prefix``, for files whose names hold more than the id."""
        return next((path for name, path in self._paths.items() if name.startswith(prefix)), None)
