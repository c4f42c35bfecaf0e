"""What a worker of a Dask cluster does: it gets ready for a run once, then a file in, its tracks out.

A worker that has not been asked to get ready for a run, since it joined later or was started again, analyses nothing:
its answer is ``NotReady``. One that does not see a file as the indexer does says ``Away``. Heavy modules are imported
inside the functions: the scheduler, which reads each task, imports this file too.
"""

import asyncio
import ctypes
import functools
import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .dask_probe import code
from .worker import AnalysedFile, EngineSpec, Job, RejectedFile, analyse_file, own_engine

if TYPE_CHECKING:
    from distributed import Worker

    from engines.base import Engine

BLOCK = 65_536  # bytes of a file that are compared
READY_S = 120.0  # a worker whose folder of music hangs must not hold up the others
RUNS = 4  # that a worker remembers
# glibc's mallopt, and what glibc itself comes to with large arrays.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
TRIM_BYTES, MMAP_BYTES = 1 << 27, 1 << 25


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A file as the indexer sees it: its length, and a hash of the ``BLOCK`` bytes from ``offset`` on."""

    path: Path
    offset: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker needs for a run. ``identity`` of the bundle, which is in the folder that ``spec`` names, or the one
    that ships with the program; ``known``: the ids of tracks that need no analysis; ``glimpses`` of some files."""

    run: str
    spec: EngineSpec
    identity: str
    known: frozenset[str]
    glimpses: tuple[Glimpse, ...]


@dataclass(frozen=True, slots=True)
class NotReady:
    """This worker has not been asked to get ready."""

    worker: str


@dataclass(frozen=True, slots=True)
class Away:
    """This worker does not see a file as the indexer does, and why."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The program itself fails on this worker, and how."""

    worker: str
    reason: str


Answer = AnalysedFile | RejectedFile | NotReady | Away | Broken


@dataclass(frozen=True, slots=True)
class _Run:
    engine: "Engine"
    known: frozenset[str]


_runs: dict[str, _Run] = {}
_lock = threading.Lock()


async def get_ready(order: Order, dask_worker: "Worker") -> str:
    """Read files, open the engine; "" or what stands against it: the cause and the cure. In a thread, so that the
    worker goes on answering the scheduler. Dask fills in ``dask_worker``."""
    if dask_worker.nanny is None:
        return "has no nanny, and would stay away once a file ends it; start it without --no-nanny"
    try:
        return await asyncio.wait_for(asyncio.to_thread(_get_ready, order), READY_S)
    except TimeoutError:
        return f"is not ready after {READY_S:.0f} s: its disk or its folder of music may hang; look at its mounts"


def analyse_here(job: Job, sizes: tuple[tuple[Path, int], ...], run: str) -> Answer:
    """``analyse_file`` with this worker's own engine. ``sizes``: of the files that are read, as the indexer sees
    them."""
    from distributed import get_worker

    here = get_worker().address
    own = _runs.get(run)
    if own is None:
        return NotReady(here)
    try:
        outcome: AnalysedFile | RejectedFile | None = None
        if not (reason := differs(sizes)):
            outcome = analyse_file(job, own.engine, own.known.__contains__)
            reason = differs(sizes) if isinstance(outcome, RejectedFile) else ""
    except Exception as error:  # noqa: BLE001 - a client that cannot read an exception waits for its task for ever
        return Broken(here, f"{type(error).__name__}: {error}")
    return Away(here, reason) if outcome is None or reason else outcome


def differs(sizes: tuple[tuple[Path, int], ...]) -> str:
    """In which way a file here is another one, "" where it is not."""
    for path, size in sizes:
        try:
            own = path.stat().st_size
        except OSError as error:
            return f"cannot read {path}: {error.strerror}"
        if own != size:
            return f"has {own} bytes of {path}, which has {size} where it is indexed"
    return ""


def glimpse(path: Path, offset: int) -> Glimpse:
    """Raises ``OSError``."""
    with path.open("rb") as file:
        file.seek(offset)
        digest = hashlib.sha256(file.read(BLOCK)).hexdigest()
        return Glimpse(path, offset, os.fstat(file.fileno()).st_size, digest)


def identity_of(bundle: str) -> str:
    """The identity of the bundle in a folder, "" where there is none."""
    from engines import bundle as bundles

    try:
        return bundles.identity_of((Path(bundle) / bundles.MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):  # not there, or no JSON
        return ""


def own_bundle() -> tuple[str, ...]:
    """The folder of the bundle that ships with the program, if one does."""
    from engines.bundle import default_bundle
    from engines.errors import BundleError

    try:
        return (str(default_bundle()),)
    except BundleError:
        return ()


def _get_ready(order: Order) -> str:
    for seen in order.glimpses:
        try:
            own = glimpse(seen.path, seen.offset)
        except OSError as error:
            return (
                f"cannot read {seen.path} ({error.strerror}); mount the folder of music there, under the same path, "
                "and let the worker's user read it"
            )
        if own != seen:
            return f"has another file as {seen.path}; mount the same folder of music there, not a copy of another day"
    folders = {folder: identity_of(folder) for folder in (order.spec.bundle, *own_bundle())}
    folder = next((folder for folder, identity in folders.items() if identity == order.identity), None)
    if folder is None:
        has = ", ".join(f"{identity[:12] or 'none'} in {folder}" for folder, identity in folders.items())
        return f"lacks the bundle {order.identity[:12]} (has {has}); copy it there, to the same path"
    if _loaded() != code():
        return "was started before the program on its disk was changed; start it again"
    try:
        keep_memory()
        with _lock:  # a worker of several threads opens one engine
            engine = own_engine(EngineSpec(folder, order.spec.engine, order.spec.options))
            _warm_up()
    except ModuleNotFoundError as error:
        return f'lacks the module {error.name}; install the program as here (pip install ".[cpu,dask]")'
    except Exception as error:  # noqa: BLE001 - becomes the reason why this worker gets no work
        return f"cannot analyse ({type(error).__name__}: {error}); mend that, or stop this worker"
    if engine.bundle.identity != order.identity:  # a worker outlives runs
        return f"still holds the bundle that was in {folder} before; start it again"
    while len(_runs) >= RUNS:
        _runs.pop(next(iter(_runs)), None)
    _runs[order.run] = _Run(engine, order.known)
    return ""


def keep_memory() -> bool:
    """Let arrays that were freed be used again; False where the C library is not glibc. Dask's nanny starts workers
    with ``MALLOC_TRIM_THRESHOLD_=65536``: each array then comes from the system anew, which costs half as much again as
    the whole analysis."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - musl has a mallopt too, which does nothing
        return bool(libc.mallopt(M_TRIM_THRESHOLD, TRIM_BYTES) and libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES))
    except (OSError, AttributeError, TypeError):
        return False


@functools.cache
def _loaded() -> str:
    """The code as it was when this process loaded it."""
    return code()


@functools.cache
def _warm_up() -> None:
    """Load all that the first file would load."""
    from features.beats import warm_up
    from features.decode import sound  # noqa: F401

    from . import analysis, identity, parts, sketch, tags  # noqa: F401

    warm_up()
