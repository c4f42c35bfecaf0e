"""Plans that TensorRT built, kept on this machine between runs.

A plan is machine code for one GPU and one version of TensorRT: loading one runs it. So they are only loaded from a
folder that this user alone can write and read. (Those of TensorRT for RTX may also lie in a bundle.) The hashes detect
damage. Nothing protects against somebody who can write to the folder, so its permissions are checked each time.

``KEY.json``, the sidecar, says what the plan was built from and names ``KEY-HASH.plan``; it is renamed into place last,
so that a reader gets a whole plan or none, and two processes that build the same plan do not mix their parts.

*Bounds*: 64 plans (the ones longest unused go), 2 GiB a plan, 64 KiB a sidecar, 64 MiB a timing cache; 64 caches of
what a runtime compiled (those longest unwritten go), 64 MiB each.
"""

import fcntl
import hashlib
import json
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .errors import EngineError, EngineUnavailable

FORMAT: Final = 1
LIMIT: Final = 64
MAX_PLAN: Final = 2 << 30
MAX_SIDECAR: Final = 64 << 10
MAX_TIMING: Final = 64 << 20
STALE_S: Final = 3600.0  # a younger plan without a sidecar may still be being written
POLL_S: Final = 0.2
ANY_GPU: Final = "any"
_PLAN_NAME: Final = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}\.plan")

log = logging.getLogger("segue.engines")


class PlanDamaged(EngineUnavailable):
    """A stored plan that cannot be used: cut short, changed, or its sidecar contradicts it. Building it again mends
    it."""


@dataclass(frozen=True)
class PlanKey:
    """Everything that a plan depends on.

    ``profiles`` are (fewest, best, most) rows. For a plan that runs elsewhere too, ``gpu`` is ``any`` if it runs
    on every GPU of its compute capability, and ``tensorrt`` is only a major version if later versions run it.
    """

    graph: str
    onnx_sha256: str
    precision: str
    tensorrt: str
    gpu: str
    capability: str
    profiles: tuple[tuple[int, int, int], ...]
    flags: tuple[str, ...]

    @property
    def digest(self) -> str:
        """32 hex digits, the file's name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


def default_folder() -> Path:
    """``segue/plans`` in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if root.startswith("/") else Path.home() / ".cache") / "segue" / "plans"


