"""The first record: what the recording was made with, and whether it can be replayed here.

It names no source: an address may hold a stream key.
"""

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from engines.base import Engine
from engines.batcher import MicroBatcher
from engines.bundle import Bundle
from engines.rows import SIZES
from stream.core.session import SessionOptions

from .errors import RecordingError
from .format import FORMAT
from .values import digest
from .writer import DEFAULT_LIMIT

if TYPE_CHECKING:
    from catalog.catalog import Catalog
    from stream.driver.runtime import Runtime

PACKAGES: Final = ("numpy", "onnxruntime", "onnxruntime-gpu", "faiss-cpu", "opencv-python-headless", "av")
MAX_THREADS: Final = 64
MAX_SIZES: Final = 16  # of batches, and how large at most: a replay tries every place in every one
MAX_ROWS: Final = 1024
LARGEST: Final = 1e6  # of an option's value
RENAMED: Final = {"settle": "hysteresis"}  # names of session options in older recordings

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """``pictures``: keep the canonical pictures as well. ``limit``: bytes of a file at most. ``threads``: the engine's,
    for the header."""

    pictures: bool = False
    limit: int = DEFAULT_LIMIT
    threads: int = 1


def make_header(
    runtime: "Runtime", catalog: "Catalog", session: SessionOptions, record: RecordOptions
) -> dict[str, Any]:
    """The header of recordings made here. Looks at every track of the catalogue."""
    bundle = runtime.engine.bundle
    return {
        "format": FORMAT,
        "segue": _version("segue") or "unknown",
        "bundle": {
            "identity": bundle.identity,
            "name": bundle.manifest.name,
            "system": bundle.manifest.system,
        },
        "catalogue": {"identity": catalog_identity(catalog), "tracks": len(catalog)},
        "engine": {
            "name": runtime.engine.name,
            "threads": record.threads,
            "batched": isinstance(runtime.engine, MicroBatcher),
            **own_sizes(runtime.engine),
        },
        "shared_rows": True,
        "session": asdict(session),
        "pictures": record.pictures,
        "platform": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "processor": processor(),
            "python": platform.python_version(),
            "packages": {name: version for name in PACKAGES if (version := _version(name))},
        },
    }


def own_sizes(engine: Engine) -> dict[str, list[int]]:
    """The batch sizes, where they are not the usual ones."""
    sizes = engine.sizes if isinstance(engine, MicroBatcher) else SIZES
    return {} if sizes == SIZES else {"sizes": list(sizes)}


def catalog_identity(catalog: "Catalog") -> str:
    """SHA-256 over the layout of the catalogue and its data on each track, without the places of files.

    A track's id is the hash of its sound, and its vectors follow from sound and bundle, so they need not be read.
    """
    return digest((catalog.layout, sorted(digest(track) for track in catalog.tracks())))


def check_bundle(path: Path, header: Mapping[str, Any], bundle: Bundle) -> None:
    """Raises ``RecordingError`` if the recording was made with another bundle."""
    recorded = section(path, header, "bundle")
    if recorded.get("identity") != bundle.identity:
        raise RecordingError(
            f"{path}: recorded with bundle {_short(recorded.get('name'))} ({_short(recorded.get('identity'))[:12]}), "
            f"not with {bundle.manifest.name} ({bundle.identity[:12]}) of {bundle.path}; name that one with --bundle, "
            "or replay on this one with --anyway"
        )


def session_options(path: Path, header: Mapping[str, Any]) -> SessionOptions:
    """The options of the recorded session, with defaults for those that it does not name.

    Raises ``RecordingError`` for options that this segue does not know.
    """
    options = {RENAMED.get(name, name): value for name, value in section(path, header, "session").items()}
    try:
        return _build(SessionOptions, options)
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"{path}: its session's options are not this segue's ({error}); it was made by segue "
            f"{_short(header.get('segue'))}: replay it with that one"
        ) from error


