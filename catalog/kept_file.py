"""Arrays that follow from a catalogue and are kept in its folder, so that it opens faster. They can always be made
again: a file that is damaged is as none.

SHA-256 of the rest, then NumPy's ``npz``.
"""

import io
import logging
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]
_SUM = 32  # bytes


def read_kept(path: Path) -> Arrays | None:
    """What ``write_kept`` wrote; None where there is none, or it is damaged, which the log says."""
    try:
        said = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s: cannot be read (%s); it is made again", path, error)
        return None
    if sha256(said[_SUM:]).digest() != said[:_SUM]:
        log.warning("%s: is not what was written (its sum differs); it is made again", path)
        return None
    with np.load(io.BytesIO(said[_SUM:]), allow_pickle=False) as held:
        return dict(held)


def write_kept(path: Path, arrays: Arrays) -> None:
    """Where that is not possible, the log says so."""
    held = io.BytesIO()
    np.savez(held, allow_pickle=False, **arrays)
    new = path.with_name(f"{path.name}-{secrets.token_hex(4)}.new")  # several processes may open one catalogue
    try:
        with new.open("xb") as file:
            file.write(sha256(held.getbuffer()).digest())
            file.write(held.getbuffer())
        new.replace(path)
    except OSError as error:
        log.warning("%s: cannot be written (%s); opening the catalogue takes longer and more memory", path, error)
        _remove(new)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.debug("%s: stays (%s)", path, error)
