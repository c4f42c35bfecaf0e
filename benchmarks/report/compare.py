"""Two reports, row by row: what got slower, what got worse in recall, and what is no more than noise.

Two figures agree if they differ by no more than their intervals allow together (the root of the sum of the squares of
their half widths). A comparison of many rows must not cry at the one in twenty that is outside by chance: a verdict
needs as much more as the number of rows demands (Bonferroni); what lies between is told as ``perhaps``. Of a row
without an interval nothing is known but one figure: where it changed by half it is ``perhaps``, unless it is a count or
a recall, which are exact.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .known import FACTS, LOWER, better, is_recall

SLOWER, BETTER, WORSE, FASTER, SAME, CHANGED = "slower", "better", "worse", "faster", "same", "changed"
LEVEL: Final = 0.05
ONCE: Final = 0.5  # of a figure that was measured once
LEAST: Final = 0.02  # of a figure: less is not worth telling
LEAST_RECALL: Final = 0.002  # of a share
EXACT: Final = frozenset({"count", "sessions", "bytes"})
NOT_LABELS: Final = FACTS | {"metric", "value", "n", "unit", "better", "asked", "bench"}
TIMES: Final = frozenset({"ms", "s", "s/s"})
Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one row in both reports. ``change``: new by old, less one; ``noise``: what the two may differ by, likewise;
    ``perhaps``: beyond their own noise, but not beyond what so many rows show by chance."""

    bench: str
    metric: str
    labels: Mapping[str, Any]
    unit: str
    old: float
    new: float
    change: float
    noise: float
    word: str
    perhaps: bool = False

    @property
    def name(self) -> str:
        own = ", ".join(f"{key} {value}" for key, value in self.labels.items())
        return " ".join(filter(None, [f"{self.bench}:", own, self.metric]))

    @property
    def text(self) -> str:
        word = f"perhaps {self.word}" if self.perhaps else self.word
        figures = f"{self.old:.4g} -> {self.new:.4g} {self.unit}"
        return f"{self.name} {word}: {figures} ({self.change:+.1%}, noise {self.noise:.1%})"


@dataclass(frozen=True)
class Comparison:
    """``warnings``: why the two may not be comparable; ``gone`` and ``added``: rows of one of them alone."""

    verdicts: Sequence[Verdict]
    warnings: Sequence[str] = ()
    gone: Sequence[str] = ()
    added: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def of(self, word: str) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.word == word and not verdict.perhaps]


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Reports as read; also of two machines, which is told."""
    before, after = by_key(old["rows"]), by_key(new["rows"])
    shared = [key for key in after if key in before]
    verdicts = [judge(before[key], after[key], len(shared)) for key in shared]
    counts = {word: sum(v.word == word and not v.perhaps for v in verdicts) for word in (SLOWER, WORSE, FASTER, BETTER)}
    return Comparison(
        verdicts,
        warnings(old, new),
        [title(key) for key in before if key not in after],
        [title(key) for key in after if key not in before],
        counts | {SAME: sum(v.word == SAME for v in verdicts), "perhaps": sum(v.perhaps for v in verdicts)},
    )


def by_key(rows: Iterable[Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    return {key_of(row): row for row in rows if isinstance(row["value"], int | float)}


def key_of(row: Mapping[str, Any]) -> Key:
    """What a row is of: its benchmark, metric and labels, without what tells of the result."""
    return str(row["bench"]), row["metric"], tuple(sorted((name, str(value)) for name, value in labels(row).items()))


def labels(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in NOT_LABELS}


def title(key: Key) -> str:
    return " ".join([f"{key[0]}:", *(f"{name} {value}," for name, value in key[2]), key[1]])


def judge(old: Mapping[str, Any], new: Mapping[str, Any], rows: int) -> Verdict:
    was, now = float(old["value"]), float(new["value"])
    unit, metric = str(new.get("unit", "")), str(new["metric"])
    noise = allowed(old, new, metric, unit)
    least = LEAST_RECALL if is_recall(metric) else 0.0 if exact(metric, unit) else LEAST * abs(was)
    margin = max(noise, least)
    difference = now - was
    word, perhaps = SAME, False
    if abs(difference) > margin:
        word = word_of(better(metric, unit), difference > 0, metric, unit)
        perhaps = not is_known(old, new, metric, unit) or abs(difference) <= max(margin, noise * wider(rows))
    scale = max(abs(was), 1e-12)
    return Verdict(
        str(new["bench"]), metric, labels(new), unit, was, now, difference / scale, margin / scale, word, perhaps
    )


def exact(metric: str, unit: str) -> bool:
    return unit in EXACT


def allowed(old: Mapping[str, Any], new: Mapping[str, Any], metric: str, unit: str) -> float:
    """By how much the two may differ by chance."""
    if not is_known(old, new, metric, unit):
        return ONCE * abs(float(old["value"]))
    known = [half for half in map(half_width, (old, new)) if half is not None] or [0.0]
    return math.hypot(known[0], known[-1])  # one that was measured once is taken to be as sure as the other


def is_known(old: Mapping[str, Any], new: Mapping[str, Any], metric: str, unit: str) -> bool:
    """Whether anything tells how much the figure changes by itself."""
    measured = half_width(old) is not None or half_width(new) is not None
    return measured or exact(metric, unit) or is_recall(metric)


def half_width(row: Mapping[str, Any]) -> float | None:
    low, high = row.get("low"), row.get("high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    return max(float(high) - float(row["value"]), float(row["value"]) - float(low), 0.0)


def wider(rows: int) -> float:
    """How much more than one row's own noise a verdict needs among so many."""
    normal = NormalDist()
    return normal.inv_cdf(1 - LEVEL / 2 / max(1, rows)) / normal.inv_cdf(1 - LEVEL / 2)


