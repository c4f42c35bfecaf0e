"""Models as folders of the Hugging Face hub: one revision, verified, in the hub's own cache.

``huggingface_hub`` fetches, continues where a connection was cut, and keeps complete files. The revision is a commit,
so cached files are used without the network. A folder that was fetched in another way is accepted too.
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
    """``sha256``: its whole sum, empty where unknown; then only the commit identifies it."""

    name: str
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class HubModel:
    """One revision of a model. ``weights``: the name of the file with them; ``licence``: as its model card states it;
    ``licence_url``: the address of that licence's text; ``holds``: what it contains."""

    repo: str
    revision: str
    licence: str
    licence_url: str
    holds: str
    files: tuple[HubFile, ...]
    weights: str

    @property
    def folder(self) -> str:
        """The name of its folder: the repository's name."""
        return self.repo.rpartition("/")[2]

    @property
    def url(self) -> str:
        return f"{HUB}/{self.repo}/tree/{self.revision}"

    def about(self) -> str:
        """A line that the user agrees to."""
        size = sum(file.size for file in self.files) / 1e6
        known = next(file.sha256 for file in self.files if file.name == self.weights)
        return (
            f"{self.repo} ({size:.0f} MB, licence {self.licence}): {self.holds}; from {self.url}; {self.weights} has "
            f"SHA-256 {known or 'unknown'}"
        )

    def record(self) -> dict[str, Any]:
        """Its entry in a bundle's manifest."""
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
    folders: Sequence[Path] = (),
    progress: Progress = lambda step: None,
    download: Download | None = None,
) -> Path:
    """A folder with the model's files: the one of ``folders`` with its name, or the cache's, where missing files are
    fetched. ``cache`` None is the hub's own (``HF_HOME``).

    Raises ``ImportedError`` for a missing, shortened or wrong file, for a hub that cannot be reached, and for a cache
    without room.
    """
    for folder in folders:
        if folder.name == model.folder:
            for file in model.files:
                verify(model, file, folder / file.name, f"put it there from {model.url}, or leave --file out")
            return folder
    fetch = download or _downloader()
    folder = Path()
    for file in model.files:
        progress(f"fetching {model.folder}/{file.name}, {file.size / 1e6:.0f} MB")
        path = Path(_fetch(model, file, cache, fetch))
        verify(model, file, path, f"delete {path} and import again")
        folder = path.parent
    return folder


def verify(model: HubModel, file: HubFile, path: Path, cure: str) -> None:
    """``ImportedError`` unless the file exists, is not empty and has its sum, where that is known."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest() if file.sha256 else ""
    except OSError as error:
        raise ImportedError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    if file.sha256 and digest != file.sha256:
        short = f"{size} bytes, {file.size} are expected" if size != file.size else f"{size} bytes"
        raise ImportedError(
            f"{path}: has SHA-256 {digest[:12]}... ({short}), {model.repo} has {file.sha256[:12]}...: it is damaged, "
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
    function: Download = hf_hub_download
    return function


def missing(error: ImportError) -> ImportedError:
    return ImportedError(f'clip-clap: needs transformers ({error}); install it: pip install ".[clip-clap]"')


def _fetch(model: HubModel, file: HubFile, cache: Path | None, download: Download) -> str:
    by_hand = f"or fetch {model.url} elsewhere, as a folder called {model.folder}, and give that with --file"
    where = f"cache {cache}" if cache else "the hub's cache"
    try:
        return download(model.repo, file.name, revision=model.revision, cache_dir=cache)
    except Exception as error:  # its errors and its downloader's have no other common base
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise ImportedError(
                f"{where}: the disk is full at {model.folder}/{file.name} ({file.size / 1e6:.0f} MB); make room and "
                "import again, what came whole is kept; or name another with --cache"
            ) from error
        if isinstance(error, PermissionError | NotADirectoryError | FileExistsError):
            raise ImportedError(f"{where}: cannot be written ({error.strerror}); name another with --cache") from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ImportedError(
            f"{model.folder}/{file.name}: cannot be fetched ({reason}); mend the network or its proxy and import "
            f"again, what came whole is kept; {by_hand}"
        ) from error
