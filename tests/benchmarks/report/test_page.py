"""The page: whole in itself, with the plots that its rows allow, also of a run that was stopped."""

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import drawn_reports
import pytest

from benchmarks.harness import Report, Row
from benchmarks.report.compare import compare
from benchmarks.report.page import page
from benchmarks.report.plots import plots
from benchmarks.report.reading import join
from benchmarks.report.svg import Bar, Series, bars, chart, log_ticks, ticks

VOID = {"meta", "br", "hr"}


class Whole(HTMLParser):
    """Fails at a tag that is closed in the wrong order; collects what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Whole:
    found = Whole()
    found.feed(text)
    found.close()
    assert not found.open
    return found


def capacity() -> dict[str, Any]:
    rows = [
        Row("cost_cpu_s", cost, 3, "s/s", {"server": server, "sessions": 1, "least": cost * 0.9, "most": cost * 1.1})
        for server, cost in (("decode-only", 0.08), ("segue", 0.11))
    ]
    rows += [
        Row(f"freshness_p{p}_ms", 10.0 * sessions, 100 * sessions, "ms", {"server": "segue", "sessions": sessions})
        for sessions in (1, 5, 10)
        for p in (50, 95, 99)
    ]
    return Report("capacity", rows, {}).to_json()


def engines() -> dict[str, Any]:
    labels = {"graph": "clip", "engine": "onnx-cuda", "precision": "float16", "batch": 8}
    return Report(
        "engines", [Row(m, 0.4, 600, "ms", labels) for m in ("p50_ms", "device_p50_ms", "kernels_ms")], {}
    ).to_json()


def test_every_plot_that_is_promised() -> None:
    whole = join([drawn_reports.latency(1), drawn_reports.search(1), capacity(), engines()])
    titles = [plot.title for plot in plots(whole)]
    assert titles == [
        "Stages of the path", "Latency, cumulative", "Sessions against lateness (p99 or p95)",
        "Recall against latency", "Cost beside decode-only", "GPU: by the clock", "GPU: on the device", "GPU: kernels",
    ]  # fmt: skip
    text = page(whole)
    assert text.count("<svg") == len(titles) and "x1.38" in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(svg)


def test_it_fetches_nothing_and_runs_nothing() -> None:
    found = parsed(page(join([drawn_reports.latency(1), capacity()]), compare(capacity(), capacity())))
    assert not found.fetched and not found.tags & {"script", "link", "iframe", "img", "object", "embed", "base"}
    text = page(drawn_reports.latency(1))
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    assert not re.search(r"url\(|@import|https?:", text)


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", '" onload="x', "a & b", "]]>"])
def test_text_stays_text(bad: str) -> None:
    rows = [Row("p50_ms", 1.0, 9, "ms", {"stage": bad}), Row("cost_cpu_s", 1.0, 1, "s/s", {"server": bad})]
    document = Report("latency", rows, {"note": bad}).to_json() | {"failure": bad, "complete": False}
    found = parsed(page(document))
    assert ("script" not in found.tags and bad not in page(document).replace("a & b", "", 0)) or bad in ("]]>",)


def test_a_run_that_was_stopped_opens_with_what_it_had() -> None:
    document = drawn_reports.latency(1)
    document |= {"rows": document["rows"][:2], "curves": [], "complete": False, "failure": "stopped", "load": {}}
    text = page(document)
    parsed(text)
    assert "This run did not end:" in text and "stopped" in text and "stage decode" in text
    parsed(page({"v": 1, "bench": "index", "rows": [], "complete": False, "failure": ""}))


def test_values_that_are_none() -> None:
    document = Report("x", [Row("a_ms", float("nan"), 1, "ms")], {}).to_json()
    assert "unknown" in page(document)


def test_a_comparison_is_shown() -> None:
    old, new = drawn_reports.latency(1), drawn_reports.latency(2, {"flow": 1.5})
    text = page(new, compare(old, new))
    parsed(text)
    assert "Against the old report" in text and re.search(r'class="bad">slower', text)


def test_ticks_are_round() -> None:
    assert ticks(0.0, 100.0) == [0, 20, 40, 60, 80, 100]
    assert ticks(0.0, 0.7)[1] == pytest.approx(0.2) and len(ticks(3.0, 3.001)) > 2
    assert log_ticks(0.09, 12.0) == pytest.approx([0.1, 0.2, 0.5, 1, 2, 5, 10])


@pytest.mark.parametrize(
    "points", [[(1.0, 1.0)], [(0.0, 0.0), (0.0, 0.0)], [(1e-9, 1e9), (1e9, 1e-9)], [(5.0, -3.0), (6.0, 2.0)]]
)
def test_odd_points_still_give_a_plot(points: list[tuple[float, float]]) -> None:
    for log in (False, True):
        ElementTree.fromstring(chart([Series("x", points)], "x", "y", log_x=log, log_y=log))


def test_no_points_no_plot() -> None:
    assert chart([], "x", "y") == "" and bars([], "ms") == ""
    ElementTree.fromstring(bars([Bar("nothing", 0.0)], "ms"))
