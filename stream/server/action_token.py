"""The token that stands in the addresses of actions, kept beside the catalogue so that they stay the same."""

import contextlib
import logging
import os
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from .errors import ServeError
from .options import ServeOptions
from .setting_kinds import TOKEN

log = logging.getLogger(__name__)

FILE: Final = "action.token"
BYTES: Final = 24
MOST_BYTES: Final = 4096


def with_action_token(options: ServeOptions) -> ServeOptions:
    """The options with an action token: the given one, else that of the catalogue's folder, which is made if it is not
    there. Without one where there is no folder, or it cannot be written; then actions are taken by POST alone.

    Raises `ServeError` for a file that holds no token.
    """
    if options.access.action or not options.catalog.is_dir():
        return options
    token = kept(options.catalog / FILE)
    return replace(options, access=replace(options.access, action=token))


def kept(path: Path) -> str:
    """The token in a file, made for its owner alone if it is not there, or is empty: a crash could leave it so. Empty
    if it cannot be made or read."""
    with contextlib.suppress(OSError):  # not there: it is made; what else is wrong, making it says
        if path.stat().st_size:
            return read(path)
    try:
        make(path)
    except OSError as error:
        log.info("%s: cannot be written (%s): actions are taken by POST alone", path, error.strerror)
        return ""
    return read(path)


def make(path: Path) -> None:
    """Write a new token, whole or not at all. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its owner's alone
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(BYTES)}\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path) -> str:
    """The token in a file; empty if it cannot be read. Raises `ServeError` for a file without one."""
    try:
        with path.open("rb") as file:
            return str(TOKEN.of_text(file.read(MOST_BYTES).decode("ascii").strip()))
    except OSError as error:
        log.warning("%s: cannot be read (%s): actions are taken by POST alone", path, error.strerror)
        return ""
    except ValueError:  # its text would show what is in the file
        raise ServeError(f"{path}: holds no token; delete the file, and another one is made") from None
