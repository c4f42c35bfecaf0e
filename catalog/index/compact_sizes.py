"""From how many segments on the compact index does what; figures by ``segue bench search --vectors``."""

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows (segments) and shares. Tests use small ones."""

    kept: int = 2_000  # fewer stay in memory alone, and no file is written
    coded: int = 20_000  # with fewer, a search compares every row exactly
    listed: int = 300_000  # with fewer, it looks at every row's code
    looked: float = 1 / 23  # share of the lists that a search looks into
    few: int = 8_000  # as many rows that pass a condition, or fewer, are compared exactly
    few_of_many: int = 20_000  # the same where there are ``many``
    many: int = 500_000
    fetch: int = 160  # rows that a search asks for, at least; 32 tracks need 90, seldom 121
    changed: float = 0.01  # share of the rows that may wait in memory,
    changed_least: int = 2_000  # at least so many rows,
    changed_most: int = 20_000  # and at most so many
    dead: float = 0.05  # share of the rows that may be of tracks that were replaced or removed

    def waiting(self, rows: int) -> int:
        """How many rows may wait in memory before they are merged with the ``rows`` on disk."""
        return min(self.changed_most, max(self.changed_least, int(self.changed * rows)))

    def few_of(self, rows: int) -> int:
        return self.few_of_many if rows >= self.many else self.few

    def lists(self, rows: int) -> tuple[int, int]:
        """How many lists ``rows`` are divided into, and how many of these a search looks into."""
        if rows < self.listed:
            return 1, 1
        lists = 2 ** round(math.log2(4.0 * math.sqrt(rows)))
        return lists, max(1, round(self.looked * lists))

    def k_factor(self, rows: int) -> float:
        """How many rows are scored exactly for each that a search asks for."""
        return 1.75 if rows >= self.listed else 4.0


DEFAULTS: Final = Sizes()
