"""One harness for every benchmark: timings in, flat JSON rows and a table out.

Conventions: times in milliseconds, percentiles by linear interpolation (``numpy.percentile``), each row with its count
``n`` of samples. A report is ``{"v": 1, "bench", "commit", "env", "rows"}``; a row is its labels and ``metric``,
``value``, ``n``, ``unit``. Nothing here reports a minimum or a lone mean.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .errors import BenchError

PERCENTILES = (50, 95, 99)
PACKAGES = ("numpy", "av", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "faiss-cpu", "aiortc")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ``labels`` say what was measured, ``n`` how many samples it has."""

    metric: str
    value: float
    n: int
    unit: str
    labels: Mapping[str, str | int | float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        value = float(f"{self.value:.6g}")  # six digits: there are milliseconds, and differences of 1e-6
        return {**self.labels, "metric": self.metric, "value": value, "n": self.n, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run of one benchmark, and its environment."""

    bench: str
    rows: Sequence[Row]
    settings: Mapping[str, str | int | float]

    def to_json(self) -> dict[str, object]:
        return {
            "v": 1,
            "bench": self.bench,
            "commit": commit(),
            "env": environment() | dict(self.settings),
            "rows": [row.to_json() for row in self.rows],
        }

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n")


def percentile_rows(samples_ms: Sequence[float], **labels: str | int | float) -> list[Row]:
    """p50, p95 and p99 of ``samples_ms`` and their count; no rows for no samples."""
    if not samples_ms:
        return []
    values = np.percentile(np.asarray(samples_ms, dtype=np.float64), PERCENTILES)
    return [
        Row(f"p{percent}_ms", float(value), len(samples_ms), "ms", labels)
        for percent, value in zip(PERCENTILES, values, strict=True)
    ]


def print_percentiles(rows: Iterable[Row], label: str, console: Console, title: str) -> None:
    """A table with one line per value of ``label`` and one column per percentile."""
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.metric.startswith("p"):
            lines.setdefault(str(row.labels.get(label, "")), {})[row.metric] = row
    table = Table(title=title, title_justify="left")
    table.add_column(label)
    for heading in ("n", *(f"p{p} ms" for p in PERCENTILES)):
        table.add_column(heading, justify="right")
    for name, cells in lines.items():
        figures = [f"{cells[f'p{p}_ms'].value:.2f}" for p in PERCENTILES]
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
    """The machine and the versions that a figure depends on."""
    env: dict[str, str | int | float] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
    }
    for package in PACKAGES:
        try:
            env[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return env


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


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
