"""The long form: sections of a few bars whose energy varies around the recipe's."""

from dataclasses import dataclass
from typing import Final

import numpy as np

LONG_S: Final = 40.0  # from here on a piece gets an intro, breaks and an outro

_LIFTS: Final = {"intro": -0.15, "verse": -0.04, "chorus": 0.08, "break": -0.14, "outro": -0.12}


@dataclass(frozen=True, slots=True)
class Section:
    """Bars ``first`` to ``last`` (exclusive): their kind, and what it adds to the energy."""

    kind: str
    first: int
    last: int
    leads: bool

    @property
    def lift(self) -> float:
        """Energy that the section adds to the recipe's."""
        return _LIFTS[self.kind]


def draw_form(bars: int, duration_s: float, rng: np.random.Generator) -> list[Section]:
    """Sections that fill ``bars`` bars in order."""
    length = 8 if duration_s / max(bars, 1) < 1.8 and bars >= 24 else 4
    count = max(1, round(bars / length))
    if duration_s >= LONG_S and count >= 4:
        middle = ["verse", "chorus", "break", "chorus"] if rng.random() < 0.5 else ["verse", "chorus"]
        kinds = ["intro", *(middle * count)[: count - 2], "outro"]
    else:
        turn = int(rng.integers(2))
        kinds = [("verse", "chorus")[(turn + index) % 2] for index in range(count)]
    sections = []
    for index, kind in enumerate(kinds):
        last = bars if index == count - 1 else (index + 1) * length
        leads = kind == "chorus" or (kind in ("verse", "break") and bool(rng.random() < 0.5))
        sections.append(Section(kind, index * length, last, leads))
    return sections
