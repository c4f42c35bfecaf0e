"""What became of every source of a built corpus: a line each as CSV, counted as Markdown."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from features import spec

from .measured import MeasuredSource, worded

TABLE = "sources.csv"
REPORT = "report.md"
SHOWN = 50  # reasons and notes in the report; the table has all


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """``windows``: at most so many a video in training; ``clips``: a window's fewest; ``val`` and ``test``: shares of
    the musics where a list names no splits; ``jobs``: processes."""

    windows: int = 4
    clips: int = 2
    val: float = 0.1
    test: float = 0.1
    jobs: int = 1

    @property
    def noted(self) -> dict[str, float]:
        """What the corpus depends on."""
        return {"windows": self.windows, "clips": self.clips, "val": self.val, "test": self.test}


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """``split`` empty for a source that is left out, for ``reason``; ``passed`` in words."""

    id: str
    split: str
    windows: int
    seconds: int
    duration_s: float
    speech: float
    passed: str
    reason: str
    note: str

    @classmethod
    def of(cls, name: str, told: MeasuredSource) -> Self:
        seconds = sum(cut.clips for cut in told.cuts) * spec.CLIP_S
        speech = sum(cut.speech for cut in told.cuts) / max(1, len(told.cuts))
        return cls(name, "", len(told.cuts), seconds, round(told.duration_s, 1), round(speech, 3), worded(told.passed),
                   told.reason, told.note)  # fmt: skip

    def left_out(self, reason: str) -> "SourceOutcome":
        return replace(self, reason=reason, windows=0, seconds=0)

    def used_in(self, split: str | None, options: BuildOptions) -> "SourceOutcome":
        if split is None:
            return self
        if split == "train" or self.windows < 2:
            return replace(self, split=split)
        return replace(self, split=split, windows=1, seconds=self.seconds // self.windows)


def write_report(out: Path, fates: Sequence[SourceOutcome]) -> None:
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        names = list(SourceOutcome.__dataclass_fields__)
        table.writerow(names)
        table.writerows([getattr(fate, name) for name in names] for fate in fates)
    (out / REPORT).write_text(report(fates), encoding="utf-8")


def report(fates: Sequence[SourceOutcome]) -> str:
    used = [fate for fate in fates if fate.split]
    lines = [f"# {len(used)} of {len(fates)} sources are used", ""]
    lines += ["| split | sources | windows | hours |", "|---|---|---|---|"]
    for split in ("train", "val", "test"):
        mine = [fate for fate in used if fate.split == split]
        hours = sum(fate.seconds for fate in mine) / 3600
        lines.append(f"| {split} | {len(mine)} | {sum(fate.windows for fate in mine)} | {hours:.2f} |")
    reasons = Counter(kind(fate.reason) for fate in fates if not fate.split)
    if reasons:
        lines += ["", "## Left out", "", "| sources | why |", "|---|---|"]
        lines += [f"| {count} | {reason} |" for reason, count in reasons.most_common()]
        lines += ["", *listed([f"{fate.id}: {fate.reason}" for fate in fates if not fate.split])]
    spoken = [fate for fate in used if fate.speech >= 0.1]
    lines += ["", f"Speech over music stands in {len(spoken)} of the {len(used)} used sources."]
    passed = [f"{fate.id}: {fate.passed}" for fate in used if fate.passed]
    if passed:
        lines += ["", "## Stretches passed over in sources that are used", "", *listed(passed)]
    notes = [f"{fate.id}: {fate.note}" for fate in fates if fate.note]
    if notes:
        lines += ["", "## Notes", "", *listed(notes)]
    return "\n".join(lines) + "\n"


def kind(reason: str) -> str:
    """A reason without its numbers, so that alike ones are counted together."""
    return " ".join(word for word in reason.split() if not any(c.isdigit() for c in word))


def listed(entries: Sequence[str]) -> list[str]:
    shown = [f"- {entry}" for entry in entries[:SHOWN]]
    return [*shown, f"- and {len(entries) - SHOWN} more, in {TABLE}"] if len(entries) > SHOWN else shown
