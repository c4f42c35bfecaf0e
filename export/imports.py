"""What ``segue towers import`` can import: a row each, whose module is opened when its name is asked for."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import ExportError

if TYPE_CHECKING:
    from towers.imports.part import Imported

Progress = Callable[[str], None]
VIDEOS: Final = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".ogv", ".ts")
MUSIC: Final = (".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".m4a", ".aac", ".wma")


@dataclass(frozen=True)
class Asked:
    """``cache``: where fetched files are kept, None for the user's own; ``given``: files that are here already;
    ``background``: folders that words are compared with; ``pairs``: videos with their own music, to learn from."""

    cache: Path | None = None
    given: tuple[Path, ...] = ()
    background: tuple[Path, ...] = ()
    pairs: Path | None = None


@dataclass(frozen=True)
class Loaded:
    """What joins a bundle, the licences' text, what the bundle's record says of the sources, and what the user is to be
    told in the end."""

    whole: "Imported"
    licences: str
    record: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Import:
    """What a row's module calls ``IMPORT``. ``summary``: what is fetched and under which licences, a line each;
    ``files``: their names, as ``--file`` may give them; ``load``: fetches, reads, builds; raises ``ImportedError`` or
    ``ExportError``. ``background``: whether ``--background`` means anything to it."""

    summary: Callable[[], str]
    files: Callable[[], Sequence[str]]
    load: Callable[[Asked, Progress], Loaded]
    background: bool = False


@dataclass(frozen=True)
class Row:
    module: str
    about: str

    def open(self) -> Import:
        found: Import = importlib.import_module(self.module).IMPORT
        return found


IMPORTS: Final[Mapping[str, Row]] = {
    "lite": Row("export.import_lite", "EfficientNet-Lite0 for pictures (Apache-2.0), musicnn for sound (ISC)"),
    "clip-clap": Row("export.import_clip_clap", "OpenCLIP for pictures (MIT), LAION CLAP for sound (Apache-2.0)"),
    "emomv": Row(
        "export.import_emomv",
        "SlowFast R50 for video, VGGish for sound (both Apache-2.0), heads trained on EmoMV's release (MIT)",
    ),
}


def load(name: str, chosen: Import, asked: Asked, progress: Progress) -> Loaded:
    """``chosen.load`` once what was given fits it. ``ExportError`` for files and flags that do not belong to it."""
    check_given(chosen, asked)
    if asked.background and not chosen.background:
        raise ExportError(f"--background: {name} compares its words with nothing; leave it out")
    return chosen.load(asked, progress)


def check_given(chosen: Import, asked: Asked) -> None:
    """``ExportError`` for a file of another name than those that are fetched."""
    files = tuple(chosen.files())
    for path in asked.given:
        if path.name not in files:
            raise ExportError(f"--file {path}: is none of {' and '.join(files)}; keep their names")


def found(folders: Sequence[Path], kinds: Sequence[str]) -> list[Path]:
    """Files by their endings, in order; ``ExportError`` for what is no folder."""
    for folder in folders:
        if not folder.is_dir():
            raise ExportError(f"{folder}: no such folder; name one that holds media files")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in kinds)
