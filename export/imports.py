"""What ``segue towers import`` can import: one row each. A row's module is loaded only when its name is used."""

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
class ImportOptions:
    """``cache``: where fetched files are stored, None for the user's cache; ``files``: those that need not be fetched;
    ``background``: folders that words are compared with; ``pairs``: videos with their own music, to learn from."""

    cache: Path | None = None
    files: tuple[Path, ...] = ()
    background: tuple[Path, ...] = ()
    pairs: Path | None = None


@dataclass(frozen=True)
class Loaded:
    """``whole`` joins a bundle; ``licences``: their text; ``record``: the sources, for the bundle's record;
    ``notes``: what the user reads at the end."""

    whole: "Imported"
    licences: str
    record: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Import:
    """The ``IMPORT`` of a row's module. ``summary``: what is fetched and under which licences, one line each;
    ``files``: their names, as ``--file`` may give them; ``load``: fetches, reads, builds; raises ``ImportedError`` or
    ``ExportError``. ``background``: whether it uses ``--background``."""

    summary: Callable[[], str]
    files: Callable[[], Sequence[str]]
    load: Callable[[ImportOptions, Progress], Loaded]
    background: bool = False


@dataclass(frozen=True)
class Row:
    module: str
    about: str

    def open(self) -> Import:
        module_import: Import = importlib.import_module(self.module).IMPORT
        return module_import


IMPORTS: Final[Mapping[str, Row]] = {
    "lite": Row("export.import_lite", "EfficientNet-Lite0 for pictures (Apache-2.0), musicnn for sound (ISC)"),
    "clip-clap": Row("export.import_clip_clap", "OpenCLIP for pictures (MIT), LAION CLAP for sound (Apache-2.0)"),
    "emomv": Row(
        "export.import_emomv",
        "SlowFast R50 for video, VGGish for sound (both Apache-2.0), heads trained on EmoMV's release (MIT)",
    ),
}


def load(name: str, chosen: Import, options: ImportOptions, progress: Progress) -> Loaded:
    """Check the options, then ``chosen.load``. ``ExportError`` for files and flags that do not belong to it."""
    check_files(chosen, options)
    if options.background and not chosen.background:
        raise ExportError(f"--background: {name} compares its words with nothing; leave it out")
    return chosen.load(options, progress)


def check_files(chosen: Import, options: ImportOptions) -> None:
    """``ExportError`` for a file whose name is none of those that are fetched."""
    files = tuple(chosen.files())
    for path in options.files:
        if path.name not in files:
            raise ExportError(f"--file {path}: is none of {' and '.join(files)}; keep their names")


def media_files(folders: Sequence[Path], kinds: Sequence[str]) -> list[Path]:
    """Files by their endings, sorted; ``ExportError`` for a path that is no folder."""
    for folder in folders:
        if not folder.is_dir():
            raise ExportError(f"{folder}: no such folder; name one that holds media files")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in kinds)
