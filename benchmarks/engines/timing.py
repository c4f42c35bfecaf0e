"""Times of several things that are to be compared, taken in turns.

Whatever else a machine does comes and goes within seconds, so all things are run once in each round, in a new order
each time. Two clocks: the wall's, and the processor time of the whole process. A run on one core that somebody
else wants too waits for its turn, the longer the run the more often; the second clock does not count that, so ratios
between runs on the CPU are taken by it.

Memory that the C library gives back to the system comes again a page at a time, which was a quarter of torch's time in
batches in one process and nothing in another. ``keep_memory`` takes that out; what is left of it is counted.
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
    """A run each, in milliseconds; ``faults``: pages that the system had to give it."""

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
            cell, taken = cells[keys[at]], times[keys[at]]
            faults, cpu, wall = page_faults(), time.process_time(), time.perf_counter()
            cell()
            taken.wall.append((time.perf_counter() - wall) * 1e3)
            taken.cpu.append((time.process_time() - cpu) * 1e3)
            taken.faults.append(page_faults() - faults)
    return times


def page_faults() -> int:
    """Of this process so far, those that needed no disk; 0 where a system does not say."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def keep_memory() -> bool:
    """Let the C library keep what is freed, for the rest of this process; False where it is not glibc.

    Its ``mallopt(3)``: no block from ``mmap``, nothing trimmed, and the heap grown by 64 MiB at a time.
    """
    top_pad, trim_threshold, mmap_max = -2, -1, -4  # malloc.h
    if platform.libc_ver()[0] != "glibc":
        return False
    tell = ctypes.CDLL(None).mallopt
    return all([tell(mmap_max, 0), tell(trim_threshold, 2**31 - 1), tell(top_pad, 2**26)])


def rows_of(times: Times, labels: Labels) -> list[Row]:
    """``p50_ms`` and ``p99_ms`` by the wall, ``cpu_p50_ms`` by processor time."""
    count = len(times.wall)
    half, most = np.percentile(times.wall, (50, 99))
    return [
        Row("p50_ms", float(half), count, "ms", labels),
        Row("p99_ms", float(most), count, "ms", labels),
        Row("cpu_p50_ms", float(np.median(times.cpu)), count, "ms", labels),
    ]


def ratio_of(times: Times, reference: Times, clock: str = "cpu") -> float:
    """Median by median; below 1 is quicker than the reference."""
    return float(np.median(getattr(times, clock)) / max(float(np.median(getattr(reference, clock))), 1e-9))


def median_row(metric: str, samples: Sequence[float], labels: Labels, unit: str = "ms") -> Row:
    return Row(metric, float(np.median(samples)), len(samples), unit, labels)


@contextmanager
def on_one_core() -> Iterator[int | None]:
    """This thread, and those it starts, on one core alone; yields its number, None where a system cannot do that."""
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
