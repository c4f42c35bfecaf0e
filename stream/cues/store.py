"""The sessions of a folder, a file each, and those that run in this program.

Several programs may write to one folder: each has files of its own. *Bounds*: ``SESSIONS`` files and ``BYTES``
together; those that were written to the longest ago go when a new session begins. ``IN_MEMORY`` sessions whose files
could not be written are kept until the program ends.
"""

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from . import lines
from .errors import CueError
from .log import CueLog
from .model import Cue, Session
from .timecodes import Clock, no_timecodes
from .writer import FILE_BYTES, Writer

FOLDER: Final = "sessions"  # in the catalogue
SUFFIX: Final = ".jsonl"
NAME: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
SESSIONS: Final = 1000
BYTES: Final = 256 * 1024**2
IN_MEMORY: Final = 16
RECENT: Final = 100  # sessions that are looked through for the id that viewers knew
NEWEST: Final = "newest"


class CueStore:
    """``begin`` from one thread; reading from any. ``timecodes``: of the OBS that new sessions go with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.timecodes: Clock = no_timecodes
        self._writer = Writer(self._prune)
        self._logs: dict[str, CueLog] = {}
        self._summaries: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def begin(self, media_s: Callable[[], float] | None = None) -> CueLog:
        """The log of a new session. Nothing is written before its first list."""
        id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        path = self._path(id)

        def keep(value: dict[str, Any], end: bool = False) -> None:
            self._writer.put(path, lines.line(value), end)

        log = CueLog(id, _utc, time.monotonic, media_s=media_s, timecodes=self.timecodes, keep=keep)
        self._logs[id] = log
        self._let_go()
        return log

    def close(self, wait_s: float = 5.0) -> None:
        """Write what waits."""
        self._writer.close(wait_s)

    def ids(self) -> list[str]:
        """All sessions, the newest first."""
        found: set[str] = {id for id, log in list(self._logs.items()) if not log.empty}
        with contextlib.suppress(OSError):
            found |= {path.stem for path in self.folder.iterdir() if _is_session(path)}
        return sorted(found, reverse=True)

    def load(self, id: str) -> Session:
        """A session by its id, by the beginning of one, by the id that viewers knew, or the ``newest``. Raises
        CueError."""
        ids = self.ids()
        if id == NEWEST and ids:
            return self._load(ids[0])
        if id in ids:
            return self._load(id)
        matches = [known for known in ids if id and known.startswith(id)]
        if len(matches) == 1:
            return self._load(matches[0])
        if not matches and id:
            for log in list(self._logs.values()):
                if log.session.session == id:
                    return log.session
            for summary in self.summaries(RECENT):  # of another worker
                if summary["session"] == id:
                    return self._load(summary["id"])
        why = f"{len(matches)} sessions begin so" if matches else "no session of that name is kept"
        raise CueError(f"{id[:60]!r}: {why} in {self.folder}; segue cues list names them")

    def sessions(self, limit: int = SESSIONS) -> Iterator[Session]:
        """All sessions, the newest first; those that cannot be read are left out."""
        for id in self.ids()[:limit]:
            with contextlib.suppress(CueError):
                yield self._load(id)

    def summaries(self, limit: int = SESSIONS) -> Iterator[dict[str, Any]]:
        """What a list shows of each session, the newest first. A file that has not changed is not read again."""
        for id in self.ids()[: min(limit, SESSIONS)]:
            with contextlib.suppress(CueError, OSError):
                if id in self._logs:
                    yield self._load(id).summary()
                    continue
                status = self._path(id).stat()
                stamp = status.st_mtime_ns, status.st_size
                if id not in self._summaries or self._summaries[id][0] != stamp:
                    self._summaries[id] = stamp, self._load(id).summary()
                    while len(self._summaries) > 2 * SESSIONS:
                        self._summaries.pop(next(iter(self._summaries)), None)
                yield self._summaries[id][1]

    def history(self, limit: int = 50) -> list[dict[str, Any]]:
        """What was on air in any session, the newest first. What was paused or jumped in is one entry."""
        found: list[dict[str, Any]] = []
        for changed, id in self._by_change() if limit > 0 else ():
            if len(found) >= limit and found[-1]["at"] > changed:
                break  # all that is left is older
            with contextlib.suppress(CueError):
                found += reversed(_entries(self._load(id)))
                found = sorted(found, key=lambda entry: str(entry["at"]), reverse=True)[:limit]
        return found

    def _by_change(self) -> list[tuple[str, str]]:
        """When each session was last written to, as ISO 8601, and its id; the newest first."""
        now, found = time.time(), []
        for id in self.ids():
            log = self._logs.get(id)
            try:
                changed = now if log is not None and not log.over else self._path(id).stat().st_mtime
            except OSError:
                changed = now  # it is in memory
            found.append((f"{datetime.fromtimestamp(changed, UTC):%Y-%m-%dT%H:%M:%SZ}", id))
        return sorted(found, reverse=True)

    def _load(self, id: str) -> Session:
        log = self._logs.get(id)
        if log is not None:
            return log.session
        path = self._path(id)
        try:
            with path.open("rb") as file:
                data = file.read(2 * FILE_BYTES)
        except OSError as error:
            raise CueError(f"{path}: cannot be read ({error.strerror}); segue cues list names what is kept") from error
        return lines.read(id, data.decode("utf-8", "replace").split("\n"))

    def _let_go(self) -> None:
        """Of the sessions that are over, remember only those that have no whole file."""
        over = [id for id, log in self._logs.items() if log.over]
        kept = [id for id in over if not self._logs[id].empty and not self._writer.take_whole(self._path(id))]
        for id in {*over} - {*kept[-IN_MEMORY:]}:
            del self._logs[id]

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}{SUFFIX}"

    def _prune(self) -> None:
        """Remove the files beyond the bounds that were written to the longest ago, none that is being written here; in
        the writer's thread. Another program may do the same, in the same folder."""
        found: list[tuple[int, str, int, Path]] = []
        with contextlib.suppress(OSError):
            for path in filter(_is_session, self.folder.iterdir()):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime_ns, path.name, status.st_size, path))
        total = 0
        for place, (*_, size, path) in enumerate(sorted(found, reverse=True)):
            total += size
            if (place >= SESSIONS - 1 or total > BYTES) and not self._writer.writes(path):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


def _is_session(path: Path) -> bool:
    return path.suffix == SUFFIX and NAME.fullmatch(path.stem) is not None


def _entries(session: Session) -> list[dict[str, Any]]:
    """What was on air in a session, in order."""
    entries: list[dict[str, Any]] = []
    for cue in session.closed().of("taken"):
        played_s = _played_s(cue)
        if cue.how and entries and entries[-1]["track"] == cue.track:
            entries[-1]["played_s"] = round(entries[-1]["played_s"] + played_s, 3)
            continue
        at = cue.start.wall.partition(".")[0].rstrip("Z") + "Z"
        entries.append(
            {
                "track": cue.track, "title": cue.title, "artist": cue.artist, "at": at, "from_s": cue.from_s,
                "played_s": round(played_s, 3), "session": session.id,
            }
        )  # fmt: skip
    return entries


def _played_s(cue: Cue) -> float:
    return 0.0 if cue.end is None else cue.end.pts_s - cue.start.pts_s


def _utc() -> datetime:
    return datetime.now(UTC)
