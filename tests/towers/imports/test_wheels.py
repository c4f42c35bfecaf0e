"""Fetching: the very file or none, and a word on what to do; nothing half-done is left behind."""

import errno
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from towers.imports.errors import ImportedError
from towers.imports.sources import WHEELS, licences, record, summary
from towers.imports.wheels import Wheel, cache_folder, obtain

Writer = Callable[..., tuple[Wheel, Path]]


class Pip:
    """Stands for ``subprocess.run``: copies ``file`` to where pip was told to, or fails as told."""

    def __init__(self, file: Path | None = None, code: int = 0, says: str = "", error: Exception | None = None) -> None:
        self.file, self.code, self.says, self.error = file, code, says, error
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        self.commands.append(command)
        if self.error is not None:
            raise self.error
        if self.file is not None:
            shutil.copy(self.file, command[command.index("-d") + 1])
        return subprocess.CompletedProcess(command, self.code, "", self.says)


NEVER = Pip(error=AssertionError("pip was asked"))


def test_it_is_fetched_once_and_then_there(tmp_path: Path, write_wheel: Writer) -> None:
    wheel, file = write_wheel(tmp_path / "index")
    pip = Pip(file)
    place = obtain(wheel, tmp_path / "cache", run=pip)
    assert place == tmp_path / "cache" / wheel.file and place.read_bytes() == file.read_bytes()
    assert {"download", "--no-deps", "theirs==1.0"} <= set(pip.commands[0])
    assert obtain(wheel, tmp_path / "cache", run=NEVER) == place
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [wheel.file]


def test_a_file_that_is_given_is_taken_where_it_is(tmp_path: Path, write_wheel: Writer) -> None:
    wheel, file = write_wheel(tmp_path / "here")
    assert obtain(wheel, tmp_path / "cache", [tmp_path / "another.whl", file], NEVER) == file
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", ["cut short", "changed", "gone"])
def test_a_given_file_that_is_another_is_named_with_both_sums(tmp_path: Path, write_wheel: Writer, damage: str) -> None:
    wheel, file = write_wheel(tmp_path / "here")
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if damage == "cut short" else data[:-1] + bytes([data[-1] ^ 1]))
    says = {
        "cut short": rf"{len(data) - 1} bytes, {len(data)} are expected.*{wheel.sha256[:12]}.*--wheel",
        "changed": rf"\({len(data)} bytes\).*{wheel.sha256[:12]}",
        "gone": "cannot be read",
    }
    with pytest.raises(ImportedError, match=says[damage]):
        obtain(wheel, tmp_path / "cache", [file], NEVER)


def test_a_cache_that_was_damaged_says_delete(tmp_path: Path, write_wheel: Writer) -> None:
    wheel, file = write_wheel(tmp_path / "cache")
    file.write_bytes(b"half")
    with pytest.raises(ImportedError, match="delete it and import again"):
        obtain(wheel, tmp_path / "cache", run=NEVER)


@pytest.mark.parametrize(
    ("pip", "says"),
    [
        (
            Pip(code=1, says="ERROR: Could not find a version\n that satisfies"),
            "pip says: ERROR: Could not find.*--wheel",
        ),
        (Pip(code=0), "pip says: nothing"),
        (Pip(code=2, says="OSError: [Errno 28] No space left on device"), "the disk is full; make room"),
        (Pip(error=subprocess.TimeoutExpired("pip", 600)), "took more than 600 s"),
        (Pip(error=FileNotFoundError(errno.ENOENT, "No such file")), "pip cannot be run"),
    ],
)
def test_a_download_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, write_wheel: Writer, pip: Pip, says: str
) -> None:
    wheel, _ = write_wheel(tmp_path / "index")
    with pytest.raises(ImportedError, match=says):
        obtain(wheel, tmp_path / "cache", run=pip)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_index_that_offers_another_file_is_not_believed(tmp_path: Path, write_wheel: Writer) -> None:
    wheel, file = write_wheel(tmp_path / "index")
    with pytest.raises(ImportedError, match="do not use it"):
        obtain(replace(wheel, sha256="0" * 64), tmp_path / "cache", run=Pip(file))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_that_fills_at_the_last_step(
    tmp_path: Path, write_wheel: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, file = write_wheel(tmp_path / "index")

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ImportedError, match=r"No space left on device.*--cache"):
        obtain(wheel, tmp_path / "cache", run=Pip(file))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_is_a_file_is_named(tmp_path: Path, write_wheel: Writer) -> None:
    wheel, file = write_wheel(tmp_path / "index")
    (tmp_path / "cache").write_text("")
    with pytest.raises(ImportedError, match=r"cache .*cannot be written"):
        obtain(wheel, tmp_path / "cache", run=Pip(file))


def test_a_member_that_is_not_there_is_named(tmp_path: Path, write_wheel: Writer) -> None:
    wheel, file = write_wheel(tmp_path)
    assert licences({wheel: file}) == "theirs 1.0 (ISC): a network\n\nDo as you like.\n"
    with pytest.raises(ImportedError, match="has no weights"):
        wheel.read(file, "weights")
    (tmp_path / "no.whl").write_text("no")
    with pytest.raises(ImportedError, match="delete it"):
        wheel.read(tmp_path / "no.whl", "LICENSE")


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "segue" / "wheels"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # to be ignored, says the specification
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert cache_folder() == tmp_path / "home" / ".cache" / "segue" / "wheels"


def test_what_is_known_of_the_real_ones() -> None:
    for wheel in WHEELS:
        assert len(wheel.sha256) == 64 and wheel.licence in summary() and wheel.package in summary()
        assert wheel.file.startswith(wheel.package.replace("-", "_"))
    assert [source["sha256"] for source in record()["sources"]] == [wheel.sha256 for wheel in WHEELS]
