"""The doctor finds by trying: what it calls broken makes the command end with 2."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream import doctor
from stream.doctor import Finding


def test_each_check_finds_something_and_names_the_state() -> None:
    for check in doctor.CHECKS:
        findings = list(check())
        assert findings, check.__name__
        assert {finding.state for finding in findings} <= {"ok", "absent", "broken"}


def test_the_engine_check_runs_the_bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.bundle.default_bundle", lambda: tiny_bundle)
    first = next(iter(doctor.engine()))
    assert first.state == "ok" and "a video clip in" in first.text


def test_a_damaged_bundle_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.json").write_text("{")
    monkeypatch.setattr("engines.bundle.default_bundle", lambda: tmp_path)
    (finding,) = doctor.engine()
    assert finding.state == "broken" and "manifest.json" in finding.text


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("absent", 0), ("broken", 2)])
def test_only_what_is_broken_fails(
    state: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check() -> Iterator[Finding]:
        yield Finding("lamp", state, "because")

    monkeypatch.setattr(doctor, "CHECKS", (check,))
    assert doctor.main(["--json"]) == code
    assert json.loads(capsys.readouterr().out) == {"part": "lamp", "state": state, "text": "because"}
