"""``segue bench KIND`` writes, compares and judges, and a run that is stopped leaves what it had."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawn_reports
import pytest

from benchmarks import cli
from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row, write_json
from benchmarks.report.run import Run, arguments, publish, run_of, shown


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """``segue bench soak`` replaced by a function that a test chooses."""
    chosen: dict[str, Any] = {"rows": [Row("took_ms", 1.0, 600, "ms", {}, (0.99, 1.01))]}

    def soak(options: argparse.Namespace) -> int:
        run = run_of(options)
        rows = run.keep(iter(chosen["rows"]))
        if "raises" in chosen:
            raise chosen["raises"]
        return publish(options, Report("soak", rows, {"sessions": 8}))

    monkeypatch.setitem(cli.OWN, "soak", soak)
    monkeypatch.setattr("benchmarks.report.watch.BEFORE_S", 0.01)
    yield chosen


def test_everything_at_once(kind: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, html = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "new.html"
    assert main("bench", ["soak", "-c", str(tmp_path), "--json", str(old)]) == 0
    kind["rows"] = [Row("took_ms", 1.2, 600, "ms", {}, (1.19, 1.21))]
    words = ["soak", "-c", str(tmp_path), "--json", str(new), "--html", str(html), "--compare", str(old)]
    assert main("bench", [*words, "--fail-if", "slower"]) == 1
    told = capsys.readouterr().err
    assert "soak: took_ms" in told and "slower" in told and "--fail-if slower: soak: took_ms slower: 1 -> 1.2" in told
    assert main("bench", [*words, "--fail-if", "took_ms > 2", "--fail-if", "worse"]) == 0
    document = json.loads(new.read_text())
    assert document["complete"] and document["arguments"]["catalog"] == tmp_path.name
    assert "Against the old report" in html.read_text()


@pytest.mark.parametrize(
    ("error", "text"),
    [(KeyboardInterrupt(), "stopped"), (SystemExit(143), "stopped"), (BenchError("/a/b/c: is none"), "c: is none")],
)
def test_a_run_that_does_not_end(error: BaseException, text: str, kind: dict[str, Any], tmp_path: Path) -> None:
    kind["raises"] = error
    path, html = tmp_path / "a.json", tmp_path / "a.html"
    with pytest.raises(type(error)):
        main("bench", ["soak", "-c", str(tmp_path), "--json", str(path), "--html", str(html)])
    document = json.loads(path.read_text())
    assert not document["complete"] and document["failure"].startswith(text)
    assert [row["metric"] for row in document["rows"]] == ["took_ms"]
    assert "This run did not end:" in html.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--html", "nowhere/a.html"], "its folder does not exist"),
        (["--compare", "none.json"], "cannot be read as a report"),
        (["--fail-if", "slower"], "add --compare OLD.json"),
        (["--fail-if", "slow"], "is no condition"),
    ],
)
def test_what_cannot_work_is_told_before_the_work(
    words: list[str], told: str, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    kind["raises"] = AssertionError("it began")
    with pytest.raises(BenchError, match=told):
        main("bench", ["soak", "-c", "x", *words])


def test_reports_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, document in (("a", drawn_reports.latency(1)), ("b", drawn_reports.search(1))):
        write_json(document, tmp_path / f"{name}.json")
    words = ["show", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--html", str(tmp_path / "whole.html")]
    assert main("bench", [*words, "--json", str(tmp_path / "whole.json")]) == 0
    assert "clip tower" in capsys.readouterr().out and (tmp_path / "whole.html").read_text().count("<svg") == 3
    assert json.loads((tmp_path / "whole.json").read_text())["bench"] == "all"
    assert main("bench", ["show", str(tmp_path / "a.json"), "--fail-if", "p50_ms[stage=decode] > 0"]) == 1


def test_arguments_name_no_folder() -> None:
    options = argparse.Namespace(
        source="/home/me/a.mp4", catalog=Path("/srv/x.catalogue"), seconds=3.0, only=["a"], none=None,
        index="postgresql://me:secret@host/db", json=Path("/x"), run=None, kind="latency", videos=[Path("/a/b.mp4")],
    )  # fmt: skip
    assert arguments(options) == {
        "source": "a.mp4", "catalog": "x.catalogue", "seconds": 3.0, "only": ["a"], "index": "postgresql://...",
        "videos": ["b.mp4"],
    }  # fmt: skip
    assert shown("/work/a/b.mp4: cannot be read\nmore") == "b.mp4: cannot be read"


def test_rows_are_kept_as_they_come() -> None:
    run = Run(argparse.Namespace(kind="x"))

    def rows() -> Iterator[Row]:
        yield Row("a", 1.0, 1, "")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.keep(rows())
    assert [row.metric for row in run.kept] == ["a"]
