"""Weights as single files from where their authors publish them: fetched once, compared, kept.

Where the authors publish no whole SHA-256, the sum that was found is kept beside the file and compared from then on; a
name that bears the first digits of its sum is held to those. A file is whole in the cache or not there: it is written
beside its place and moved. Once it is there, no network is needed. What is in it is read as weights alone, and their
names and shapes are compared, whatever the sum.
"""

import errno
import hashlib
import http.client
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .errors import ImportedError
from .wheels import cache_folder as wheels_folder

WAIT_S: Final = 60  # for the next bytes
BLOCK: Final = 1 << 20
ROOM: Final = 1 << 20  # bytes that are to stay free
SUM: Final = ".sha256"  # what the file beside the file ends with

Open = Callable[..., Any]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class WeightFile:
    """One published file. ``sha256``: its whole sum, or the first digits where no more is published, or nothing;
    ``size``: its bytes, 0 where that is not known; ``holds``: what it is fetched for."""

    name: str
    file: str
    url: str
    sha256: str
    size: int
    licence: str
    licence_url: str
    holds: str

    def about(self) -> str:
        """A line to agree to."""
        size = f"{self.size / 1e6:.1f} MB" if self.size else "size not known"
        known = {0: "its sum is not published", 64: "its sum is known"}.get(
            len(self.sha256), f"of its sum the first {len(self.sha256)} digits are published"
        )
        return f"{self.name} ({size}, licence {self.licence}): {self.holds}; from {self.url}; {known}"


@dataclass(frozen=True)
class Kept:
    """A file that is here, and its whole sum."""

    path: Path
    sha256: str


def cache_folder() -> Path:
    """Where fetched weights are kept, beside fetched packages."""
    return wheels_folder().with_name("weights")


def obtain_file(
    weights: WeightFile,
    cache: Path,
    given: Sequence[Path] = (),
    progress: Progress = lambda step: None,
    opened: Open = urllib.request.urlopen,
) -> Kept:
    """The file: one of ``given`` that bears its name, or the cache's, or fetched into the cache.

    Raises ``ImportedError`` for a file that is not the one that is known, for a download that fails or ends early, and
    for a cache that cannot be written or has no room.
    """
    for path in given:
        if path.name == weights.file:
            return Kept(path, compared(weights, path, weights.sha256, "name another file, or leave it out"))
    place = cache / weights.file
    if not place.is_file():
        _fetch(weights, cache, progress, opened)
    return Kept(place, compared(weights, place, _known(weights, place), "delete it and import again"))


def compared(weights: WeightFile, path: Path, known: str, cure: str) -> str:
    """The whole sum of the file at ``path``; ``ImportedError`` unless it begins with ``known``."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportedError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    if not found.startswith(known) or (weights.size and size != weights.size):
        expected = f", {weights.size} are expected" if weights.size and size != weights.size else ""
        raise ImportedError(
            f"{path}: has SHA-256 {found[:12]}... ({size} bytes{expected}), {weights.name} has {known[:12] or '?'}...: "
            f"it is damaged, cut short or another file; {cure}"
        )
    return found


def _known(weights: WeightFile, place: Path) -> str:
    """The sum that was found when the file came, where it fits what is published."""
    if len(weights.sha256) == 64:
        return weights.sha256
    try:
        kept = place.with_name(place.name + SUM).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return weights.sha256
    return kept if len(kept) == 64 and kept.startswith(weights.sha256) else weights.sha256


def _fetch(weights: WeightFile, cache: Path, progress: Progress, opened: Open) -> None:
    by_hand = f"or fetch {weights.url} elsewhere and give it with --file"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=cache))
    except OSError as error:
        raise _unwritable(cache, error) from error
    try:
        free = shutil.disk_usage(cache).free
        if weights.size and free < weights.size + ROOM:
            raise ImportedError(
                f"cache {cache}: has {free / 1e6:.0f} MB free, {weights.name} needs {weights.size / 1e6:.0f}; "
                "make room, or name another with --cache"
            )
        whole = part / weights.file
        try:
            _download(weights, whole, cache, progress, opened, by_hand)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            reason = getattr(error, "reason", None) or error
            raise ImportedError(
                f"{weights.name}: cannot be fetched from {weights.url} ({reason}); mend the network or its proxy, "
                f"{by_hand}"
            ) from error
        found = compared(
            weights, whole, weights.sha256, "what is offered there is another file: do not use it; fetch it again later"
        )
        try:
            (part / (weights.file + SUM)).write_text(found + "\n", encoding="ascii")
            (part / (weights.file + SUM)).replace(cache / (weights.file + SUM))
            whole.replace(cache / weights.file)
        except OSError as error:
            raise _unwritable(cache, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _download(weights: WeightFile, whole: Path, cache: Path, progress: Progress, opened: Open, by_hand: str) -> None:
    with opened(weights.url, timeout=WAIT_S) as answer:
        promised = int(answer.headers.get("Content-Length") or weights.size)
        came = 0
        try:
            file = whole.open("wb")
        except OSError as error:
            raise _unwritable(cache, error) from error
        with file:
            while block := answer.read(BLOCK):
                try:
                    file.write(block)
                    file.flush()
                except OSError as error:
                    raise _unwritable(cache, error) from error
                came += len(block)
                of = f" of {promised / 1e6:.0f}" if promised else ""
                progress(f"fetching {weights.name}: {came / 1e6:.0f}{of} MB")
    if promised and came != promised:
        raise ImportedError(
            f"{weights.name}: {came} of {promised} bytes came from {weights.url}; nothing is kept of them: try again, "
            f"{by_hand}"
        )


def _unwritable(cache: Path, error: OSError) -> ImportedError:
    if error.errno == errno.ENOSPC:
        return ImportedError(f"cache {cache}: the disk is full; make room, or name another with --cache")
    return ImportedError(f"cache {cache}: cannot be written ({error.strerror or error}); name another with --cache")


def summary_of(files: Sequence[WeightFile]) -> str:
    """What is to be agreed to, a line a file."""
    return "\n".join(weights.about() for weights in files)


def licences_of(files: Sequence[WeightFile]) -> str:
    """What goes with every copy: each file's licence, by its name and where its text stands."""
    return "".join(f"{w.name} ({w.licence}, {w.licence_url}): {w.holds}\nfrom {w.url}\n\n" for w in files)


def record_of(kept: Sequence[tuple[WeightFile, Kept]]) -> dict[str, Any]:
    """What a bundle's manifest says of where its weights are from."""
    return {
        "sources": [
            {"name": w.name, "url": w.url, "sha256": k.sha256, "licence": w.licence, "holds": w.holds} for w, k in kept
        ]
    }
