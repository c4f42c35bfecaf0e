"""Files that are not there any more: were they deleted, or is the drive away that they are on?

A person who runs ``segue index`` sees what it says. A program that mirrors a folder (``--unattended``) asks nobody, and
a network drive that is away for a minute must not empty the lists. Then only what is missing from folders that can be
read counts as deleted. A folder that is still there, but empty at once, is taken for the place of such a drive, and so
is a link that leads nowhere: where drives are mounted by themselves, their place goes with them.
"""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MANY: Final = 10  # files: fewer may be deleted from a folder that stays behind empty


def emptied(gone: Iterable[Path], root: Path) -> dict[Path, int]:
    """The folders under ``root``, or it itself, that have nothing in them, or are links that lead nowhere, although
    more than ``MANY`` of the files ``gone`` were there, and how many. What a system hides (names with a dot) does not
    count."""
    counts = Counter(
        folder for path in gone for folder in path.parents if folder == root or folder.is_relative_to(root)
    )
    return {folder: count for folder, count in counts.items() if count > MANY and _holds_nothing(folder)}


def leads_nowhere(path: Path, root: Path) -> bool:
    """Whether ``path``, or a folder between it and ``root``, is a link to something that is not there."""
    return any(map(_is_loose, [path, *(folder for folder in path.parents if folder.is_relative_to(root))]))


def away_text(folder: Path, count: int) -> str:
    """What to say of a folder that is taken for the place of a drive that is away."""
    how = "leads nowhere now" if _is_loose(folder) else "is empty now"
    return (
        f"{how}, though {count} files were in it: its drive seems to be away, so their tracks stay; if they "
        "were deleted, remove the folder as well, or run segue index on it"
    )


def _is_loose(path: Path) -> bool:
    """Whether it is a link to something that is not there; these two never raise."""
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114


def _holds_nothing(folder: Path) -> bool:
    """Whether a folder is there and has nothing in it, or is a link to one that is not there."""
    if _is_loose(folder):
        return True
    try:
        with os.scandir(folder) as entries:
            return all(entry.name.startswith(".") for entry in entries)
    except OSError:
        return False
