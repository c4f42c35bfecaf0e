"""What tests need of a machine beside Python's packages: without it they are skipped, and in CI they fail.

`@pytest.mark.needs("ffmpeg")` stands before a test; `program("ffmpeg")` and `voices()` are for fixtures and helpers.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

import pytest

PROGRAMS: Final = {
    "ffmpeg": ("ffmpeg",),
    "node": ("node",),
    "obs": ("obs",),
    "Xvfb": ("Xvfb",),
    "dbus-run-session": ("dbus-run-session",),
    "Chromium": ("chromium", "chromium-browser", "google-chrome", "chrome"),
}
# A few sentences of a LibriVox reader, as Debian's pocketsphinx-testdata brings them.
VOICES: Final = Path("/usr/share/pocketsphinx/test/data/librivox")


def missing(what: str) -> NoReturn:
    """Skip the test for want of ``what``; fail it where ``CI`` is set, which has everything."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have {what}")
    pytest.skip(f"needs {what}")


def program(name: str) -> str:
    """The path of one of `PROGRAMS`."""
    found = next((path for called in PROGRAMS[name] if (path := shutil.which(called))), None)
    return found or missing(f"the program {name}")


def package(folder: Path) -> Path:
    """The folder of a package that npm has installed: ``.../node_modules/NAME``."""
    return folder if folder.is_dir() else missing(f"{folder.name}: `npm ci` in {folder.parents[1].name}")


def voices() -> list[Path]:
    """Sound files in which somebody speaks."""
    return sorted(VOICES.glob("*.wav")) or missing("a recorded voice (Debian: pocketsphinx-testdata)")


def all_of(marks: Iterable[pytest.Mark]) -> None:
    """Programs by name and packages by path, of each of a test's marks."""
    for what in (what for mark in marks for what in mark.args):
        package(what) if isinstance(what, Path) else program(what)
