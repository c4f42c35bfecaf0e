"""What a script of faults found: figures, and the promises that were not kept."""

import math
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

    def count(
        self,
        metric: str,
        value: float,
        n: int = 1,
        unit: str = "",
        at_least: float = -math.inf,
        at_most: float = math.inf,
        **labels: str | int | float,
    ) -> None:
        """A figure, resting on ``n`` samples, and the bounds that were promised."""
        self._row(metric, value, n, unit, labels)
        of = "".join(f", {name} {label}" for name, label in labels.items())
        self.expect(value >= at_least, f"{metric}{of}: {value:.4g} {unit}, promised are {at_least:g} at least")
        self.expect(value <= at_most, f"{metric}{of}: {value:.4g} {unit}, promised are {at_most:g} at most")

    def counts(self, metric: str, answers: Mapping[Any, int], **labels: str) -> None:
        """One row for each kind that was seen, with how often; ``n`` is all of them together."""
        for kind in sorted(answers, key=str):
            self._row(metric, answers[kind], sum(answers.values()), "", {**labels, "kind": str(kind)})

    def spread(self, metric: str, values_s: Sequence[float], at_most: float = math.inf, **labels: str) -> None:
        """The median, and the most beside it, which was promised to be ``at_most``; nothing where there are none."""
        if values_s:
            most = max(values_s)
            self._row(metric, float(np.median(values_s)), len(values_s), "s", {**labels, "most": round(most, 3)})
            self.expect(most <= at_most, f"{metric} {labels}: {most:.4g} s, promised are {at_most:g} at most")

    def _row(self, metric: str, value: float, n: int, unit: str, labels: Labels) -> None:
        self.rows.append(Row(metric, float(value), n, unit, {"script": self.script, **labels}))

    def expect(self, kept: bool, promise: str) -> None:
        """Note a promise that was not kept; ``promise`` says what was found instead."""
        if not kept:
            self.broken.append(f"{self.script}: {promise}")


def rate_and_gap(times_s: Iterable[float], begin_s: float, end_s: float) -> tuple[float, float]:
    """Messages a second in an interval, and the longest time in it without one, its ends counted as messages."""
    within = sorted(t for t in times_s if begin_s <= t < end_s)
    gaps = np.diff([begin_s, *within, end_s])
    return len(within) / (end_s - begin_s), float(gaps.max())