def word_of(way: str, grew: bool, metric: str, unit: str) -> str:
    if not way:
        return CHANGED
    good = grew == (way != LOWER)
    timed = unit in TIMES or any(part in metric for part in ("speed", "real_time", "ratio", "faster", "cost"))
    return (FASTER if good else SLOWER) if timed and not is_recall(metric) else (BETTER if good else WORSE)


def warnings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why the two may not be comparable, each in a line."""
    found = []
    ours, theirs = (describe_machine(document["machine"]) for document in (new, old))
    if ours != theirs:
        found.append(f"other machines: {theirs}, now {ours}; ratios within one run compare, times do not")
    if bool(old["quick"]) != bool(new["quick"]):
        found.append("only one of the two is a quick run")
    for document, which in ((old, "the old run"), (new, "this run")):
        if not document["complete"]:
            found.append(f"{which} did not end ({document['failure'] or 'stopped'})")
    if old["arguments"] and old["arguments"] != new["arguments"]:
        names = sorted({name for name in {**old["arguments"], **new["arguments"]}
                        if old["arguments"].get(name) != new["arguments"].get(name)})  # fmt: skip
        found.append(f"other arguments: {', '.join(names)}")
    busy = [document["load"].get("during_cores") or 0.0 for document in (old, new)]
    if max(busy) >= 0.25 and abs(busy[0] - busy[1]) >= 0.25:
        found.append(f"other programs kept {busy[0]:.1f} cores busy, now {busy[1]:.1f}")
    changed = [
        f"{name} {old['versions'][name]} -> {version}"
        for name, version in new["versions"].items()
        if old["versions"].get(name, version) != version
    ]
    if changed:
        found.append("other versions: " + ", ".join(changed))
    return found


def describe_machine(machine: Mapping[str, Any]) -> str:
    gpus = ", ".join(str(gpu.get("name", "")) for gpu in machine.get("gpus") or [])
    return f"{machine.get('cpu', 'unknown')}, {machine.get('cores', '?')} cores" + (f", {gpus}" if gpus else "")


def show_comparison(comparison: Comparison, console: Console, most: int = 40) -> None:
    """Warnings, a table of what changed, and the counts."""
    for text in comparison.warnings:
        console.print(f"note: {text}", markup=False)
    told = sorted((v for v in comparison.verdicts if v.word != SAME), key=lambda v: (v.perhaps, -abs(v.change)))
    if told:
        table = Table(title="against the old report", title_justify="left")
        for heading in ("what", "verdict"):
            table.add_column(heading, overflow="fold")
        for heading in ("old", "new", "change", "noise"):
            table.add_column(heading, justify="right")
        for verdict in told[:most]:
            word = f"perhaps {verdict.word}" if verdict.perhaps else f"[bold]{verdict.word}[/]"
            figures = (f"{verdict.old:.4g}", f"{verdict.new:.4g} {verdict.unit}")
            table.add_row(escape(verdict.name), word, *figures, f"{verdict.change:+.1%}", f"{verdict.noise:.1%}")
        console.print(table)
    counts = ", ".join(f"{number} {word}" for word, number in comparison.counts.items())
    rest = f"; {len(comparison.gone)} rows are gone, {len(comparison.added)} are new"
    console.print(f"{len(comparison.verdicts)} rows in both: {counts}{rest}", markup=False)
