"""``--watch``: folders of music that the catalogue mirrors while the server runs.

``segue index`` runs in a process of its own, at low priority: when the server starts, after files changed, and every
``RESCAN_S``, since not every disk tells of changes (network drives do not). What it commits is seen by `restock`.

*Bounds*: `MOST` folders, one process at a time, of whose output `TAIL` bytes are kept.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from watchfiles import Change, awatch

from catalog.settling import SETTLE_S

log = logging.getLogger(__name__)

MOST: Final = 16
RESCAN_S: Final = 300.0
GATHER_S: Final = 0.3  # changes that are told together; of one file that grows they are told one after another
QUIET_S: Final = 1.0  # without a further one before it begins: files are copied one after another, and take their time
LONGEST_S: Final = 10.0  # and yet not later than this
AGAIN_S: Final = 15.0  # where another process writes the catalogue, or there is no folder to watch
OTHERS: Final = ("another segue index", "another program")  # in what the indexer says where these write the catalogue
LOOK_S: Final = 5.0  # whether the folder that is watched is still the one of that name
TAIL: Final = 16 << 20  # some hundred thousand files that failed
END_S: Final = 5.0  # for a process to end by itself
LOW_PRIORITY: Final = 10
COUNTED: Final = ("added", "refreshed", "retagged", "renamed", "recoded", "returned", "healed", "removed")


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """``arguments``: of ``segue index`` beside the folder and the catalogue, such as the bundle."""

    folders: tuple[Path, ...] = ()
    arguments: tuple[str, ...] = ()
    rescan_s: float = RESCAN_S


class MusicWatch:
    """``run`` it as a task. ``look`` tells of changes in a folder, as `changes_in` does."""

    def __init__(
        self,
        options: WatchOptions,
        catalog: Path,
        look: "Callable[[Path, Path], AsyncIterator[None]] | None" = None,
    ) -> None:
        self._options, self._catalog = options, _real(catalog)
        folders = tuple(dict.fromkeys(map(_real, options.folders)))
        self._look = changes_in if look is None else look
        self._due = {folder: asyncio.Event() for folder in folders}
        self._writing = asyncio.Lock()
        self._said: dict[Path, str] = {}
        self._failed: dict[Path, frozenset[tuple[str, str]]] = {}
        self._away: dict[Path, frozenset[str]] = {}
        self.state: dict[str, Any] = {"running": False, "runs": 0, "failing": 0}  # for /healthz: without paths

    async def run(self) -> None:
        """Until it is cancelled."""
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every change
        async with asyncio.TaskGroup() as tasks:
            for folder in self._due:
                tasks.create_task(self._mirror(folder))
                tasks.create_task(self._notice(folder))

    async def _notice(self, folder: Path) -> None:
        """Let the folder be indexed when files in it change. Where another folder takes its place (a disk that was
        away), or none could be watched, it is watched anew, and indexed since nobody looked."""
        said = lost = False
        while True:
            why = "it is not there"
            if await asyncio.to_thread(_identity, folder) is not None:
                if lost:
                    self._due[folder].set()
                try:
                    async for _ in self._look(folder, self._catalog):
                        self._due[folder].set()
                    why = ""
                except Exception as error:  # noqa: BLE001 - of a library in Rust: too many watches, a dead drive
                    why = str(error)
            if why and not said:
                log.warning(
                    "%s: its changes are not told (%s); it is looked through every %.0f s",
                    folder, why, self._options.rescan_s,
                )  # fmt: skip
            said, lost = bool(why), True
            await asyncio.sleep(min(AGAIN_S, self._options.rescan_s))

    async def _mirror(self, folder: Path) -> None:
        due = self._due[folder]
        while True:
            due.clear()
            async with self._writing:
                self.state["running"] = True
                try:
                    again = await self._index(folder)
                finally:
                    self.state["running"] = False
            wait_s = AGAIN_S if again else self._options.rescan_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(due.wait(), wait_s)
                await _still(due)

    async def _index(self, folder: Path) -> bool:
        """One run of ``segue index``; whether it has to be tried again soon."""
        begun_s = time.monotonic()
        alone = ("--unattended", "--settle", f"{SETTLE_S:g}")
        words = ("index", str(folder), "-c", str(self._catalog), "--json", *alone, *self._options.arguments)
        try:
            code, out, err = await run_segue(words)
        except OSError as error:
            code, out, err = -1, "", str(error)
        self.state["runs"] += 1
        report = _report_of(out)
        if report is None or code:
            return self._fail(folder, err.strip().splitlines()[-1] if err.strip() else f"it ended with {code}")
        if self._said.pop(folder, None):
            log.warning("%s: is mirrored again", folder)
        self._tell_away(folder, {str(one.get("path")): str(one.get("text")) for one in report.get("away", ())})
        counts = ", ".join(f"{report[name]} {name}" for name in COUNTED if report.get(name))
        if counts or report.get("failed"):
            log.info("%s: %s in %.1f s", folder, counts or "nothing new", time.monotonic() - begun_s)
        failed = frozenset((str(one.get("path")), str(one.get("text"))) for one in report.get("failed", ()))
        for path, text in sorted(failed - self._failed.get(folder, frozenset())):
            log.info("%s: %s", path, text)
        self._failed[folder] = failed
        return bool(report.get("changing"))  # files that somebody is still writing

    def _tell_away(self, folder: Path, away: Mapping[str, str]) -> None:
        """Say once which parts of a folder are away, and that they are there again."""
        before = self._away.get(folder, frozenset())
        for path, text in sorted(away.items()):
            if path not in before:
                log.warning("%s: %s", path, text)
        for path in sorted(before - away.keys()):
            log.warning("%s: is mirrored again", path)
        self._away[folder] = frozenset(away)
        self._count()

    def _count(self) -> None:
        self.state["failing"] = len(self._said) + sum(map(len, self._away.values()))

    def _fail(self, folder: Path, why: str) -> bool:
        if self._said.get(folder) != why:
            log.warning("%s: is not mirrored now: %s", folder, why)
        self._said[folder] = why
        self._count()
        return any(other in why for other in OTHERS)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


async def _still(due: asyncio.Event) -> None:
    """Until nothing changed for ``QUIET_S``, at most ``LONGEST_S``."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_S):
            while True:
                due.clear()
                await asyncio.wait_for(due.wait(), QUIET_S)


