"""``segue cues`` and ``segue watch --html``."""

import base64
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import segue
from catalog.catalog import Catalog
from stream.core.events import Notice, Scene, Suggestions
from stream.cues import lines
from stream.cues.model import Session
from stream.cues.watched import WatchReport

SERVER = Path(__file__).parents[1] / "server"
Segue = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    spec = importlib.util.spec_from_file_location("serving_for_cues", SERVER / "serving.py")
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return Path(module.shared_catalog(tmp_path_factory, tiny_bundle))


@pytest.fixture
def kept(tmp_path: Path, make_hour: Callable[..., Session]) -> Path:
    """A folder with one session of sixty takes."""
    session = make_hour()
    head = {"v": 1, "id": session.id, "started": session.started, "session": session.session, "label": session.label}
    last = {"ended": lines.moment_object(session.last), "left_out": 0}
    folder = tmp_path / "sessions"
    folder.mkdir()
    texts = [head, *({"cue": lines.cue_object(cue)} for cue in session.cues), last]
    (folder / f"{session.id}.jsonl").write_text("".join(map(lines.line, texts)))
    return folder


@pytest.fixture
def cues(catalog: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> Segue:
    """``cues(command, *arguments)`` -> exit code, standard output, standard error."""

    def run(command: str, *arguments: object) -> tuple[int, str, str]:
        code = segue.main(["cues", command, "-c", str(catalog), "--cues", str(kept), *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_list_and_show(cues: Segue) -> None:
    code, out, _ = cues("list")
    assert code == 0 and out == "20261130T180000Z-0123abcd   1:00:00    60 taken   60 proposed  Show\n"
    code, out, _ = cues("show", "newest", "--kinds", "taken")
    assert code == 0 and len(out.splitlines()) == 61 and "A. Name - Night Bus 0" in out


def test_an_export_of_each_format(cues: Segue, tmp_path: Path) -> None:
    for name, begin in (("edl", "TITLE: Show\nFCM: DROP FRAME"), ("html", "<!doctype html>"), ("vtt", "WEBVTT")):
        path = tmp_path / f"out.{name}"
        code, out, err = cues("export", "2026", "--format", name, "--fps", "30000/1001", "-o", path)
        assert (code, out, err) == (0, "", "") and path.read_text().startswith(begin)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))) == [
        "out.edl", "out.html", "out.vtt",
    ]  # fmt: skip
    code, out, _ = cues("export", "newest", "--format", "json")
    assert code == 0 and len(json.loads(out)["cues"]) == 120


def test_what_is_left_out_is_said(cues: Segue) -> None:
    code, _, err = cues("export", "newest", "--format", "csv", "--clock", "stream")
    assert code == 0 and "60 cues are left out: the stream did not run then" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nobody", "--format", "edl"), "segue cues list names them"),
        (("newest", "--format", "edk"), "did you mean edl?"),
        (("newest", "--format", "edl", "--fps", "29"), "frames a second"),
        (("newest", "--format", "edl", "--fps", "25", "--drop-frame"), "drop-frame"),
        (("newest", "--format", "edl", "--kinds", "x"), "no cues are called"),
        (("newest", "--format", "edl", "-o", "/proc/nowhere/x.edl"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(cues: Segue, arguments: tuple[str, ...], text: str) -> None:
    code, out, err = cues("export", *arguments)
    assert code == 2 and out == "" and text in err and err.count("\n") == 1


def test_a_file_is_written_whole_or_not_at_all(cues: Segue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.edl"
    path.write_text("mine")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stream.cues.save.os.fsync", full)
    code, _, err = cues("export", "newest", "--format", "edl", "-o", path)
    assert code == 2 and "No space left on device" in err and path.read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["out.edl"]


def test_no_catalogue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["cues", "list", "-c", str(tmp_path)]) == 2
    assert "is no catalogue" in capsys.readouterr().err


def test_the_page_of_a_film(
    catalog: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    write_video: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    film, page = write_video(tmp_path / "v.mp4", frames=60, fps=12), tmp_path / "page.html"
    given = ["watch", str(film), "-c", str(catalog), "--bundle", str(tiny_bundle), "--json", "--fast"]
    assert segue.main([*given, "--html", str(page)]) == 0
    with_page, told = capsys.readouterr()
    assert f"segue watch: {page} is written" in told
    assert segue.main(given) == 0 and capsys.readouterr().out == with_page
    text = page.read_text()
    assert "v.mp4" in text and "tune " in text and text.count("data:") == 5
    assert segue.main([*given, "--html", str(tmp_path / "no" / "page.html")]) == 2
    told = capsys.readouterr().err
    assert "cannot be written" in told and "is written" not in told


def test_the_files_of_a_film_have_its_frame_rate(catalog: Path, tmp_path: Path, write_video: Any) -> None:
    for fps, name in ((24, "24"), (12, "30"), (Fraction(30000, 1001), "29.97")):
        film = write_video(tmp_path / "v.mp4", frames=100, fps=fps)
        with Catalog.open(catalog, None) as shelf:
            report = WatchReport(tmp_path / "page.html", str(film), shelf)
        report.put(Scene(0.5))
        report.save()
        text = (tmp_path / "page.html").read_text()
        [edl] = re.findall(r'base64,([^"]*)" download="cues.edl"', text)
        locators = [line for line in base64.b64decode(edl).decode().splitlines() if "LOC" in line]
        assert f"<b>{name}</b>" in text and len(locators) == 1
        assert locators[0].replace(";", ":") == f"* LOC: 01:00:00:{12 if name == '24' else 15} YELLOW  scene"


def test_a_page_of_what_was_interrupted(
    catalog: Path, tiny_bundle: Path, tmp_path: Path, write_video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, page = write_video(tmp_path / "v.mp4", frames=60, fps=12), tmp_path / "page.html"
    given = ["watch", str(film), "-c", str(catalog), "--bundle", str(tiny_bundle), "--json", "--html", str(page)]
    put, lists = WatchReport.put, list[Notice]()

    def interrupt(report: WatchReport, notice: Notice) -> None:
        put(report, notice)
        lists.append(notice)
        if sum(isinstance(one, Suggestions) for one in lists) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(WatchReport, "put", interrupt)
    assert segue.main([*given, "--fast"]) == 130 and "tune " in page.read_text()


def test_the_title_of_a_page_tells_no_key(catalog: Path, tmp_path: Path) -> None:
    with Catalog.open(catalog, None) as shelf:
        for source, title in (
            ("rtmp://user:word@cam.example/live/KEY", "rtmp://cam.example"), ("films/a b.mp4", "a b.mp4"),
            ("rtsp://user:word@cam.example", "rtsp://cam.example"), ("http://[::1", "a URL"),
        ):  # fmt: skip
            WatchReport(tmp_path / "page.html", source, shelf).save()
            assert f"<h1>{title}</h1>" in (tmp_path / "page.html").read_text()
