"""Models as folders of the Hugging Face hub: one revision, compared, kept in the hub's own cache.

``huggingface_hub`` fetches, goes on where a connection was cut, and keeps what came whole. What is asked for is a
commit, so what is in the cache is taken without asking anybody. A folder that came another way will do as well.
"""

import errno
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import ImportedError

Progress = Callable[[str], None]
Download = Callable[..., str]

HUB: Final = "https://huggingface.co"


@dataclass(frozen=True)
class HubFile:
    """``sha256``: its whole sum, or nothing where none is known; then the commit alone says what it is."""

    name: str
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class HubModel:
    """One revision of a model. ``weights``: which of its files they are; ``licence``: as its model card states it;
    ``licence_url``: where the text of that licence stands; ``holds``: what it is fetched for."""

    repo: str
    revision: str
    licence: str
    licence_url: str
    holds: str
    files: tuple[HubFile, ...]
    weights: str

    @property
    def folder(self) -> str:
        """What a folder of it is called: the repository's name."""
        return self.repo.rpartition("/")[2]

    @property
    def url(self) -> str:
        return f"{HUB}/{self.repo}/tree/{self.revision}"

    def about(self) -> str:
        """A line to agree to."""
        size = sum(file.size for file in self.files) / 1e6
        known = next(file.sha256 for file in self.files if file.name == self.weights)
        return (
            f"{self.repo} ({size:.0f} MB, licence {self.licence}): {self.holds}; from {self.url}; {self.weights} has "
            f"SHA-256 {known or 'unknown'}"
        )

    def record(self) -> dict[str, Any]:
        """What a bundle's manifest says of it."""
        sums = {file.name: file.sha256 for file in self.files if file.sha256}
        return {
            "repo": self.repo,
            "revision": self.revision,
            "sha256": sums,
            "licence": self.licence,
            "holds": self.holds,
        }


def obtain_model(
    model: HubModel,
    cache: Path | None = None,
    given: Sequence[Path] = (),
    progress: Progress = lambda step: None,
    download: Download | None = None,
) -> Path:
    """A folder with the model's files: one of ``given`` that bears its name, or the cache's; what is missing there is
    fetched. ``cache`` None is the hub's own (``HF_HOME``).

    Raises ``ImportedError`` for a file that is missing, cut short or another, for a hub that cannot be reached, and for
    a cache that has no room.
    """
    for folder in given:
        if folder.name == model.folder:
            for file in model.files:
                compared(model, file, folder / file.name, f"put it there from {model.url}, or leave --file out")
            return folder
    fetch = download or _downloader()
    folder = Path()
    for file in model.files:
        progress(f"fetching {model.folder}/{file.name}, {file.size / 1e6:.0f} MB")
        path = Path(_fetched(model, file, cache, fetch))
        compared(model, file, path, f"delete {path} and import again")
        folder = path.parent
    return folder


def compared(model: HubModel, file: HubFile, path: Path, cure: str) -> None:
    """``ImportedError`` unless the file is there, of its size and, where that is known, of its sum."""
    try:
        size = path.stat().st_size
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest() if file.sha256 else ""
    except OSError as error:
        raise ImportedError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    if file.sha256 and found != file.sha256:
        short = f"{size} bytes, {file.size} are expected" if size != file.size else f"{size} bytes"
        raise ImportedError(
            f"{path}: has SHA-256 {found[:12]}... ({short}), {model.repo} has {file.sha256[:12]}...: it is damaged, "
            f"cut short or another file; {cure}"
        )
    if size == 0:
        raise ImportedError(f"{path}: is empty; {cure}")


def _downloader() -> Download:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import disable_progress_bars
    except ImportError as error:
        raise missing(error) from error
    disable_progress_bars()
    found: Download = hf_hub_download
    return found


def missing(error: ImportError) -> ImportedError:
    return ImportedError(f'clip-clap: needs transformers ({error}); install it: pip install ".[clip-clap]"')


def _fetched(model: HubModel, file: HubFile, cache: Path | None, download: Download) -> str:
    by_hand = f"or fetch {model.url} elsewhere, as a folder called {model.folder}, and give that with --file"
    where = f"cache {cache}" if cache else "the hub's cache"
    try:
        return download(model.repo, file.name, revision=model.revision, cache_dir=cache)
    except Exception as error:  # its errors, and those of what it downloads with, have no common base but this
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise ImportedError(
                f"{where}: the disk is full at {model.folder}/{file.name} ({file.size / 1e6:.0f} MB); make room and "
                "import again, what came whole is kept; or name another with --cache"
            ) from error
        if isinstance(error, PermissionError | NotADirectoryError | FileExistsError):
            raise ImportedError(f"{where}: cannot be written ({error.strerror}); name another with --cache") from error
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ImportedError(
            f"{model.folder}/{file.name}: cannot be fetched ({said}); mend the network or its proxy and import again, "
            f"what came whole is kept; {by_hand}"
        ) from error
