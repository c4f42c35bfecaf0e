"""How many samples a percentile needs: at least five beyond it.

So p95 needs 100, p99 needs 500, p5 needs 100 and p99.9 needs 5000; the median is given for any count, with that count.
Fewer leave the percentile to one or two samples, and then it changes by itself from run to run.
"""

import re
from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

BEYOND: Final = 5
NAMED: Final = re.compile(r"(?:^|_)p(\d{1,2}(?:\.\d+)?)(?=_|$)")


class Counted(Protocol):
    """What has a metric's name and a count of samples."""

    @property
    def metric(self) -> str: ...

    @property
    def n(self) -> int: ...


C = TypeVar("C", bound=Counted)


def needed(percent: float) -> int:
    """The fewest samples that a percentile may be given of; ``percent`` from 0 to 100, both excluded."""
    if percent == 50:
        return 1
    tail = min(percent, 100.0 - percent) / 100.0
    return round(BEYOND / max(tail, 1e-6))


def percent_of(metric: str) -> float | None:
    """``freshness_p95_ms`` -> 95; None for what is no percentile."""
    found = NAMED.search(metric)
    return None if found is None else float(found[1])


def is_enough(row: Counted) -> bool:
    percent = percent_of(row.metric)
    return percent is None or row.n >= needed(percent)


def enough(rows: Iterable[C]) -> list[C]:
    """The rows without percentiles of too few samples."""
    return [row for row in rows if is_enough(row)]
