"""What is counted and timed: totals by property, a scrape with real media by value."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from stream.core.events import End, Suggestions
from stream.driver.live import LiveStats
from stream.server.access import AccessOptions
from stream.server.metrics import OTHER, STAGES, SUMMED, Metrics

CLIENT = Path(__file__).with_name("publisher.py")
SDP = {"content-type": "application/sdp"}


@dataclass(eq=False)
class FakeLive:
    stats: LiveStats = field(default_factory=LiveStats)


def samples(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every series of a scrape, by name and labels."""
    families = text_string_to_metric_families(httpx.get(f"{url}metrics", timeout=10).text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def plain(found: dict[Any, float], name: str) -> float:
    return found[name, ()]


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([*SUMMED, "end"]), st.integers(1, 9)), max_size=60))
def test_totals_are_what_was_counted_whichever_sessions_have_ended(steps: list[tuple[int, str, int]]) -> None:
    metrics = Metrics()
    running = [FakeLive() for _ in range(5)]
    expected = dict.fromkeys(SUMMED, 0)
    for number, what, amount in steps:
        live: Any = running[number]
        if what == "end":
            for _ in range(amount):  # told once or often, it is counted once
                metrics.end_session(live)
            assert metrics.totals(running) == expected  # type: ignore[arg-type]  # ended, and still in the hub's list
            running[number] = FakeLive()
        else:
            setattr(live.stats, what, getattr(live.stats, what) + amount)
            expected[what] += amount
        assert metrics.totals(running) == expected  # type: ignore[arg-type]


def test_a_stage_nobody_knows_makes_no_series_of_its_own() -> None:
    metrics = Metrics()
    for number in range(100):
        metrics.probe(f"stage {number}", 0.001)
    assert metrics.registry.get_sample_value("segue_stage_seconds_count", {"stage": OTHER}) == 100
    (family,) = [each for each in metrics.registry.collect() if each.name == "segue_stage_seconds"]
    assert {sample.labels["stage"] for sample in family.samples} == {*STAGES, OTHER}


def test_freshness_is_taken_from_suggestions_that_have_one() -> None:
    metrics = Metrics()
    sink = metrics.sink(FakeLive())  # type: ignore[arg-type]
    for late_ms in (20.0, 40.0, None):
        sink.put(Suggestions(1.0, 1.0, "stay", (), late_ms))
    sink.put(End(0, 0, 0, 0))
    assert metrics.registry.get_sample_value("segue_freshness_seconds_count") == 2
    assert metrics.registry.get_sample_value("segue_freshness_seconds_sum") == pytest.approx(0.06)
    assert metrics.registry.get_sample_value("segue_freshness_seconds_bucket", {"le": "0.02"}) == 1


def test_each_server_counts_for_itself(serving: Callable[..., Any], offer: str) -> None:
    with serving() as one, serving() as other:
        assert httpx.post(f"{one.url}whip", content=offer, headers=SDP).status_code == 201
        assert httpx.post(f"{one.url}whip", content="no", headers=SDP).status_code == 400
        first, second = samples(one.url), samples(other.url)
        assert plain(first, "segue_sessions") == 1 and plain(second, "segue_sessions") == 0
        assert first["segue_hub_events_total", (("event", "opened"),)] == 1
        assert first["segue_hub_events_total", (("event", "refused_offers"),)] == 1
        assert second["segue_hub_events_total", (("event", "opened"),)] == 0
        facts = next(dict(labels) for name, labels in first if name == "segue_engine_info")
        assert facts["engine"].endswith("-batched") and len(facts["bundle"]) == 64


def test_figures_are_for_who_may_view_and_health_is_for_all(serving: Callable[..., Any]) -> None:
    with serving(access=AccessOptions(publish="p" * 16, view="v" * 16)) as running:
        assert httpx.get(f"{running.url}metrics").status_code == 401
        told = {"authorization": "Bearer " + "v" * 16}
        assert httpx.get(f"{running.url}metrics", headers=told).status_code == 200
        assert httpx.get(f"{running.url}healthz").status_code == 200
        assert httpx.get(f"{running.url}readyz").status_code == 200


def test_the_same_in_openmetrics(server: Any) -> None:
    answer = httpx.get(f"{server.url}metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(answer.text)}
    assert {
        "segue_frames_received",
        "segue_freshness_seconds",
        "segue_queue_depth",
        "segue_engine",
        "segue_search",
    } <= names


@pytest.mark.skipif("whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer")
def test_a_stream_is_counted_while_it_runs_and_after_it_has_ended(serving: Callable[..., Any], tmp_path: Path) -> None:
    with serving() as running:
        command = [sys.executable, str(CLIENT), f"{running.url}whip?label=SECRETLABEL", "4", str(tmp_path)]
        client = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            deadline = time.monotonic() + 40
            before: dict[Any, float] = {}
            while client.poll() is None and time.monotonic() < deadline:
                now = samples(running.url)
                for series, value in before.items():
                    if series[0].startswith("segue_") and series[0].endswith(("_total", "_count", "_bucket", "_sum")):
                        assert now[series] >= value, series
                before = now
                time.sleep(0.1)
            _, errors = client.communicate(timeout=20)
            assert client.returncode == 0, errors.decode()
            while running.hub.sessions and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            client.kill()
        after = samples(running.url)
        assert plain(after, "segue_sessions") == 0
        assert plain(after, "segue_frames_received_total") >= plain(before, "segue_frames_received_total") >= 50
        looked_at = plain(after, "segue_frames_sampled_total")
        assert 16 <= looked_at <= plain(after, "segue_frames_received_total")
        assert after["segue_stage_seconds_count", (("stage", "convert"),)] == looked_at
        assert plain(after, "segue_suggestions_total") >= 2
        assert plain(after, "segue_freshness_seconds_count") >= 2
        assert after["segue_stage_seconds_count", (("stage", "search"),)] >= 2
        assert plain(after, "segue_engine_requests_total") >= 4
        text = httpx.get(f"{running.url}metrics").text
        assert "SECRETLABEL" not in text
