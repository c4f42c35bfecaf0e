"""A file that is written whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path

from .errors import CueError


def save(path: Path, text: str) -> None:
    """Write UTF-8 beside the file and move it into its place. Raises CueError; then nothing has changed."""
    partial = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CueError(f"{path}: cannot be written ({error.strerror}); name another file") from error
