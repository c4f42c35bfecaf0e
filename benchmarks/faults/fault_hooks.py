"""``segue`` with an engine that fails and a wall clock that jumps, when a file says so.

    python -m benchmarks.faults.fault_hooks ORDERS serve -c CATALOG ...

ORDERS holds `Orders` as JSON and is read again whenever it changes. What is replaced stands below the server: the one
call in which ONNX Runtime computes, and the wall clock as Python and aiortc read it. The monotonic clock, by which the
server times everything, is left alone. Not for ``--workers``: its processes start without this.
"""

import datetime
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

Engine = Literal["", "raises", "nan", "hangs"]
HANG_S: Final = 4.0
REASON: Final = "the device is lost (as a benchmark of faults has it)"


@dataclass(frozen=True)
class Orders:
    """``engine``: what becomes of the next ``runs`` runs, of all of them if that is 0; ``wall_s``: how far the wall
    clock is off."""

    engine: Engine = ""
    runs: int = 0
    wall_s: float = 0.0

    def write(self, path: Path) -> None:
        """At once, whole."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(path)


class OrderFile:
    """The orders as they stand. Any thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.RLock()
        self._changed, self._orders, self._done = -1, Orders(), 0

    def orders(self) -> Orders:
        with self._lock:
            changed = self._path.stat().st_mtime_ns
            if changed != self._changed:
                self._changed, self._done = changed, 0
                self._orders = Orders(**json.loads(self._path.read_text()))
            return self._orders

    def next_run(self) -> Engine:
        """What becomes of this run."""
        with self._lock:
            orders = self.orders()
            if not orders.engine or (orders.runs and self._done >= orders.runs):
                return ""
            self._done += 1
            return orders.engine


def hooked(run: Callable[..., list[Any]], file: OrderFile) -> Callable[..., list[Any]]:
    """``onnxruntime.InferenceSession.run`` as the orders have it."""

    def hooked_run(session: Any, names: Sequence[str], inputs: Mapping[str, Any], *rest: Any) -> list[Any]:
        match file.next_run():
            case "raises":
                raise RuntimeError(REASON)
            case "nan":
                return [np.full_like(value, np.nan) for value in run(session, names, inputs, *rest)]
            case "hangs":
                time.sleep(HANG_S)
        return run(session, names, inputs, *rest)

    return hooked_run


def install(file: OrderFile) -> None:
    """Replace the engine's call and the wall clock in this process."""
    import onnxruntime

    from stream.sources.webrtc import aiortc_compat

    real_s, real_ns = time.time, time.time_ns

    def now() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=file.orders().wall_s)

    time.time = lambda: real_s() + file.orders().wall_s
    time.time_ns = lambda: real_ns() + round(1e9 * file.orders().wall_s)
    aiortc_compat.read_dates(now)
    onnxruntime.InferenceSession.run = hooked(onnxruntime.InferenceSession.run, file)


if __name__ == "__main__":
    from stream.cli import main

    install(OrderFile(Path(sys.argv[1])))
    sys.exit(main(sys.argv[2], sys.argv[3:]))
