"""What a script of faults found: figures, and the promises that were not kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.harness import Row

Labels = Mapping[str, str | int | float]


class SkippedError(Exception):
    """A script cannot run on this machine; the text says what it lacks."""


@dataclass
class Outcome:
    """Rows of one script. ``broken`` holds one line for each promise that was not kept; empty is what is hoped for."""

    script: str
    rows: list[Row] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def count(self, metric: str, value: float, n: int = 1, unit: str = "", **labels: str | int | float) -> None:
        """A figure, resting on ``n`` samples."""
        self.rows.append(Row(metric, float(value), n, unit, {"script": self.script, **labels}))

    def counts(self, metric: str, found: Mapping[Any, int], **labels: str | int | float) -> None:
        """One row for each kind that was seen, with how often; ``n`` is all of them together."""
        total = sum(found.values())
        for kind in sorted(found, key=str):
            self.count(metric, found[kind], total, "", **{**labels, "kind": str(kind)})

    def spread(self, metric: str, values: Sequence[float], unit: str = "s", **labels: str | int | float) -> None:
        """The median, and the most beside it; nothing where there are none."""
        if values:
            most = round(max(values), 3)
            self.count(metric, float(np.median(values)), len(values), unit, **{**labels, "most": most})

    def expect(self, kept: bool, promise: str) -> None:
        """Note a promise that was not kept; ``promise`` says what was found instead."""
        if not kept:
            self.broken.append(f"{self.script}: {promise}")


def rate_and_gap(times_s: Iterable[float], begin_s: float, end_s: float) -> tuple[float, float]:
    """Messages a second in an interval, and the longest time in it without one, its ends counted as messages."""
    within = sorted(t for t in times_s if begin_s <= t < end_s)
    gaps = np.diff([begin_s, *within, end_s])
    return len(within) / (end_s - begin_s), float(gaps.max())
