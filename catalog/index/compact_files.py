"""The folder of the compact index: generations, of which ``current`` names the one that counts.

``index/`` holds ``current`` (a text file), ``g-HASH`` folders, each a generation that never changes and is named by its
content, and ``making-`` folders of generations under way. A generation's files and its folder are on the disk before
``current`` is replaced by a rename: so whatever is killed, ``current`` names one that is whole. Another process may map
a generation that is removed: it keeps it (on Windows the files stay until nobody has them open).
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.clips import flush_folder
from catalog.errors import SearchIndexError

INDEX: Final = "index"
CURRENT: Final = "current"
MANIFEST: Final = "generation.json"
CODES: Final = "codes.faiss"
ROWS: Final = "rows.faiss"
FORMAT: Final = 1
HEAD: Final = 4096  # bytes of ``ROWS`` that are checked when it is opened; the others are mapped and read when needed
GRACE_S: Final = 600.0
STALE_S: Final = 6 * 3600.0  # nothing is made for so long
CURE: Final = "it is built again from the catalogue"
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of a generation: ``dim`` numbers in a vector, ``width`` in a file's row, so many ``rows``; ``scale``: what the
    rows were multiplied by; ``lists``, ``probes`` and ``k_factor`` of a search; ``lists`` 0: it has no codes."""

    dim: int
    width: int
    rows: int
    scale: float
    lists: int
    probes: int
    k_factor: float


def seal(folder: Path, manifest: Manifest) -> Path:
    """Give a generation that was made in ``folder`` its name beside it, all of it on the disk; returns its folder."""
    files = {}
    for path in sorted(folder.iterdir()):
        flush_file(path)
        files[path.name] = {"bytes": path.stat().st_size, "head": digest(path, HEAD), "sha256": digest(path)}
    said = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    text = json.dumps({"format": FORMAT, **said, "files": files}, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="ascii")
    flush_file(folder / MANIFEST)
    flush_folder(folder)
    named = folder.parent / f"g-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    try:
        folder.rename(named)
    except OSError:  # it is there already, since it is named by its content
        if not named.is_dir():
            raise
        shutil.rmtree(folder, ignore_errors=True)
    flush_folder(named.parent)
    return named


def publish(named: Path) -> None:
    """Let ``current`` name a generation."""
    index = named.parent
    new = index / f"{CURRENT}-{secrets.token_hex(4)}"
    try:
        new.write_text(named.name, encoding="ascii")
        flush_file(new)
        new.replace(index / CURRENT)
    finally:
        new.unlink(missing_ok=True)
    flush_folder(index)


def current(index: Path) -> Path | None:
    """The folder of the generation that counts; None where there is none."""
    try:
        name = (index / CURRENT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise SearchIndexError(f"{index / CURRENT}: cannot be read ({error}); {CURE}") from error
    if not name.startswith("g-") or "/" in name or "\\" in name:
        raise SearchIndexError(f"{index / CURRENT}: it names no generation ({name[:40]!r}); {CURE}")
    return index / name


def read_manifest(folder: Path, thorough: bool = False) -> Manifest:
    """Check a generation's files: the sizes of all, the content of all but ``ROWS``, of which only the beginning is
    read unless ``thorough``. Raises ``SearchIndexError``, which names the file, and ``FileNotFoundError`` where the
    whole folder is gone."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not there")
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="ascii")
        said: dict[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        raise SearchIndexError(f"{path}: cannot be read ({error}); {CURE}") from error
    if said.get("format") != FORMAT:
        raise SearchIndexError(f"{path}: has format {said.get('format')}, this version reads {FORMAT}; {CURE}")
    if folder.name != f"g-{hashlib.sha256(text.encode()).hexdigest()[:16]}":
        raise SearchIndexError(f"{path}: is not what was written (its sum differs); {CURE}")
    for name, kept in said["files"].items():
        _check(folder / name, kept, thorough or name != ROWS)
    return Manifest(**{name: said[name] for name in Manifest.__dataclass_fields__})


def _check(path: Path, kept: dict[str, Any], whole: bool) -> None:
    try:
        size = path.stat().st_size
        if size != kept["bytes"]:
            raise SearchIndexError(f"{path}: has {size} bytes, {kept['bytes']} were written; {CURE}")
        same = digest(path) == kept["sha256"] if whole else digest(path, HEAD) == kept["head"]
    except OSError as error:
        raise SearchIndexError(f"{path}: cannot be read ({error}); {CURE}") from error
    if not same:
        raise SearchIndexError(f"{path}: is not what was written (its sum differs); {CURE}")


def making(index: Path) -> Path:
    """A new folder to make something in."""
    index.mkdir(parents=True, exist_ok=True)
    folder = index / f"making-{secrets.token_hex(6)}"
    folder.mkdir()
    return folder


def sweep(index: Path, own: Path | None = None) -> None:
    """Remove the generation ``own`` unless it counts, and what others left some time ago: within it, another process
    may be about to publish or to open it."""
    with contextlib.suppress(OSError, SearchIndexError):
        counts, now = current(index), time.time()
        for path in index.iterdir():
            after_s = GRACE_S if path.name.startswith("g-") else STALE_S
            ours = path.name.startswith(("g-", "making-", f"{CURRENT}-"))
            if ours and path != counts and (path == own or now - path.stat().st_mtime > after_s):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def digest(path: Path, most: int | None = None) -> str:
    """SHA-256 of a file, or of its first ``most`` bytes."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        if most is not None:
            total.update(file.read(most))
        else:
            while block := file.read(_BLOCK):
                total.update(block)
    return total.hexdigest()


def flush_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
