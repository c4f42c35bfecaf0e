"""``--fail-if EXPR``: when a run counts as failed. Nothing in it is ever evaluated as a program.

    EXPR  = "slower" | "worse" | "missed" | "incomplete" | FIGURE OP NUMBER
    FIGURE = [BENCH ":"] METRIC ["[" LABEL "=" VALUE {"," LABEL "=" VALUE} "]"]
    OP    = "<" | "<=" | ">" | ">=" | "==" | "!="

``slower`` and ``worse`` are verdicts of ``--compare``; ``missed``: a row is not as it is asked to be; ``incomplete``:
the run, or a part of it, did not end. A figure that no row has fails as well: a check that checks nothing is none.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.errors import BenchError

from .compare import SLOWER, WORSE, Comparison, key_of, labels, title

WORDS: Final = (SLOWER, WORSE, "missed", "incomplete")
OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
FIGURE: Final = re.compile(
    r"\s*(?:(?P<bench>[a-z][a-z-]{0,40}):)?(?P<metric>\w{1,80})"
    rf"(?:\[(?P<labels>[^\[\]]{{1,200}})\])?\s*(?P<op><=|>=|==|!=|<|>)\s*(?P<number>{NUMBER})\s*"
)
HELD: Final = re.compile(rf"\s*(?P<op><=|>=|==|!=|<|>)\s*(?P<number>{NUMBER})\s*")
MOST: Final = 400  # characters


@dataclass(frozen=True)
class Condition:
    """``word``, or a figure's bound."""

    text: str
    word: str = ""
    bench: str = ""
    metric: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    op: str = ""
    number: float = 0.0

    @property
    def compares(self) -> bool:
        return self.word in (SLOWER, WORSE)

    def fits(self, row: Mapping[str, Any]) -> bool:
        own = labels(row)
        return (
            row["metric"] == self.metric
            and self.bench in ("", row["bench"])
            and all(str(own.get(name)) == value for name, value in self.labels.items())
        )


def parse(text: str) -> Condition:
    """Raises `BenchError` for what is no condition."""
    word = text.strip()
    if word in WORDS:
        return Condition(word, word)
    found = FIGURE.fullmatch(text) if len(text) <= MOST else None
    pairs = [part.partition("=") for part in (found["labels"] or "").split(",") if part] if found else []
    if found is None or any(not equals for _, equals, _ in pairs):
        raise BenchError(
            f"--fail-if {text[:80]!r}: is no condition; give {', '.join(WORDS)}, or a figure and its bound, as in "
            "'p50_ms[stage=decode] > 2'"
        )
    own = {name.strip(): value.strip() for name, _, value in pairs}
    return Condition(word, "", found["bench"] or "", found["metric"], own, found["op"], float(found["number"]))


def reasons(condition: Condition, document: Mapping[str, Any], comparison: Comparison | None) -> list[str]:
    """Why the condition holds, a line each; empty if it does not."""
    if condition.compares:
        verdicts = [] if comparison is None else comparison.of(condition.word)
        return [f"{condition.word}: {verdict.text}" for verdict in verdicts]
    if condition.word == "missed":
        return [f"missed: {title(key_of(row))} is {row['value']:.4g}, asked {row['asked']}"
                for row in document["rows"] if is_missed(row)]  # fmt: skip
    if condition.word == "incomplete":
        parts = [part for part in document.get("parts") or [] if part["state"] not in ("done", "skipped")]
        found = [f"incomplete: {part['bench']} {part['state']}: {part.get('failure', '')}" for part in parts]
        return found or ([] if document["complete"] else [f"incomplete: {document['failure']}"])
    rows = [row for row in document["rows"] if condition.fits(row) and isinstance(row["value"], int | float)]
    if not rows:
        return [f"{condition.text}: the report has no such figure"]
    bound = OPERATORS[condition.op]
    return [
        f"{condition.text}: {title(key_of(row))} is {row['value']:.4g}"
        for row in rows
        if bound(float(row["value"]), condition.number)
    ]


def is_missed(row: Mapping[str, Any]) -> bool:
    """Whether a row is not as ``asked``."""
    found = HELD.fullmatch(str(row.get("asked", "")))
    if found is None or not isinstance(row["value"], int | float):
        return False
    return not OPERATORS[found["op"]](float(row["value"]), float(found["number"]))
