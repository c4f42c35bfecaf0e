"""The soak: its slope beside numpy's, and a short one whose publishers all leave."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.soak import Sample, SoakOptions, measure, second_half, slope


def sample(at_s: float, memory_mb: float = 100.0) -> Sample:
    return Sample(at_s, memory_mb, 10, 3, 2, 4, 1, 0, 0.0)


@given(
    st.integers(0, 2**32 - 1), st.floats(-500, 500), st.floats(0.01, 20), st.integers(5, 40)
)  # a line, noise about it, minutes
def test_the_slope_is_that_of_least_squares_through_the_minutes_means(
    seed: int, per_hour: float, noise: float, minutes: int
) -> None:
    times_s = np.arange(0.0, 60.0 * minutes + 1, 5.0)
    values = 300 + per_hour * times_s / 3600 + np.random.default_rng(seed).normal(0, noise, len(times_s))
    hours = [part.mean() / 3600 for part in np.array_split(times_s, minutes)]
    means = [part.mean() for part in np.array_split(values, minutes)]
    (expected, _), covariance = np.polyfit(hours, means, 1, cov=True)
    found = slope(times_s.tolist(), values.tolist())
    assert found is not None and found.blocks == minutes
    assert found.per_hour == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert found.error == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-6, abs=1e-6)


def test_too_short_a_time_has_no_slope() -> None:
    assert slope([], []) is None
    assert slope([0.0], [1.0]) is None
    assert slope([5.0 * n for n in range(47)], [1.0] * 47) is None  # 230 s: three blocks
    steady = slope([5.0 * n for n in range(49)], [1.0] * 49)
    assert steady is not None
    assert (steady.per_hour, steady.error) == pytest.approx((0, 0), abs=1e-9)


def test_the_second_half_is_by_time() -> None:
    samples = [sample(at_s) for at_s in (0.0, 1.0, 2.0, 8.0, 10.0)]
    assert [one.at_s for one in second_half(samples)] == [8.0, 10.0]


def test_a_time_or_a_count_that_measures_nothing_is_refused(tmp_path: Path) -> None:
    for options in (SoakOptions(minutes=0), SoakOptions(minutes=math.nan), SoakOptions(sessions=0)):
        with pytest.raises(BenchError, match="measure nothing"):
            measure(tmp_path, options, lambda _: None)


def test_a_short_soak_leaves_no_session_and_no_socket_behind(catalogue: Path, tiny_bundle: Path) -> None:
    options = SoakOptions(minutes=0.15, sessions=3, idle_s=2.0, grace_s=1.0, bundle=tiny_bundle)
    report = json.loads(json.dumps(measure(catalogue, options, lambda _: None).to_json()))
    assert report["bench"] == "soak" and report["env"]["sessions"] == 3
    rows = {(row["metric"], row.get("at", row.get("by", ""))): row for row in report["rows"] if "minute" not in row}
    assert rows["streams", "load"]["value"] == rows["opened", "server"]["value"] == 3
    assert rows["deleted", "load"]["value"] + rows["vanished", "load"]["value"] == 3
    assert rows["refused", "load"]["value"] == rows["failed", "load"]["value"] == 0
    assert rows["zombie_sessions", ""]["value"] == 0 and rows["ended", "server"]["value"] == 3
    assert rows["sockets", "end"]["value"] <= rows["sockets", "start"]["value"] + 1  # the one that asks
    assert rows["clip_files", "end"]["value"] > 0 == rows["clip_files", "start"]["value"]
    assert rows["other_descriptors", "end"]["value"] <= rows["other_descriptors", "start"]["value"] + 1
    assert rows["suggestions_served", ""]["value"] >= rows["suggestions_served", ""]["seen_by_viewers"] > 0


def test_a_file_that_cannot_be_written_is_refused_before_the_work(catalogue: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="folder does not exist"):
        main("bench", ["soak", "-c", str(catalogue), "--json", str(tmp_path / "none" / "soak.json")])
