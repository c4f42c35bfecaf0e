"""A planted slowdown and a planted loss are found and named; two runs of one thing agree; what cannot be compared is
told."""

from functools import cache
from itertools import pairwise
from typing import Any

import drawn_reports
import pytest
from rich.console import Console

from benchmarks.harness import Report, Row
from benchmarks.report.compare import SAME, compare, show_comparison
from benchmarks.report.interval import of_turns

drawn = cache(drawn_reports.latency)


@pytest.mark.parametrize("stage", ["decode", "clip tower", "search", "end to end"])
def test_a_stage_that_is_a_fifth_slower_is_found_and_named(stage: str) -> None:
    """Nine times of ten at least, though runs differ by themselves; another stage is named once at most."""
    found, others = 0, 0
    for seed in range(10):
        slower = compare(drawn(seed), drawn_reports.latency(100 + seed, {stage: 1.2})).of("slower")
        named = {verdict.labels["stage"] for verdict in slower}
        found, others = found + (stage in named), others + bool(named - {stage})
        for verdict in slower:
            assert f"stage {verdict.labels['stage']} {verdict.metric} slower: " in verdict.text
    assert found >= 9 and others <= 1


def test_runs_of_one_commit_agree_nine_times_of_ten() -> None:
    reports = [drawn(seed) for seed in range(11)]
    verdicts = [[v for v in compare(*pair).verdicts if v.word != SAME and not v.perhaps] for pair in pairwise(reports)]
    assert sum(map(bool, verdicts)) <= 1


def test_what_became_faster_is_no_failure() -> None:
    comparison = compare(drawn_reports.latency(1), drawn_reports.latency(2, {"search": 0.7}))
    assert {verdict.labels["stage"] for verdict in comparison.of("faster")} == {"search"} and not comparison.of(
        "slower"
    )


def test_a_lost_hundredth_of_recall_is_found_and_named() -> None:
    for seed in range(5):
        worse = compare(drawn_reports.search(seed), drawn_reports.search(50 + seed, {"compact": 0.02})).of("worse")
        assert [(verdict.metric, verdict.labels["way"]) for verdict in worse] == [("recall", "compact")]
        assert not compare(drawn_reports.search(seed), drawn_reports.search(50 + seed)).of("worse")


def rows(value: float, unit: str, metric: str, **labels: Any) -> dict[str, Any]:
    return Report("x", [Row(metric, value, 1, unit, labels)], {}).to_json()


def test_exact_search_that_misses_one_in_a_hundred() -> None:
    """All queries alike: an interval without width."""
    old = Report("search", [Row("recall", 1.0, 16, "", {"way": "flat"}, (1.0, 1.0))], {}).to_json()
    new = Report("search", [Row("recall", 0.99, 16, "", {"way": "flat"}, (0.99, 0.99))], {}).to_json()
    assert [verdict.word for verdict in compare(old, new).verdicts] == ["worse"]


def test_a_figure_measured_once_is_at_most_perhaps_and_a_count_is_exact() -> None:
    assert compare(rows(1.0, "ms", "took_ms"), rows(1.4, "ms", "took_ms")).verdicts[0].word == SAME
    changed = compare(rows(1.0, "ms", "took_ms"), rows(9.0, "ms", "took_ms"))
    assert changed.verdicts[0].word == "slower" and changed.verdicts[0].perhaps and not changed.of("slower")
    assert compare(rows(0, "sessions", "zombie_sessions"), rows(1, "sessions", "zombie_sessions")).of("worse")
    assert compare(rows(16.0, "bytes", "bytes_per_segment"), rows(17.0, "bytes", "bytes_per_segment")).of("worse")


def test_a_figure_that_is_neither_good_nor_bad_only_changes() -> None:
    assert compare(rows(1.0, "grey levels", "warmth"), rows(9.0, "grey levels", "warmth")).verdicts[0].word == "changed"


def test_what_tells_of_the_result_is_no_part_of_a_row_s_name() -> None:
    turns = [0.1, 0.12, 0.11]
    old = Report("x", [Row("cost_cpu_s", 0.11, 3, "s/s", {"least": 0.1, "most": 0.12}, of_turns(turns))], {}).to_json()
    new = Report("x", [Row("cost_cpu_s", 0.11, 3, "s/s", {"least": 0.09, "most": 0.13}, of_turns(turns))], {}).to_json()
    assert [verdict.word for verdict in compare(old, new).verdicts] == [SAME]


def test_among_many_rows_one_that_is_just_outside_is_perhaps() -> None:
    def report(value: float) -> dict[str, Any]:
        values = [value, *[1.0] * 59]
        cells = [Row("p50_ms", v, 9, "ms", {"at": at}, (v - 0.05, v + 0.05)) for at, v in enumerate(values)]
        return Report("x", cells, {}).to_json()

    verdict = next(v for v in compare(report(1.0), report(1.1)).verdicts if v.word == "slower")
    assert verdict.perhaps and "perhaps slower" in verdict.text
    assert not compare(report(1.0), report(1.1)).of("slower") and compare(report(1.0), report(1.4)).of("slower")


def test_other_machines_are_compared_and_told() -> None:
    old, new = drawn_reports.latency(1), drawn_reports.latency(2)
    old["machine"] = old["machine"] | {"cpu": "Another CPU", "cores": 64}
    old["versions"] = old["versions"] | {"numpy": "2.0.0"}
    comparison = compare(old, new)
    assert len(comparison.verdicts) == len(new["rows"])
    assert any("other machines: Another CPU, 64 cores" in text for text in comparison.warnings)
    assert any("numpy 2.0.0 ->" in text for text in comparison.warnings)


def test_quick_stopped_and_busy_runs_are_told() -> None:
    old, new = drawn_reports.latency(1), drawn_reports.latency(2)
    old |= {"quick": True, "arguments": {"seconds": 15.0}}
    new |= {"complete": False, "failure": "stopped", "arguments": {"seconds": 60.0}, "load": {"during_cores": 1.5}}
    told = " ".join(compare(old, new).warnings)
    assert "quick" in told and "did not end (stopped)" in told and "other arguments: seconds" in told and "1.5" in told


def test_rows_of_one_report_alone_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = compare(drawn_reports.latency(1), drawn_reports.search(1))
    assert not comparison.verdicts and comparison.gone and comparison.added
    show_comparison(compare(drawn_reports.latency(1), drawn_reports.latency(2, {"flow": 2.0})), Console(width=120))
    shown = capsys.readouterr().out
    assert "flow" in shown and "slower" in shown and "0 rows are gone" in shown
