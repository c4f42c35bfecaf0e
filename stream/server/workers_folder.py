"""The folder through which the workers of one server know of each other, and what servers that were killed left of
theirs."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stream.own_folder import OwnFolder

PREFIX: Final = "segue-workers-"
QUIET_S: Final = 60.0  # nothing written for so long: workers write four times a second


@contextlib.contextmanager
def workers_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder, which is removed at the end. Those of this user's servers that ended without removing theirs are
    removed first: nobody holds their lock, and nothing in them was written for ``QUIET_S``. ``parent`` None: the
    system's folder for temporary files."""
    own = OwnFolder(parent, PREFIX, private=True)
    for path in own.left_behind():
        if _is_quiet(path):
            shutil.rmtree(path, ignore_errors=True)
    folder = own.ready()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        own.let_go()


def _is_quiet(folder: Path) -> bool:
    try:
        newest_s = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return False
    return time.time() - newest_s > QUIET_S
