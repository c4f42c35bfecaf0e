"""The outcome of every source of a built corpus: one line each as CSV, counts as Markdown."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from features import spec

from .measured import MeasuredSource, counts_text

TABLE = "sources.csv"
REPORT = "report.md"
SHOWN = 50  # reasons and notes in the report; the table has all


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """``windows``: the most for a training video; ``clips``: the fewest of a window; ``val`` and ``test``: shares of
    the musics where a list names no splits; ``jobs``: processes."""

    windows: int = 4
    clips: int = 2
    val: float = 0.1
    test: float = 0.1
    jobs: int = 1

    @property
    def settings(self) -> dict[str, float]:
        """The options that the corpus depends on."""
        return {"windows": self.windows, "clips": self.clips, "val": self.val, "test": self.test}


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """``split``: empty for a source that is left out for ``reason``; ``passed``: the passed stretches in words."""

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
    def of(cls, name: str, result: MeasuredSource) -> Self:
        seconds = sum(cut.clips for cut in result.cuts) * spec.CLIP_S
        speech = sum(cut.speech for cut in result.cuts) / max(1, len(result.cuts))
        return cls(name, "", len(result.cuts), seconds, round(result.duration_s, 1), round(speech, 3),
                   counts_text(result.passed), result.reason, result.note)  # fmt: skip

    def left_out(self, reason: str) -> "SourceOutcome":
        return replace(self, reason=reason, windows=0, seconds=0)

    def used_in(self, split: str | None, options: BuildOptions) -> "SourceOutcome":
        if split is None:
            return self
        if split == "train" or self.windows < 2:
            return replace(self, split=split)
        return replace(self, split=split, windows=1, seconds=self.seconds // self.windows)


def write_report(out: Path, outcomes: Sequence[SourceOutcome]) -> None:
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        names = list(SourceOutcome.__dataclass_fields__)
        table.writerow(names)
        table.writerows([getattr(outcome, name) for name in names] for outcome in outcomes)
    (out / REPORT).write_text(report(outcomes), encoding="utf-8")


def report(outcomes: Sequence[SourceOutcome]) -> str:
    used = [outcome for outcome in outcomes if outcome.split]
    lines = [f"# {len(used)} of {len(outcomes)} sources are used", ""]
    lines += ["| split | sources | windows | hours |", "|---|---|---|---|"]
    for split in ("train", "val", "test"):
        in_split = [outcome for outcome in used if outcome.split == split]
        hours = sum(outcome.seconds for outcome in in_split) / 3600
        lines.append(f"| {split} | {len(in_split)} | {sum(outcome.windows for outcome in in_split)} | {hours:.2f} |")
    reasons = Counter(kind(outcome.reason) for outcome in outcomes if not outcome.split)
    if reasons:
        lines += ["", "## Left out", "", "| sources | why |", "|---|---|"]
        lines += [f"| {count} | {reason} |" for reason, count in reasons.most_common()]
        lines += ["", *list_entries([f"{outcome.id}: {outcome.reason}" for outcome in outcomes if not outcome.split])]
    spoken = [outcome for outcome in used if outcome.speech >= 0.1]
    lines += ["", f"Speech over music stands in {len(spoken)} of the {len(used)} used sources."]
    passed = [f"{outcome.id}: {outcome.passed}" for outcome in used if outcome.passed]
    if passed:
        lines += ["", "## Stretches passed over in sources that are used", "", *list_entries(passed)]
    notes = [f"{outcome.id}: {outcome.note}" for outcome in outcomes if outcome.note]
    if notes:
        lines += ["", "## Notes", "", *list_entries(notes)]
    return "\n".join(lines) + "\n"


def kind(reason: str) -> str:
    """A reason without its numbers, so that similar reasons are counted together."""
    return " ".join(word for word in reason.split() if not any(c.isdigit() for c in word))


def list_entries(entries: Sequence[str]) -> list[str]:
    shown = [f"- {entry}" for entry in entries[:SHOWN]]
    return [*shown, f"- and {len(entries) - SHOWN} more, in {TABLE}"] if len(entries) > SHOWN else shown
