"""What a machine lacks: a skip for who works there, a failure where everything is checked."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import needs
import pytest
from _pytest.outcomes import Failed, Skipped

ASKS: list[Callable[[], Any]] = [
    *(lambda name=name: needs.program(name) for name in needs.PROGRAMS),
    lambda: needs.package(Path("there") / "node_modules" / "axe-core"),
    needs.voices,
]


@pytest.mark.parametrize("ask", ASKS, ids=[*needs.PROGRAMS, "package", "voices"])
@pytest.mark.parametrize(("ci", "outcome"), [("true", Failed), ("", Skipped)])
def test_what_is_missing_fails_ci_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Callable[[], Any], ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(needs, "VOICES", tmp_path / "nowhere")
    with pytest.raises(outcome):
        ask()


def test_the_mark_asks_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(needs, "program", asked.append)
    monkeypatch.setattr(needs, "package", asked.append)
    needs.all_of([pytest.mark.needs("ffmpeg", Path("one")).mark, pytest.mark.needs("node").mark])
    assert asked == ["ffmpeg", Path("one"), "node"]


@pytest.mark.needs("Chromium")
@pytest.mark.needs("ffmpeg")
def test_the_mark_stands_before_the_test() -> None:
    assert needs.program("Chromium") and needs.program("ffmpeg")


def test_no_test_asks_for_them_in_a_way_of_its_own() -> None:
    own = re.compile(r"which\(\W*(ffmpeg|node|chromium)|which, CHROMIUM|/librivox")
    found = [
        path.name
        for path in Path(__file__).parent.rglob("*.py")
        if "node_modules" not in path.parts and path.name not in ("needs.py", "test_needs.py")
        if own.search(path.read_text())
    ]
    assert found == []
