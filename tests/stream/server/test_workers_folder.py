"""The workers' folder: nobody else's, gone at the end; what killed servers left is removed without harm to others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.server.workers_folder import PREFIX, QUIET_S, workers_folder

HOLD = (
    "import sys, time; from pathlib import Path; from stream.server.workers_folder import workers_folder\n"
    "with workers_folder(Path(sys.argv[1])) as folder: print(folder, flush=True); time.sleep(600)"
)


def aged(folder: Path) -> Path:
    """As if nothing was written in it for long."""
    for path in (*folder.iterdir(), folder):
        os.utime(path, (time.time() - 2 * QUIET_S,) * 2)
    return folder


def test_it_is_private_and_goes(tmp_path: Path) -> None:
    with workers_folder(tmp_path) as folder:
        (folder / "0.json").touch()
        assert folder.stat().st_mode & 0o777 == 0o700 and folder.name.startswith(PREFIX)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="no locks on folders there")
def test_what_a_killed_server_left_goes_and_what_others_use_stays(tmp_path: Path) -> None:
    (tmp_path / "segue-obs-x").mkdir()
    strange = aged_folder(tmp_path, "others-files")
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        running = aged(Path(held.stdout.readline().strip()))
        left = aged_folder(tmp_path, f"{PREFIX}killed")
        of_before = tmp_path / f"{PREFIX}older"  # of a release that held no lock, and runs
        of_before.mkdir()
        (of_before / "0.json").touch()
        with workers_folder(tmp_path):
            assert not left.exists() and running.is_dir() and of_before.is_dir() and strange.is_dir()
        held.send_signal(signal.SIGKILL)
        held.wait()
        assert running.is_dir()
    with workers_folder(tmp_path):
        assert not running.exists() and of_before.is_dir()


@pytest.mark.skipif(os.name != "posix", reason="no links without rights there")
def test_a_link_in_its_place_leads_nowhere(tmp_path: Path) -> None:
    kept = aged_folder(tmp_path, "kept")
    (tmp_path / f"{PREFIX}link").symlink_to(kept)
    with workers_folder(tmp_path):
        assert (kept / "0.json").is_file()


def aged_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / "0.json").touch()
    return aged(folder)
