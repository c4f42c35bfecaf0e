"""What takes seconds to make and nobody changes is made once in a run, however many processes share its tests."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder ``name`` of this run, filled by ``make(folder)``: by the first process that asks, the others wait.

    What failed or was broken off is made anew by the next one. The folder lies where it was made: it may hold paths.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each process has a folder of its own, side by side
    folder, made = root / f"once {name}", root / f"once {name}.made"
    with FileLock(root / f"once {name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
