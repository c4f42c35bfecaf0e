"""Weights as single files from their authors' sites: fetched once, verified, cached.

Where the authors publish no whole SHA-256, the sum of the first download is stored beside the file and compared from
then on; where a file's name has the first digits of its sum, those must agree. A file is written beside its place and
moved, so the cache never holds a part of one. A cached file needs no network. A file is read as weights only, and their
names and shapes are checked, whatever the sum.
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
ROOM: Final = 1 << 20  # bytes that must stay free
SUM: Final = ".sha256"  # ending of the file that holds the sum

Open = Callable[..., Any]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class WeightFile:
    """One published file. ``sha256``: its whole sum, or the first digits where no more is published, or empty;
    ``size``: its bytes, 0 where unknown; ``holds``: what it contains."""

    name: str
    file: str
    url: str
    sha256: str
    size: int
    licence: str
    licence_url: str
    holds: str

    def about(self) -> str:
        """A line that the user agrees to."""
        size = f"{self.size / 1e6:.1f} MB" if self.size else "size not known"
        known = {0: "its sum is not published", 64: "its sum is known"}.get(
            len(self.sha256), f"of its sum the first {len(self.sha256)} digits are published"
        )
        return f"{self.name} ({size}, licence {self.licence}): {self.holds}; from {self.url}; {known}"


@dataclass(frozen=True)
class CachedFile:
    """A local file, and its whole sum."""

    path: Path
    sha256: str


def cache_folder() -> Path:
    """The cache folder of fetched weights, beside that of fetched packages."""
    return wheels_folder().with_name("weights")


def obtain_file(
    weights: WeightFile,
    cache: Path,
    files: Sequence[Path] = (),
    progress: Progress = lambda step: None,
    open_url: Open = urllib.request.urlopen,
) -> CachedFile:
    """The file: the one of ``files`` with its name, or the cached one, or else it is fetched into the cache.

    Raises ``ImportedError`` for another file than the known one, for a download that fails or ends early, and for a
    cache that cannot be written or has no room.
    """
    for path in files:
        if path.name == weights.file:
            return CachedFile(path, verify(weights, path, weights.sha256, "name another file, or leave it out"))
    place = cache / weights.file
    if not place.is_file():
        _fetch(weights, cache, progress, open_url)
    return CachedFile(place, verify(weights, place, _known_sum(weights, place), "delete it and import again"))


def verify(weights: WeightFile, path: Path, known: str, cure: str) -> str:
    """The whole sum of the file at ``path``; ``ImportedError`` unless it begins with ``known``."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportedError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    if not digest.startswith(known) or (weights.size and size != weights.size):
        expected = f", {weights.size} are expected" if weights.size and size != weights.size else ""
        raise ImportedError(
            f"{path}: has SHA-256 {digest[:12]}... ({size} bytes{expected}), {weights.name} has "
            f"{known[:12] or '?'}...: it is damaged, cut short or another file; {cure}"
        )
    return digest


def _known_sum(weights: WeightFile, place: Path) -> str:
    """The sum stored when the file was fetched, if it agrees with the published digits; else these digits."""
    if len(weights.sha256) == 64:
        return weights.sha256
    try:
        stored = place.with_name(place.name + SUM).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return weights.sha256
    return stored if len(stored) == 64 and stored.startswith(weights.sha256) else weights.sha256


def _fetch(weights: WeightFile, cache: Path, progress: Progress, open_url: Open) -> None:
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
            _download(weights, whole, cache, progress, open_url, by_hand)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            reason = getattr(error, "reason", None) or error
            raise ImportedError(
                f"{weights.name}: cannot be fetched from {weights.url} ({reason}); mend the network or its proxy, "
                f"{by_hand}"
            ) from error
        digest = verify(
            weights, whole, weights.sha256, "what is offered there is another file: do not use it; fetch it again later"
        )
        try:
            (part / (weights.file + SUM)).write_text(digest + "\n", encoding="ascii")
            (part / (weights.file + SUM)).replace(cache / (weights.file + SUM))
            whole.replace(cache / weights.file)
        except OSError as error:
            raise _unwritable(cache, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _download(weights: WeightFile, whole: Path, cache: Path, progress: Progress, open_url: Open, by_hand: str) -> None:
    with open_url(weights.url, timeout=WAIT_S) as answer:
        promised = int(answer.headers.get("Content-Length") or weights.size)
        received = 0
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
                received += len(block)
                of = f" of {promised / 1e6:.0f}" if promised else ""
                progress(f"fetching {weights.name}: {received / 1e6:.0f}{of} MB")
    if promised and received != promised:
        raise ImportedError(
            f"{weights.name}: {received} of {promised} bytes came from {weights.url}; nothing is kept of them: try "
            f"again, {by_hand}"
        )


def _unwritable(cache: Path, error: OSError) -> ImportedError:
    if error.errno == errno.ENOSPC:
        return ImportedError(f"cache {cache}: the disk is full; make room, or name another with --cache")
    return ImportedError(f"cache {cache}: cannot be written ({error.strerror or error}); name another with --cache")


def summary_of(files: Sequence[WeightFile]) -> str:
    """What the user agrees to, one line a file."""
    return "\n".join(weights.about() for weights in files)


def licences_of(files: Sequence[WeightFile]) -> str:
    """The text that goes with every copy: each file's licence, by its name and the address of its text."""
    return "".join(f"{w.name} ({w.licence}, {w.licence_url}): {w.holds}\nfrom {w.url}\n\n" for w in files)


def record_of(sources: Sequence[tuple[WeightFile, CachedFile]]) -> dict[str, Any]:
    """The sources of the weights, for a bundle's manifest."""
    return {
        "sources": [
            {"name": w.name, "url": w.url, "sha256": cached.sha256, "licence": w.licence, "holds": w.holds}
            for w, cached in sources
        ]
    }
