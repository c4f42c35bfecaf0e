"""Reports as files: this version's, the earlier one's, and what is none."""

import json
from pathlib import Path

import drawn_reports
import pytest

from benchmarks.errors import BenchError
from benchmarks.harness import write_json
from benchmarks.report.compare import compare
from benchmarks.report.page import page
from benchmarks.report.reading import join, read


def test_what_was_written_is_read(tmp_path: Path) -> None:
    document = drawn_reports.latency(1)
    write_json(document, tmp_path / "a.json")
    assert read(tmp_path / "a.json") == document | {"parts": []}


def test_a_report_of_before_is_compared_and_shown(tmp_path: Path) -> None:
    """Without date, machine, intervals and the rows' benchmark."""
    old = {
        "v": 1, "bench": "latency", "commit": "abc", "env": {"cpu": "A CPU", "cores": 2},
        "rows": [{"stage": "decode", "metric": "p50_ms", "value": 0.3, "n": 100, "unit": "ms"}],
    }  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(old))
    document = read(tmp_path / "old.json")
    assert [verdict.labels for verdict in compare(document, drawn_reports.latency(1)).verdicts] == [{"stage": "decode"}]
    assert "stage decode" in page(document) and "A CPU, 2 cores" in page(document)


def test_several_are_joined() -> None:
    whole = join([drawn_reports.latency(1), drawn_reports.search(1) | {"complete": False, "failure": "stopped"}])
    assert whole["bench"] == "all" and {row["bench"] for row in whole["rows"]} == {"latency", "search"}
    assert [(part["bench"], part["state"]) for part in whole["parts"]] == [("latency", "done"), ("search", "failed")]
    assert not whole["complete"] and whole["failure"] == "stopped"
    assert join([drawn_reports.latency(1)])["bench"] == "latency"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 2, "rows": []}', '{"v": 1}', '{"v": 1, "rows": 3}', "\x00"])
def test_what_is_no_report(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"x\.json: (cannot be read as a report|is no report)"):
        read(path)
    with pytest.raises(BenchError, match="cannot be read as a report"):
        read(tmp_path / "none.json")


def test_rows_that_are_none_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"v": 1, "bench": "x", "rows": [3, {}, {"metric": "a"}, {"metric": "a", "value": 1}]}')
    assert read(path)["rows"] == [{"bench": "x", "metric": "a", "value": 1}]
