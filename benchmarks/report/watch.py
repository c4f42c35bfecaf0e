"""What else the machine does before and during a measurement: cores kept busy by other programs, and clocks."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from .machine import clocks_mhz

EVERY_S: Final = 2.0
BEFORE_S: Final = 0.5
MOST: Final = 4000  # samples kept; then every other one goes


class Load:
    """``before``, measured when it starts, and samples every two seconds until ``end``. On a system without /proc
    both are unknown. Cores of other programs: all that the system counts as busy, without this process, its children
    that have ended and those that run."""

    def __init__(self) -> None:
        self.known = Path("/proc/stat").exists() and hasattr(os, "sysconf")
        self.others: list[float] = []
        self.mhz: list[float] = []
        self.before: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="load", daemon=True)

    def start(self) -> None:
        if not self.known:
            return
        last = moment()
        time.sleep(BEFORE_S)
        self.before = cores_between(last, moment())
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(EVERY_S)

    def _watch(self) -> None:
        last = moment()
        while not self._stop.wait(EVERY_S):
            with suppress(OSError, ValueError, IndexError):  # a child ended while it was read
                now = moment()
                self.others.append(cores_between(last, now))
                last = now
                self.mhz.append(float(np.mean(clocks_mhz() or [0.0])))
            if len(self.others) > MOST:
                self.others, self.mhz = self.others[::2], self.mhz[::2]

    def to_json(self) -> dict[str, Any]:
        """Cores that other programs kept busy; megahertz of our cores during the measurement."""
        other = np.array(self.others or [np.nan])
        mhz = np.array([value for value in self.mhz if value] or [np.nan])
        return {
            "before_cores": None if self.before is None else round(self.before, 2),
            "during_cores": number(np.median(other)),
            "most_cores": number(np.max(other)),
            "mhz": number(np.median(mhz)),
            "least_mhz": number(np.min(mhz)),
            "samples": len(self.others),
        }


def number(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 2)


def moment() -> tuple[float, float, float]:
    """Seconds by the clock, of all cores' work, and of that of this process and its children."""
    tick = os.sysconf("SC_CLK_TCK")
    busy = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    work = sum(busy) - busy[3] - busy[4]  # without idle and waiting for disks
    return time.monotonic(), work / tick, ours_s()


def ours_s() -> float:
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system + sum(map(spent_s, descendants()))


def descendants() -> list[int]:
    """Processes below this one."""
    found, parents = list[int](), [os.getpid()]
    while parents:
        parent = parents.pop()
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                children = [int(pid) for pid in tasks.read_text().split()]
                found += children
                parents += children
    return found


def spent_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def cores_between(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    seconds = max(second[0] - first[0], 1e-3)
    return max(0.0, (second[1] - first[1] - (second[2] - first[2])) / seconds)
