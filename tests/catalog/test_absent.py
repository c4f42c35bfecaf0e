"""Files that are gone: deleted, or away with their drive? Real folders and a real indexer, which nobody watches."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.absent import MANY, emptied, leads_nowhere
from catalog.catalog import Catalog
from catalog.errors import MusicFolderError
from catalog.indexer import IndexReport, index_folder
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine

Writer = Callable[..., Path]
Mirror = Callable[[], IndexReport]
TRACKS = MANY + 3


@pytest.fixture
def music(tmp_path: Path, write_music: Writer) -> Path:
    """A short file by itself, and as many as make a drive in a folder."""
    for number in range(TRACKS):
        write_music(tmp_path / "music" / "nas" / f"{number}.wav", duration_s=1.2, seed=number)
    write_music(tmp_path / "music" / "own.wav", duration_s=2, seed=99)
    return tmp_path / "music"


@pytest.fixture
def mirror(music: Path, tmp_path: Path, engine: OnnxEngine) -> Mirror:
    def run() -> IndexReport:
        return index_folder(music, tmp_path / "c", engine, 1, lambda *_: None, unattended=True)

    assert run().tracks == TRACKS + 1
    return run


def listed(tmp_path: Path, bundle: Bundle) -> int:
    with Catalog.open(tmp_path / "c", bundle) as catalog:
        return len(catalog.tracks())


def test_a_folder_that_is_gone_empties_no_list(tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle) -> None:
    music.rename(tmp_path / "away")
    with pytest.raises(MusicFolderError, match="is not there now; its tracks stay"):
        mirror()
    assert listed(tmp_path, bundle) == TRACKS + 1
    (tmp_path / "away").rename(music)
    report = mirror()
    assert (report.unchanged, report.missing, report.away) == (TRACKS + 1, 0, ())


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOTCONN])
def test_a_folder_that_cannot_be_read_empties_no_list(
    tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    scandir = os.scandir

    def failing(path: object = ".") -> object:
        if str(path) == str(music):
            raise OSError(code, os.strerror(code), str(music))
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(MusicFolderError, match="its tracks stay"):
        mirror()
    monkeypatch.undo()
    assert listed(tmp_path, bundle) == TRACKS + 1


def test_a_root_that_does_not_answer(
    tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda self: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises((MusicFolderError, OSError), match="its tracks stay"):
        mirror()
    monkeypatch.undo()
    assert listed(tmp_path, bundle) == TRACKS + 1


def test_a_part_that_is_empty_at_once_is_away_and_comes_back(
    tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle
) -> None:
    """As the place of a drive is that is not mounted; what is elsewhere is mirrored meanwhile."""
    (music / "nas").rename(tmp_path / "drive")
    (music / "nas").mkdir()
    (music / "own.wav").unlink()
    for _ in range(2):
        report = mirror()
        [away] = report.away
        assert away.path == music / "nas" and f"{TRACKS} files" in away.text
        assert (report.missing, listed(tmp_path, bundle)) == (1, TRACKS)
    (music / "nas").rmdir()
    (tmp_path / "drive").rename(music / "nas")
    report = mirror()
    assert (report.away, report.unchanged, report.tracks) == ((), TRACKS, TRACKS)


@pytest.mark.skipif(os.name == "nt", reason="links take a right there")
def test_a_link_that_leads_nowhere_is_to_a_drive_that_is_away(
    tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle
) -> None:
    """The place of a drive that is mounted by itself goes with it."""
    drive = (music / "nas").rename(tmp_path / "drive")
    (music / "nas").symlink_to(drive)
    assert mirror().tracks == TRACKS + 1
    drive.rename(tmp_path / "away")
    report = mirror()
    [away] = report.away
    assert away.path == music / "nas" and away.text.startswith(f"leads nowhere now, though {TRACKS} files")
    assert (report.missing, listed(tmp_path, bundle)) == (0, TRACKS + 1)
    (tmp_path / "away").rename(drive)
    report = mirror()
    assert (report.away, report.unchanged, report.tracks) == ((), TRACKS + 1, TRACKS + 1)
    (music / "nas").unlink()
    assert mirror().missing == TRACKS  # who takes the link away means it


@pytest.mark.skipif(os.name == "nt", reason="links take a right there")
def test_what_is_behind_a_link(tmp_path: Path) -> None:
    root = tmp_path / "music"
    root.mkdir()
    (tmp_path / "drive").mkdir()
    for name, target in (("there", "drive"), ("away", "gone")):
        (root / name).symlink_to(tmp_path / target)
    assert [leads_nowhere(root / name / "deep" / "a.ogg", root) for name in ("there", "away", "none")] == [0, 1, 0]


def test_what_is_deleted_goes(tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle) -> None:
    """Some files of a folder, and a folder with all that is in it."""
    for number in range(3):
        (music / "nas" / f"{number}.wav").unlink()
    assert mirror().missing == 3 and listed(tmp_path, bundle) == TRACKS - 2
    shutil.rmtree(music / "nas")
    report = mirror()
    assert (report.missing, report.away, listed(tmp_path, bundle)) == (TRACKS, (), 1)


def test_what_is_moved_is_not_away(tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle) -> None:
    """The folder stays behind, empty."""
    (music / "other").mkdir()
    for path in (music / "nas").iterdir():
        path.rename(music / "other" / path.name)
    report = mirror()
    assert (report.away, report.renamed, report.missing, report.tracks) == ((), TRACKS, 0, TRACKS + 1)
    with Catalog.open(tmp_path / "c", bundle) as catalog:
        assert {track.path.parent.name for track in catalog.tracks()} == {"music", "other"}


def test_a_file_that_does_not_answer_is_not_gone(
    tmp_path: Path, music: Path, mirror: Mirror, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def failing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "own.wav":
            raise OSError(errno.EIO, "Input/output error")
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", failing)
    report = mirror()
    assert [note.path.name for note in report.away] == ["own.wav"] and report.missing == 0
    monkeypatch.undo()
    assert listed(tmp_path, bundle) == TRACKS + 1


def test_only_what_was_full_and_is_there_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / ".hidden").touch()
    (tmp_path / "few").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "cover.jpg").touch()
    gone = [tmp_path / name / str(n) for name in ("drive", "full", "deleted") for n in range(MANY + 1)]
    assert emptied([*gone, tmp_path / "few" / "a"], tmp_path) == {tmp_path / "drive": MANY + 1}
