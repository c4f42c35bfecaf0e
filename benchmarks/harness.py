"""One harness for every benchmark: timings in, flat JSON rows and a table out.

Conventions: times in milliseconds, percentiles by linear interpolation (``numpy.percentile``), each row with its count
``n`` of samples. A report is ``{"v": 1, "bench", "commit", "env", "rows"}`` and what the run knows of itself
(``report/schema.json``); a row is its labels and ``metric``, ``value``, ``n``, ``unit``, and, where samples tell, the
interval from ``low`` to ``high``. Nothing here reports a minimum, a lone mean, or a percentile of too few samples
(``report/counts.py``).
"""

import json
import math
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .errors import BenchError
from .report.counts import enough, needed
from .report.interval import intervals, percentiles
from .report.known import asked, better
from .report.machine import cpu_name, machine, versions

PERCENTILES = (50, 95, 99)
CURVE_POINTS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ``labels`` say what was measured, ``n`` how many samples it has, ``interval`` within what another
    run is expected 95 times of 100 (``report/interval.py``), None where nothing tells."""

    metric: str
    value: float
    n: int
    unit: str
    labels: Mapping[str, str | int | float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None

    def to_json(self) -> dict[str, object]:
        flat: dict[str, object] = {
            **self.labels,
            "metric": self.metric,
            "value": digits(self.value),
            "n": self.n,
            "unit": self.unit,
        }
        if self.interval is not None:
            flat |= {"low": digits(self.interval[0]), "high": digits(self.interval[1])}
        return flat


def digits(value: float) -> float | None:
    """Six digits: there are milliseconds, and differences of 1e-6. None for what JSON has no number for."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Curve:
    """Samples of a distribution, sorted, at most ``CURVE_POINTS`` of ``n``; ``labels`` as in rows."""

    values: Sequence[float]
    n: int
    unit: str
    labels: Mapping[str, str | int | float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {**self.labels, "unit": self.unit, "n": self.n, "values": [digits(value) for value in self.values]}


def curve_of(samples: Sequence[float], unit: str, **labels: str | int | float) -> Curve:
    """The samples themselves, or as many quantiles of them as a curve has points."""
    values = np.sort(np.asarray(samples, np.float64))
    if len(values) > CURVE_POINTS:
        values = np.quantile(values, np.linspace(0.0, 1.0, CURVE_POINTS))
    return Curve(values.tolist(), len(samples), unit, labels)


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run of one benchmark, without percentiles of too few samples, and its environment."""

    bench: str
    rows: Sequence[Row]
    settings: Mapping[str, str | int | float]
    curves: Sequence[Curve] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", enough(self.rows))

    def to_json(self, run: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """``run``: what the run knows of itself (``report.run.Run.to_json``), or nothing."""
        unknown = {"date": now(), "duration_s": None, "complete": True, "failure": "", "quick": False}
        return {
            "v": 1,
            "bench": self.bench,
            "commit": commit(),
            **(unknown | {"arguments": {}, "load": {}} if run is None else run),
            "engine": str(self.settings.get("engine", "")),
            "machine": machine(),
            "versions": versions(),
            "env": environment() | dict(self.settings),
            "rows": [self._flat(row) for row in self.rows],
            "curves": [curve.to_json() for curve in self.curves],
        }

    def _flat(self, row: Row) -> dict[str, object]:
        flat = {"bench": self.bench} | row.to_json()
        if way := better(row.metric, row.unit):
            flat["better"] = way
        if wanted := asked(self.bench, row.metric):
            flat["asked"] = wanted
        return flat

    def write(self, path: Path, run: Mapping[str, Any] | None = None) -> None:
        write_json(self.to_json(run), path)


def write_json(document: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def percentile_rows(samples_ms: Sequence[float], **labels: str | int | float) -> list[Row]:
    """p50, p95 and p99 of ``samples_ms``, as many of them as their count allows, in the order of time, with intervals;
    no rows for no samples."""
    given = [percent for percent in PERCENTILES if len(samples_ms) >= needed(percent)]
    if not samples_ms:
        return []
    values = np.percentile(np.asarray(samples_ms, dtype=np.float64), given)
    spread = intervals(samples_ms, percentiles(given))
    return [
        Row(f"p{percent}_ms", float(value), len(samples_ms), "ms", labels, interval)
        for percent, value, interval in zip(given, values, spread, strict=True)
    ]


def print_percentiles(rows: Iterable[Row], label: str, console: Console, title: str) -> None:
    """A table with one line per value of ``label`` and one column per percentile."""
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.metric in {f"p{p}_ms" for p in PERCENTILES}:
            lines.setdefault(str(row.labels.get(label, "")), {})[row.metric] = row
    table = Table(title=title, title_justify="left")
    table.add_column(label)
    for heading in ("n", *(f"p{p} ms" for p in PERCENTILES)):
        table.add_column(heading, justify="right")
    for name, cells in lines.items():
        figures = [f"{cells[f'p{p}_ms'].value:.2f}" if f"p{p}_ms" in cells else "" for p in PERCENTILES]
        table.add_row(name, str(cells["p50_ms"].n), *figures)
    console.print(table)


def print_rows(rows: Iterable[Row], console: Console, title: str) -> None:
    """A table with one line a row."""
    table = Table(title=title, title_justify="left")
    for heading in ("metric", "of"):
        table.add_column(heading)
    for heading in ("value", "unit", "n"):
        table.add_column(heading, justify="right")
    for row in rows:
        labels = ", ".join(f"{name} {value}" for name, value in row.labels.items())
        table.add_row(row.metric, escape(labels), f"{row.value:.4g}", row.unit, str(row.n))
    console.print(table)


def environment() -> dict[str, str | int | float]:
    """The machine and the versions that a figure depends on, flat, beside ``machine`` and ``versions``."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        **versions(),
    }


@cache
def commit() -> str:
    """The commit of the code that ran, with ``+`` at its end if the tree differs; ``unknown`` outside a checkout."""
    root = Path(__file__).parent.parent
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def check_folder(path: Path | None) -> None:
    """Check a report's folder before hours of work. Raises BenchError if there is none."""
    if path is not None and not path.parent.is_dir():
        raise BenchError(f"{path}: its folder does not exist; make it or write elsewhere")
