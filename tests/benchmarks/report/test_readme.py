"""The README's table of latencies is what the report says that it names."""

from pathlib import Path

import drawn_reports
import pytest

from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.harness import write_json
from benchmarks.report.counts import needed
from benchmarks.report.reading import read
from benchmarks.report.readme import marked, put, table

ROOT = Path(__file__).parents[3]
MARKS = "a\n<!-- latency: from x.json by segue bench readme -->\nold\n<!-- latency: end -->\nb\n"


def test_the_readme_s_table_is_the_report_s() -> None:
    report, shown = marked((ROOT / "README.md").read_text(encoding="utf-8"))
    document = read(ROOT / report)
    assert shown == table(document)
    assert document["complete"] and not document["quick"] and not document["commit"].endswith("unknown")


def test_no_percentile_that_the_report_does_not_have() -> None:
    document = drawn_reports.latency(1, hops=120)
    lines = table(document).splitlines()
    assert needed(99) > 120 and lines[2] == "| decode a frame | 0.3 ms | 0.4 ms |  | 120 |"
    assert "14 ms**" in lines[-3] and "cores" in lines[0] and document["date"][:10] in lines[-1]


def test_into_a_file(tmp_path: Path) -> None:
    write_json(drawn_reports.latency(1), tmp_path / "r.json")
    (tmp_path / "R.md").write_text(MARKS)
    assert main("bench", ["readme", str(tmp_path / "r.json"), "--into", str(tmp_path / "R.md")]) == 0
    text = (tmp_path / "R.md").read_text()
    assert text.startswith("a\n<!-- latency: from ") and text.endswith("<!-- latency: end -->\nb\n")
    assert marked(text)[1] == table(drawn_reports.latency(1)) and "old" not in text
    assert put(text, "x\n", "y.json").count("latency: from y.json") == 1


@pytest.mark.parametrize("text", ["", "<!-- latency: end -->", MARKS.replace("end", "stop")])
def test_without_its_place(text: str) -> None:
    with pytest.raises(BenchError, match="has no place for the table"):
        marked(text)


def test_another_benchmark_s_report() -> None:
    with pytest.raises(BenchError, match="no latencies by stage"):
        table(drawn_reports.search(1))
