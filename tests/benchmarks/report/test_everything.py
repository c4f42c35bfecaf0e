"""``segue bench all``: one that fails, hangs or lacks a package never stops the others."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import drawn_reports
import pytest

from benchmarks.cli import main
from benchmarks.harness import write_json
from benchmarks.report import everything
from benchmarks.report.everything import Material, Step, call, run_step, steps

MATERIAL = Material(Path("m"), Path("c"), Path("v"))


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Instead of benchmarks, programs that do what their names say."""
    write_json(drawn_reports.latency(1), tmp_path / "made.json")
    copy = f"import shutil, sys; shutil.copy({str(tmp_path / 'made.json')!r}, sys.argv[sys.argv.index('--json') + 1])"
    programs = {
        "good": copy,
        "bad": "import sys; print('segue bench: no music', file=sys.stderr); sys.exit(2)",
        "lacks": "import sys; print('the package httpx is not installed', file=sys.stderr); sys.exit(2)",
        "hangs": "import time; time.sleep(60)",
    }
    for name, text in programs.items():
        (tmp_path / f"{name}.py").write_text(text)
    plain = call

    def instead(command: Any, most_s: float) -> tuple[int | None, str]:
        kind = command[command.index("bench") + 1]
        return plain([sys.executable, str(tmp_path / f"{kind}.py"), *command[command.index("bench") + 2 :]], most_s)

    monkeypatch.setattr(everything, "call", instead)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "state", "why"),
    [("good", "done", ""), ("bad", "failed", "segue bench: no music"), ("lacks", "skipped", "httpx")],
)
def test_what_becomes_of_one(kind: str, state: str, why: str, scripts: Path) -> None:
    document = run_step(Step(kind, lambda _: [], 1, 30), MATERIAL, scripts / "out.json", False)
    (part,) = document["parts"]
    assert part["state"] == state and why in str(part["failure"]) and part["duration_s"] >= 0
    assert bool(document["rows"]) is (kind == "good")


def test_one_that_hangs_is_ended(scripts: Path) -> None:
    (part,) = run_step(Step("hangs", lambda _: [], 1, 0.3), MATERIAL, scripts / "out.json", False)["parts"]
    assert part["state"] == "out of time" and "0.3 s" in part["failure"]


def test_the_others_go_on(scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    mine = [Step(kind, lambda _: [], 1, 30, (1, 30)) for kind in ("bad", "lacks", "good")]
    monkeypatch.setattr(everything, "steps", lambda: mine)
    monkeypatch.setattr(everything, "prepare", lambda *_: MATERIAL)
    monkeypatch.setattr("benchmarks.report.watch.BEFORE_S", 0.01)
    target, html = scripts / "all.json", scripts / "all.html"
    assert main("bench", ["all", "--quick", "--json", str(target), "--html", str(html)]) == 1
    document = json.loads(target.read_text())
    assert [(part["bench"], part["state"]) for part in document["parts"]] == [
        ("bad", "failed"), ("lacks", "skipped"), ("latency", "done"),
    ]  # fmt: skip
    assert (
        document["bench"] == "all" and document["quick"] and {row["bench"] for row in document["rows"]} == {"latency"}
    )
    assert "segue bench: no music" in html.read_text() and "lacks skipped" in capsys.readouterr().out
    assert main("bench", ["all", "--quick", "--only", "good"]) == 0


def test_quick_ones_are_below_five_minutes_in_sum() -> None:
    assert sum(step.quick[0] for step in steps() if step.quick) + 40 <= 300


def test_the_steps_are_benchmarks_with_words_that_they_take() -> None:
    from benchmarks.cli import kinds_of, parser

    known = kinds_of(parser())
    for step in steps():
        options = known[step.kind].parse_args([*step.words(MATERIAL), "--quick", "--json", "x"])
        assert isinstance(options, argparse.Namespace)
