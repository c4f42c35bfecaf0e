"""The token that stands in the addresses of actions, kept beside the catalogue so that they stay the same."""

import logging
import os
import secrets
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
    """The token in a file, made for its owner alone if it is not there; empty if it cannot be made or read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read(path)
    except OSError as error:
        log.info("%s: cannot be written (%s): actions are taken by POST alone", path, error.strerror)
        return ""
    token = secrets.token_urlsafe(BYTES)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{token}\n")
    return token


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
