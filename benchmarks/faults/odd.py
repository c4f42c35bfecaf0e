"""``segue`` with an engine that fails and a wall clock that jumps, when a file says so.

    python -m benchmarks.faults.odd ORDERS serve -c CATALOG ...

ORDERS holds `Orders` as JSON and is read again whenever it changes. What is replaced stands below the server: the one
call in which ONNX Runtime computes, and the wall clock as Python and aiortc read it. The monotonic clock, by which the
server times everything, is left alone. Not for ``--workers``: its processes start without this.
"""

import datetime
import json
import os
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
        os.replace(new, path)  # noqa: PTH105 - a reader sees the old or the new


class Desk:
    """The orders as they stand. Any thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._seen, self._orders, self._done = -1, Orders(), 0

    def orders(self) -> Orders:
        with self._lock:
            return self._look()

    def next_run(self) -> Engine:
        """What becomes of this run."""
        with self._lock:
            orders = self._look()
            if not orders.engine or (orders.runs and self._done >= orders.runs):
                return ""
            self._done += 1
            return orders.engine

    def _look(self) -> Orders:
        changed = self._path.stat().st_mtime_ns
        if changed != self._seen:
            self._seen, self._done = changed, 0
            self._orders = Orders(**json.loads(self._path.read_text()))
        return self._orders


def spoilt(run: Callable[..., list[Any]], desk: Desk) -> Callable[..., list[Any]]:
    """``onnxruntime.InferenceSession.run`` as the orders have it."""

    def odd(session: Any, names: Sequence[str], inputs: Mapping[str, Any], *rest: Any) -> list[Any]:
        match desk.next_run():
            case "raises":
                raise RuntimeError(REASON)
            case "nan":
                return [np.full_like(value, np.nan) for value in run(session, names, inputs, *rest)]
            case "hangs":
                time.sleep(HANG_S)
        return run(session, names, inputs, *rest)

    return odd


def install(desk: Desk) -> None:
    """Replace the engine's call and the wall clock in this process."""
    import onnxruntime

    from stream.sources.webrtc import aiortc_compat

    real_s, real_ns = time.time, time.time_ns

    def now() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=desk.orders().wall_s)

    time.time = lambda: real_s() + desk.orders().wall_s
    time.time_ns = lambda: real_ns() + round(1e9 * desk.orders().wall_s)
    aiortc_compat.read_dates(now)
    onnxruntime.InferenceSession.run = spoilt(onnxruntime.InferenceSession.run, desk)


def main(argv: Sequence[str]) -> int:
    from stream.cli import main as command

    install(Desk(Path(argv[0])))
    return command(argv[1], argv[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
