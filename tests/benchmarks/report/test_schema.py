"""Reports are as ``schema.json`` says; the schema refuses what it does not know."""

import json
from pathlib import Path
from typing import Any

import drawn_reports
import pytest
from jsonschema import Draft202012Validator, ValidationError

from benchmarks.harness import Report, Row
from benchmarks.report import options
from benchmarks.report.reading import join

SCHEMA = json.loads(Path(options.__file__).with_name("schema.json").read_text())
RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


def check(document: Any) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(document, allow_nan=False)))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_reports_follow_it() -> None:
    check(drawn_reports.latency(1))
    check(drawn_reports.search(1))
    check(join([drawn_reports.latency(1), drawn_reports.search(1)]))
    odd = [Row("x_ms", float("inf"), 0, "ms"), Row("y", 1.0, 1, "", {"reason": "none", "seconds": 1.5, "of": 3})]
    check(Report("x", odd, {"a": 1, "b": "c"}).to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"v": 3}, {"date": "yesterday"}, {"complete": "yes"}, {"rows": [{"metric": "a"}]}, {"load": {"other": 1}},
        {"rows": [{"bench": "x", "metric": "a", "value": "1", "n": 1, "unit": ""}]}, {"machine": {}},
        {"rows": [{"bench": "x", "metric": "a", "value": 1, "n": 1, "unit": "", "asked": "soon"}]},
    ],
)  # fmt: skip
def test_what_does_not(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(drawn_reports.latency(1) | change)


def test_committed_reports_follow_it_and_name_no_folder() -> None:
    for path in RESULTS.glob("*.json"):
        text = path.read_text()
        check(json.loads(text))
        assert "/" not in "".join(map(str, json.loads(text)["arguments"].values())), path.name
        assert "/home/" not in text and "/tmp/" not in text and "/work/" not in text, path.name
