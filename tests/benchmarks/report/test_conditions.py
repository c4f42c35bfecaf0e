"""``--fail-if``: what holds, what does not, and what is no condition. Nothing is evaluated."""

from typing import Any

import drawn_reports
import pytest

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row
from benchmarks.report.compare import compare
from benchmarks.report.conditions import parse, reasons


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("p50_ms[stage=decode] > 0.1", True),
        ("p50_ms[stage=decode] > 100", False),
        ("latency:p50_ms[stage=clip tower]>=1e0", True),
        ("search:p50_ms > 0", True),  # there is no such row: a check that checks nothing
        ("p50_ms[stage=decode,nothing=1] < 9", True),
        ("p50_ms<-1", False),
        ("p95_ms != 3", True),
        ("missed", False),
        ("incomplete", False),
    ],
)
def test_figures_and_words(text: str, holds: bool) -> None:
    assert bool(reasons(parse(text), drawn_reports.latency(1), None)) is holds


def test_the_row_is_named() -> None:
    (told,) = reasons(parse("p50_ms[stage=decode] > 0.1"), drawn_reports.latency(1), None)
    assert "latency: stage decode, p50_ms is 0." in told


def test_slower_and_worse_come_from_the_comparison() -> None:
    old, new = drawn_reports.latency(1), drawn_reports.latency(2, {"rank": 1.3})
    assert any("stage rank" in text for text in reasons(parse("slower"), new, compare(old, new)))
    assert not reasons(parse("worse"), new, compare(old, new)) and not reasons(
        parse(" slower "), old, compare(old, old)
    )


def test_what_is_asked_and_missed() -> None:
    def report(ratio: float) -> dict[str, Any]:
        return Report("capacity", [Row("cost_ratio_decode_only", ratio, 3, "ratio")], {}).to_json()

    assert report(1.3)["rows"][0]["asked"] == "<= 1.4"
    assert not reasons(parse("missed"), report(1.3), None)
    assert reasons(parse("missed"), report(1.5), None) == [
        "missed: capacity: cost_ratio_decode_only is 1.5, asked <= 1.4"
    ]


def test_a_run_that_did_not_end() -> None:
    stopped = drawn_reports.latency(1) | {"complete": False, "failure": "stopped"}
    assert reasons(parse("incomplete"), stopped, None) == ["incomplete: stopped"]
    parts = drawn_reports.latency(1) | {"parts": [{"bench": "index", "state": "failed", "failure": "no music"}]}
    assert reasons(parse("incomplete"), parts, None) == ["incomplete: index failed: no music"]


@pytest.mark.parametrize(
    "text",
    [
        "", "p50_ms", "p50_ms >", "> 3", "p50_ms > x", "p50_ms => 3", "slower or worse", "p50_ms > 3 and 1",
        "__import__('os').system('x') > 0", "p50_ms[stage] > 3", "p50_ms[stage=a][stage=b] > 1", "p50_ms > 1e9999",
        "x" * 1000 + " > 1", "p50_ms > 1; 2", "p50_ms[stage=decode > 3",
    ],
)  # fmt: skip
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(BenchError, match="is no condition; give slower, worse, missed, incomplete"):
        parse(text)