class PlanCache:
    """The plans in ``folder``, which is made if it is not there. Safe to use from several processes at once.

    Raises ``EngineUnavailable`` for a folder that others may enter or that belongs to somebody else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineUnavailable(
                f"plan folder {folder}: cannot be made ({error.strerror}); name one that can"
            ) from error
        self._check()

    def load(self, key: PlanKey, version: str) -> bytes | None:
        """The plan for ``key``, or None where none was built. ``version`` is that of the TensorRT that will run it.

        Raises ``PlanDamaged`` for a plan that its sidecar contradicts, ``EngineUnavailable`` where the folder or a
        file may have been written by others.
        """
        self._check()
        sidecar = self._sidecar(key)
        text = self._read(sidecar, MAX_SIDECAR)
        if text is None:
            return None
        entry = self._entry(text, key, sidecar)
        if version_tuple(entry["built_with"]) > version_tuple(version):
            return None  # plans run on later versions, never on earlier ones
        file = self.folder / entry["plan"]
        plan = self._read(file, MAX_PLAN)
        if plan is None:
            raise PlanDamaged(f"plan {file}: is missing though {sidecar.name} names it; {cure_of(key)}")
        actual = hashlib.sha256(plan).hexdigest()
        if len(plan) != entry["bytes"] or actual != entry["sha256"]:
            raise PlanDamaged(
                f"plan {file}: has {len(plan)} bytes and SHA-256 {actual[:12]}..., {sidecar.name} says "
                f"{entry['bytes']} and {entry['sha256'][:12]}...; {cure_of(key)}"
            )
        with suppress(OSError):
            os.utime(sidecar)  # when it was last used, for the bound
        return plan

    def store(self, key: PlanKey, plan: bytes, version: str, seconds: float) -> None:
        """Store a plan that ``version`` built in ``seconds``, then drop the plans beyond the bound."""
        if not plan or len(plan) > MAX_PLAN:
            raise EngineError(f"plan of graph {key.graph}: has {len(plan)} bytes, must have 1 to {MAX_PLAN}")
        self._check()
        digest = hashlib.sha256(plan).hexdigest()
        name = f"{key.digest}-{digest[:32]}.plan"
        entry = {
            "format": FORMAT,
            "key": asdict(key),
            "plan": name,
            "sha256": digest,
            "bytes": len(plan),
            "built_with": version,
            "build_s": round(seconds, 3),
        }
        self._write(self.folder / name, plan)
        self._write(self._sidecar(key), (json.dumps(entry, indent=2) + "\n").encode())
        self._prune()

    def load_timing(self, tensorrt: str, gpu: str, capability: str) -> bytes:
        """TensorRT's measurements of its kernels from earlier builds here; empty where there are none of use."""
        return self._load_extra("timing", (tensorrt, gpu, capability))

    def store_timing(self, tensorrt: str, gpu: str, capability: str, data: bytes) -> None:
        """Store the measurements, unless they are beyond the bound; without them a build only takes longer."""
        self._store_extra("timing", (tensorrt, gpu, capability), data)

    def load_runtime(self, *key: str) -> bytes:
        """What a runtime compiled when it ran the plan of ``key`` before; empty where there is nothing of use."""
        return self._load_extra("runtime", key)

    def store_runtime(self, data: bytes, *key: str) -> None:
        """Store what a runtime compiled, unless it is beyond the bound, then drop those beyond the bound that were
        stored longest ago."""
        self._store_extra("runtime", key, data)
        aged = sorted(((mtime(file), file) for file in self.folder.glob("*.runtime")), reverse=True)
        for _, file in aged[LIMIT:]:
            file.unlink(missing_ok=True)

    def _load_extra(self, kind: str, key: tuple[str, ...]) -> bytes:
        """A file that only saves time: damage counts as absence."""
        self._check()
        try:
            data = self._read(self._extra(kind, key), MAX_TIMING + 32)
        except PlanDamaged as damage:
            log.warning("%s", damage)
            return b""
        if data is None:
            return b""
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            log.warning("the %s cache in %s is damaged; beginning anew", kind, self.folder)
            return b""
        return data[32:]

    def _store_extra(self, kind: str, key: tuple[str, ...], data: bytes) -> None:
        if len(data) > MAX_TIMING:
            log.warning("the %s cache has %d bytes, may have %d: it is not kept", kind, len(data), MAX_TIMING)
        elif data:
            self._check()
            self._write(self._extra(kind, key), hashlib.sha256(data).digest() + data)

    @contextmanager
    def lock(self, patience_s: float) -> Iterator[None]:
        """Only one process builds at a time: two would disturb each other's measurements and do the work twice.

        Raises ``EngineUnavailable`` when another holds it for longer than ``patience_s``.
        """
        self._check()
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            end_s = time.monotonic() + patience_s
            while not try_lock(handle):
                if time.monotonic() >= end_s:
                    raise EngineUnavailable(
                        f"plan folder {self.folder}: another process has been building for more than {patience_s:g} s; "
                        "try again when it is done"
                    )
                time.sleep(POLL_S)
            yield
        finally:
            os.close(handle)  # gives the lock back

    def _check(self) -> None:
        """Raise ``EngineUnavailable`` unless the folder is ours and closed to others."""
        try:
            status = self.folder.stat()
        except OSError as error:
            raise EngineUnavailable(f"plan folder {self.folder}: {error.strerror}; name another") from error
        if not stat.S_ISDIR(status.st_mode):
            raise EngineUnavailable(f"plan folder {self.folder}: is no folder; name another")
        if status.st_uid != os.geteuid():
            raise EngineUnavailable(
                f"plan folder {self.folder}: belongs to user {status.st_uid}, not to {os.geteuid()}; name your own"
            )
        if status.st_mode & 0o077:
            raise EngineUnavailable(
                f"plan folder {self.folder}: others may enter it (mode {stat.S_IMODE(status.st_mode):o}), and a plan "
                "is code that will be run; chmod 700 it, or name another"
            )

    def _sidecar(self, key: PlanKey) -> Path:
        return self.folder / f"{key.digest}.json"

    def _extra(self, kind: str, key: tuple[str, ...]) -> Path:
        return self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.{kind}"

    def _entry(self, text: bytes, key: PlanKey, sidecar: Path) -> dict[str, Any]:
        """The sidecar's entry, checked: of the right types and about this key."""
        cure = cure_of(key)
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError):
            raise PlanDamaged(f"plan sidecar {sidecar}: is not JSON; {cure}") from None
        kinds = {"format": int, "key": dict, "plan": str, "sha256": str, "bytes": int, "built_with": str}
        if not isinstance(entry, dict) or any(type(entry.get(name)) is not kind for name, kind in kinds.items()):
            raise PlanDamaged(f"plan sidecar {sidecar}: lacks one of {', '.join(kinds)}; {cure}")
        if entry["format"] != FORMAT:
            raise PlanDamaged(f"plan sidecar {sidecar}: format is {entry['format']}, this segue reads {FORMAT}; {cure}")
        if entry["key"] != json.loads(json.dumps(asdict(key))):
            raise PlanDamaged(f"plan sidecar {sidecar}: was written for another graph, GPU or version; {cure}")
        if not _PLAN_NAME.fullmatch(entry["plan"]):
            raise PlanDamaged(f"plan sidecar {sidecar}: names {entry['plan']!r}, which is no plan of ours; {cure}")
        return entry

    def _read(self, file: Path, limit: int) -> bytes | None:
        """A regular file of ours that nobody else may write, or None where there is none."""
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EngineUnavailable(f"plan folder: cannot open {file} ({error.strerror}); remove it") from error
        with os.fdopen(handle, "rb") as opened:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise EngineUnavailable(f"plan folder: {file} is no file of yours alone; remove it")
            if status.st_size > limit:
                raise PlanDamaged(f"plan folder: {file} has {status.st_size} bytes, may have {limit}; {CURE}")
            return opened.read(limit + 1)

    def _write(self, file: Path, data: bytes) -> None:
        """All of it or nothing, also when the machine stops in the middle."""
        try:
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")  # private to this user
            try:
                with os.fdopen(handle, "wb") as opened:
                    opened.write(data)
                    opened.flush()
                    os.fsync(handle)
                Path(name).replace(file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise EngineUnavailable(
                f"plan folder {self.folder}: cannot write {file.name} ({error.strerror}); make room or name another"
            ) from error

    def _prune(self) -> None:
        """Keep the plans used last; drop the rest, and files that no sidecar names and no process can still be
        writing."""
        aged = sorted(((mtime(file), file) for file in self.folder.glob("*.json")), reverse=True)
        for _, sidecar in aged[LIMIT:]:
            plan = self._plan_in(sidecar)
            sidecar.unlink(missing_ok=True)
            if _PLAN_NAME.fullmatch(plan):
                (self.folder / plan).unlink(missing_ok=True)
        current = {self._plan_in(sidecar) for _, sidecar in aged[:LIMIT]}
        for file in [*self.folder.glob("*.plan"), *self.folder.glob("*.part")]:
            if file.name not in current and time.time() - mtime(file) > STALE_S:
                file.unlink(missing_ok=True)

    def _plan_in(self, sidecar: Path) -> str:
        """The plan that a sidecar names; empty for one that says nothing."""
        try:
            return str(json.loads(sidecar.read_bytes())["plan"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ""


CURE: Final = "build it again with segue export --plans BUNDLE"
RTX_KEY: Final = "rtx-"  # before the version, in keys of plans of TensorRT for RTX


def cure_of(key: PlanKey) -> str:
    """How the plan is built again."""
    return f"{CURE} --rtx" if key.tensorrt.startswith(RTX_KEY) else CURE


def try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def mtime(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def version_tuple(version: str) -> tuple[int, ...]:
    """``"11.4.0.106"`` -> ``(11, 4, 0, 106)``; what is no number, or none of a version, counts as 0."""
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else 0 for part in version.split("."))
