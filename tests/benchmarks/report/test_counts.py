"""No percentile below its count, whatever it is called and wherever it comes from."""

import pytest

from benchmarks.harness import Report, Row, percentile_rows
from benchmarks.report.counts import enough, needed, percent_of


@pytest.mark.parametrize(
    ("percent", "count"), [(50, 1), (95, 100), (99, 500), (90, 50), (5, 100), (1, 500), (99.9, 5000)]
)
def test_five_samples_beyond_a_percentile(percent: float, count: int) -> None:
    assert needed(percent) == count


@pytest.mark.parametrize(
    ("metric", "percent"),
    [
        ("p99_ms", 99.0), ("freshness_p95_ms", 95.0), ("picture_psnr_p5", 5.0), ("hop_p99_ms", 99.0),
        ("p99.9_ms", 99.9), ("p50_ms", 50.0), ("top5", None), ("map", None), ("peak_mb", None), ("mp3_ms", None),
        ("speedup_flat", None),
    ],
)  # fmt: skip
def test_percentiles_are_known_by_their_names(metric: str, percent: float | None) -> None:
    assert percent_of(metric) == percent


def test_rows_of_too_few_samples_are_left_out_of_every_report() -> None:
    rows = [Row("p99_ms", 3.0, 499, "ms"), Row("p99_ms", 3.0, 500, "ms"), Row("late_p95_ms", 2.0, 99, "ms")]
    assert [row.n for row in enough(rows)] == [500]
    assert [row.n for row in Report("x", rows, {}).rows] == [500]
    assert [row["n"] for row in Report("x", rows, {}).to_json()["rows"]] == [500]


@pytest.mark.parametrize(("count", "metrics"), [(99, 1), (100, 2), (499, 2), (500, 3)])
def test_as_many_percentiles_as_samples_allow(count: int, metrics: int) -> None:
    assert len(percentile_rows([1.0] * count, stage="x")) == metrics
