"""A folder of this process alone, beside those of other processes, and which of these were left behind.

A process holds a lock on its folder (``flock``), which the system takes off when the process ends, in whatever way.
Where there is no such lock (Windows, some network drives), a folder that is left behind cannot be told from one in use,
and stays.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

OBS: Final = "segue-obs-"


class OwnFolder:
    """``path``: None until it is `ready`. ``parent`` None: the system's folder for temporary files. ``prefix``: of the
    names of such folders. ``private``: no other user may read it."""

    def __init__(self, parent: Path | None = None, prefix: str = OBS, private: bool = False) -> None:
        self._prefix, self._mode = prefix, 0o700 if private else 0o755  # OBS may be another user's
        self.parent = (parent or Path(tempfile.gettempdir())).absolute()  # OBS has another working directory
        self.path: Path | None = None
        self._lock: int | None = None

    def ready(self) -> Path:
        """The folder, which is made, and made again where somebody has removed it. Raises OSError."""
        self.parent.mkdir(parents=True, exist_ok=True)
        if self.path is None:
            self.path = Path(tempfile.mkdtemp(prefix=self._prefix, dir=self.parent))
        elif self.path.is_dir():
            return self.path
        else:
            self.let_go()
            self.path.mkdir()
        self.path.chmod(self._mode)
        self._lock = _locked(self.path)
        return self.path

    def let_go(self) -> None:
        """The folder is no longer in use."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def left_behind(self) -> Iterator[Path]:
        """The folders of this user's processes that have ended, the newest first; each is locked while it is dealt
        with."""
        found: list[tuple[int, Path]] = []
        with suppress(OSError):
            for path in self.parent.glob(f"{self._prefix}*"):
                with suppress(OSError):
                    found.append((path.lstat().st_mtime_ns, path))
        for _, path in sorted(found, reverse=True):
            if path != self.path and (lock := _locked(path)) is not None:
                try:
                    yield path
                finally:
                    os.close(lock)


def _locked(path: Path) -> int | None:
    """The lock on a folder of this user's; None where another process has it, or it cannot be had."""
    if fcntl is None:
        return None
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if (
            os.fstat(lock).st_uid == os.getuid()
        ):  # in a common folder another user could have made one, to have it cleared
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