async def changes_in(folder: Path, catalog: Path) -> AsyncIterator[None]:
    """Yields after files in ``folder`` changed, but for those of the catalogue; both are real paths. By ``watchfiles``:
    each system's own notices, without polling. Ends when the folder is not there any more, or is another one."""

    def counts(_: Change, path: str) -> bool:
        return not Path(path).is_relative_to(catalog)

    watched = await asyncio.to_thread(_identity, folder)  # a network drive may take its time
    gather_ms, longest_ms, look_ms = (int(1000 * s) for s in (GATHER_S, LONGEST_S, LOOK_S))
    async for changes in awatch(
        folder, watch_filter=counts, debounce=longest_ms, step=gather_ms, rust_timeout=look_ms, yield_on_timeout=True
    ):
        if await asyncio.to_thread(_identity, folder) != watched:
            return
        if changes:
            yield


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


async def run_segue(words: Sequence[str]) -> tuple[int, str, str]:
    """Run ``segue`` with these arguments; its exit code and the ends of what it wrote. It ends with its caller."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "segue", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        with contextlib.suppress(OSError, AttributeError):  # Windows has other priorities
            os.setpriority(os.PRIO_PROCESS, process.pid, LOW_PRIORITY)
        assert process.stdout is not None and process.stderr is not None
        out, err = await asyncio.gather(_tail(process.stdout), _tail(process.stderr))
        return await process.wait(), out, err
    finally:
        if process.returncode is None:
            await asyncio.shield(asyncio.ensure_future(_end(process)))


async def _end(process: asyncio.subprocess.Process) -> None:
    """A killed indexer leaves a whole catalogue, so it is not waited for long."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = bytearray()
    while part := await stream.read(65_536):
        kept += part
        del kept[:-TAIL]
    return kept.decode(errors="replace")


def _report_of(out: str) -> dict[str, Any] | None:
    """The summary that ``segue index --json`` prints."""
    lines = out.strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return report if isinstance(report, dict) and report.get("type") == "index" else None
