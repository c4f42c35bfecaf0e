"""Times of several things to compare, measured in turns.

Other work on a machine comes and goes within seconds, so each round runs every thing once, in a new order each time.
Two clocks: wall time, and the processor time of the whole process. A run on a core that another process uses too has
to wait, and longer runs wait more often; processor time does not count the waits, so ratios between runs on the CPU
use it.

Memory that the C library returned to the system comes back a page at a time; that was a quarter of torch's time in
batches in one process and nothing in another. ``keep_memory`` prevents it; the faults that remain are counted.
"""

import ctypes
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np

from benchmarks.harness import Row
from benchmarks.report.counts import needed
from benchmarks.report.interval import interval, intervals, of_ratio, percentiles

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LEAST: Final = 5  # rounds, however long they take
MOST: Final = 1000  # rounds, however short they are: enough for a p99
Labels = Mapping[str, str | int | float]
OwnLabels = dict[str, str | int | float]
K = TypeVar("K")


@dataclass(frozen=True)
class Times:
    """One entry a run, in milliseconds; ``faults``: pages that the system had to map."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)


def in_turns(
    cells: Mapping[K, Callable[[], Any]], seconds: float, least: int = LEAST, most: int = MOST, seed: int = 0
) -> dict[K, Times]:
    """Run every cell once untimed, then in rounds for ``seconds``, between ``least`` and ``most`` rounds."""
    rng = np.random.default_rng(seed)
    for cell in cells.values():
        cell()
    keys, times = list(cells), {key: Times() for key in cells}
    until = time.perf_counter() + seconds
    for done in range(most):
        if done >= least and time.perf_counter() > until:
            break
        for at in rng.permutation(len(keys)):
            cell, samples = cells[keys[at]], times[keys[at]]
            faults, cpu, wall = page_faults(), time.process_time(), time.perf_counter()
            cell()
            samples.wall.append((time.perf_counter() - wall) * 1e3)
            samples.cpu.append((time.process_time() - cpu) * 1e3)
            samples.faults.append(page_faults() - faults)
    return times


def page_faults() -> int:
    """Those of this process so far that needed no disk; 0 on a system that does not count them."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def keep_memory() -> bool:
    """Let the C library keep freed memory for the rest of this process; False if it is not glibc.

    Its ``mallopt(3)``: no block from ``mmap``, nothing trimmed, and the heap grown by 64 MiB at a time.
    """
    top_pad, trim_threshold, mmap_max = -2, -1, -4  # malloc.h
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(mmap_max, 0), mallopt(trim_threshold, 2**31 - 1), mallopt(top_pad, 2**26)])


def rows_of(times: Times, labels: Labels) -> list[Row]:
    """``p50_ms`` and, of enough runs, ``p99_ms`` by the wall, ``cpu_p50_ms`` by processor time."""
    count = len(times.wall)
    given = [percent for percent in (50, 99) if count >= needed(percent)]
    spread = intervals(times.wall, percentiles(given))
    walls = zip(given, np.percentile(times.wall, given), spread, strict=True)
    return [
        *(Row(f"p{percent}_ms", float(value), count, "ms", labels, within) for percent, value, within in walls),
        Row("cpu_p50_ms", float(np.median(times.cpu)), count, "ms", labels, interval(times.cpu)),
    ]


def ratio_of(times: Times, reference: Times, clock: str = "cpu") -> float:
    """Median by median; below 1 is quicker than the reference."""
    return float(np.median(getattr(times, clock)) / max(float(np.median(getattr(reference, clock))), 1e-9))


def ratio_row(metric: str, times: Times, reference: Times, labels: Labels, clock: str = "cpu", unit: str = "") -> Row:
    """``ratio_of``, and within what another run is expected to find it."""
    within = of_ratio(getattr(times, clock), getattr(reference, clock))
    return Row(metric, ratio_of(times, reference, clock), len(times.wall), unit, labels, within)


def median_row(metric: str, samples: Sequence[float], labels: Labels, unit: str = "ms") -> Row:
    return Row(metric, float(np.median(samples)), len(samples), unit, labels, interval(samples))


@contextmanager
def on_one_core() -> Iterator[int | None]:
    """Pin this thread, and those it starts, to one core; yields its number, or None if the system cannot do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)