def engine_of(path: Path, header: Mapping[str, Any]) -> tuple[int, bool]:
    """The recorded engine's threads, and whether requests of several sessions were joined into batches."""
    recorded = section(path, header, "engine")
    threads, batched = recorded.get("threads"), recorded.get("batched")
    if type(threads) is not int or not 1 <= threads <= MAX_THREADS or not isinstance(batched, bool):
        raise RecordingError(f"{path}: its engine is {str(recorded)[:80]}; the header is damaged: copy the file again")
    return threads, batched


def sizes_of(path: Path, header: Mapping[str, Any]) -> tuple[int, ...]:
    """The recorded batch sizes."""
    sizes = section(path, header, "engine").get("sizes", list(SIZES))
    sound = isinstance(sizes, list) and 0 < len(sizes) <= MAX_SIZES and all(type(size) is int for size in sizes)
    if not sound or sizes[0] < 1 or sizes[-1] > MAX_ROWS or sorted(set(sizes)) != sizes:
        raise RecordingError(
            f"{path}: its batch sizes are {str(sizes)[:80]}; the header is damaged: copy the file again"
        )
    return tuple(sizes)


def shares_rows(header: Mapping[str, Any]) -> bool:
    """Whether the engine was given what all candidates share as one row; in older recordings it was one for each."""
    return header.get("shared_rows") is True


def engine_differences(header: Mapping[str, Any], engine: Engine) -> list[str]:
    """How the engine here differs from the recorded one, in words."""
    recorded = header.get("engine")
    name = str(recorded.get("name") if isinstance(recorded, dict) else None).removesuffix("-batched")
    return [] if name == engine.name else [f"the engine was {name[:60]}, is {engine.name}"]


def section(path: Path, header: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One part of the header; raises ``RecordingError`` where it is missing."""
    part = header.get(name)
    if not isinstance(part, dict):
        raise RecordingError(f"{path}: its header says nothing of the {name}; copy the file again")
    return part


def current_facts(catalog: "Catalog") -> dict[str, Any]:
    """Those facts of a header that may differ between machines, as they are here."""
    return {
        "segue": _version("segue") or "unknown",
        "catalogue": catalog_identity(catalog),
        "processor": processor(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def differences(header: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What differs here from the recorded facts, in words: likely causes of another answer."""
    machine = header.get("platform")
    machine = machine if isinstance(machine, dict) else {}
    catalogue = header.get("catalogue")
    there = {
        "segue": header.get("segue"),
        "catalogue": catalogue.get("identity") if isinstance(catalogue, dict) else None,
        "processor": machine.get("processor"),
        "packages": machine.get("packages"),
    }
    words = []
    for name, ours in facts.items():
        theirs = there[name]
        if name == "packages" and isinstance(theirs, dict):
            changed = [p for p in sorted({*theirs, *ours}) if theirs.get(p) != ours.get(p)]
            words += [f"{p} was {_short(theirs.get(p))}, is {_short(ours.get(p))}" for p in changed]
        elif theirs != ours:
            words.append(f"the {name} was {_short(theirs)}, is {_short(ours)}")
    return words


def processor() -> str:
    """The processor's name, as far as the system knows it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _build(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """A dataclass from the output of ``asdict``, nested ones too."""
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} has no fields")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"unknown: {', '.join(unknown)[:80]}")
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if is_dataclass(hint):
            if not isinstance(value, dict):
                raise TypeError(f"{name} is {str(value)[:40]}")
            arguments[name] = _build(hint, value)  # type: ignore[arg-type]
        elif hint in (int, float, bool, str) and not isinstance(value, (int, float) if hint is float else hint):
            raise TypeError(f"{name} is {str(value)[:40]}")
        elif isinstance(value, int | float) and not abs(value) < LARGEST:
            raise ValueError(f"{name} is {str(value)[:40]}")
        else:
            arguments[name] = value
    return kind(**arguments)


def _short(value: object) -> str:
    return str(value)[:40] if value is not None else "unknown"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
