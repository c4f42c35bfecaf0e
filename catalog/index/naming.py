"""The name of a catalogue's collection on a server, where its address gives none.

A catalogue has an identity, made when it first needs one and kept in its folder, so that several catalogues share a
server. A copy of the folder has the same: give one of the two another name.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from catalog.errors import SearchIndexError

FILE: Final = "identity"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")  # short enough for what is put behind it


def check_name(name: str, where: str) -> str:
    """``name``, if a server takes it for a collection. Raises ``SearchIndexError``."""
    if not _NAME.fullmatch(name):
        raise SearchIndexError(
            f"{where}: {name!r} is no name for a collection; use at most 48 of A-Z a-z 0-9 _, no digit first"
        )
    return name


def name_of(folder: Path) -> str:
    """``segue_`` and the catalogue's identity. Raises ``SearchIndexError`` where it has none and can be given none."""
    path = folder / "index" / FILE
    try:
        if not path.exists():
            _write_once(path, secrets.token_hex(8))
        identity = path.read_text().strip()
    except OSError as error:
        raise SearchIndexError(
            f"{path}: the catalogue's identity cannot be kept there ({error.strerror}); "
            "let the folder be written to once, or name the collection in the address"
        ) from None
    return check_name(f"segue_{identity}", str(path))


def _write_once(path: Path, text: str) -> None:
    """Of several processes at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
    try:
        own.write_text(text + "\n")
        try:
            os.link(own, path)
        except FileExistsError:
            return
        except OSError:  # a disk without links
            own.replace(path)
    finally:
        own.unlink(missing_ok=True)
