"""The harness: percentiles by value, rows as the report promises them, a report that says where it was made."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import Report, Row, environment, percentile_rows, print_percentiles


def test_percentiles_of_known_samples() -> None:
    rows = percentile_rows([v / 5 for v in range(501)], stage="decode")
    assert [(r.metric, r.value, r.n) for r in rows] == [
        ("p50_ms", 50.0, 501),
        ("p95_ms", 95.0, 501),
        ("p99_ms", 99.0, 501),
    ]
    assert all(r.labels == {"stage": "decode"} and r.unit == "ms" for r in rows)


def test_a_stage_that_never_ran_has_no_row() -> None:
    assert percentile_rows([], stage="matcher") == []


def test_a_row_is_flat() -> None:
    row = Row("p95_ms", 7.912344321, 1200, "ms", {"stage": "end_to_end", "sessions": 1})
    assert row.to_json() == {
        "stage": "end_to_end",
        "sessions": 1,
        "metric": "p95_ms",
        "value": 7.91234,
        "n": 1200,
        "unit": "ms",
    }


def test_small_figures_keep_their_digits() -> None:
    assert Row("difference", 3.8146973e-06, 5, "", {}).to_json()["value"] == 3.8147e-06


def test_a_report_is_written_with_its_environment(tmp_path: Path) -> None:
    target = tmp_path / "latency.json"
    Report("latency", percentile_rows([1.0, 2.0], stage="flow"), {"source": "a.mp4"}).write(target)
    read = json.loads(target.read_text())
    assert (read["v"], read["bench"], read["env"]["source"]) == (1, "latency", "a.mp4")
    assert read["env"]["cores"] >= 1 and read["env"]["python"] == environment()["python"]
    assert {row["metric"] for row in read["rows"]} == {"p50_ms"}  # two samples have no other percentile


def test_the_table_shows_each_stage_once(capsys: pytest.CaptureFixture[str]) -> None:
    rows = percentile_rows([1.0, 3.0], stage="flow") + percentile_rows([5.0], stage="search")
    print_percentiles(rows, "stage", Console(width=80), "latency")
    shown = capsys.readouterr().out
    assert shown.count("flow") == 1 and "2.00" in shown and "5.00" in shown
