"""Latency of the whole path, stage by stage, on a file played in real time.

The file runs through the same ``LiveDriver`` as a camera does, again and again until ``seconds`` are over, at the pace
of its timestamps. Then it runs once as fast as possible, for the speed.

*Stages* are timed where they run: ``decode`` per frame, ``convert``, ``flow`` and ``appearance`` per sampled frame, the
rest per hop. ``publish`` includes the encoding to JSON. *End to end* is per message: the decoding of the newest frame
that the message used, and the time from that frame's arrival in the session until the message was out. The wait
until the second is full is not latency and does not count; the wait for a thread or for the event loop does.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.catalog import Catalog
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine
from stream.core.events import Inner, Notice, Suggestions
from stream.core.session import SessionOptions
from stream.driver import stopwatch
from stream.driver.runtime import Runtime
from stream.driver.stopwatch import Stopwatch
from stream.messages import line
from stream.sinks.base import FunctionSink
from stream.sources.pull.pull import Pull
from stream.watch import watch_fast, watch_paced

from .errors import BenchError
from .harness import Curve, Report, Row, curve_of, percentile_rows
from .peers import peer_rows
from .report.progress import expect

END_TO_END: Final = "end to end"
STAGES: Final = (*stopwatch.STAGES, END_TO_END)


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """``seconds``: how long to play in real time; ``threads``: within one graph's run; ``peers``: of `peers.PEERS`, to
    be measured beside; ``peer_s``: seconds of each that is repeated."""

    seconds: float = 60.0
    threads: int = 1
    peers: tuple[str, ...] = ()
    peer_s: float = 5.0


class Durations:
    """Durations by stage, in milliseconds; called from several threads (a list's append is atomic)."""

    def __init__(self) -> None:
        self.samples: defaultdict[str, list[float]] = defaultdict(list)

    def probe(self, stage: str, seconds: float) -> None:
        self.samples[stage].append(1000.0 * seconds)

    def rows(self, order: Sequence[str] = STAGES, **labels: str | int | float) -> list[Row]:
        """Percentile rows of each stage that ran; a stage outside ``order`` comes last."""
        names = [*order, *(name for name in self.samples if name not in order)]
        return [row for name in names for row in percentile_rows(self.samples.get(name, []), stage=name, **labels)]

    def curves(self) -> list[Curve]:
        """How the samples of each stage are distributed."""
        return [curve_of(samples, "ms", stage=name) for name, samples in self.samples.items() if samples]


def measure(
    source: str, folder: Path, bundle: Bundle, options: LatencyOptions, say: Callable[[str], None] = lambda _: None
) -> Report:
    """Play ``source`` against the catalogue in ``folder``. Raises ``BenchError`` if it gave no message."""
    with Catalog.open(folder, bundle) as catalog:
        engine = OnnxEngine(bundle, threads=options.threads)
        try:
            engine.warmup()
            runtime = Runtime(engine, catalog)
            watch = Durations()
            expect(say, options.seconds)
            passes = _play(source, runtime, options.seconds, watch)
            if not watch.samples[END_TO_END]:
                raise BenchError(f"{source}: gave no suggestions, so there is nothing to time; take a longer video")
            rows = watch.rows() + _speed(source, runtime)
            rows += peer_rows(source, runtime, catalog, options.peer_s, options.peers, say)
            settings: dict[str, str | int | float] = {
                "source": Path(source).name,
                "passes": passes,
                "threads": options.threads,
                "engine": engine.name,
                "bundle": bundle.manifest.name,
                "tracks": len(catalog),
            }
        finally:
            engine.close()
    return Report("latency", rows, settings, watch.curves())


def _play(source: str, runtime: Runtime, seconds: float, watch: Durations) -> int:
    """In real time, whole passes until ``seconds`` are over; returns how many."""

    def publish(notice: Notice) -> None:
        if not isinstance(notice, Inner):
            line(notice)  # the text for a viewer
        if isinstance(notice, Suggestions) and notice.late_ms is not None:
            watch.samples[END_TO_END].append(notice.late_ms + watch.samples["decode"][-1])

    sink, timed = FunctionSink(publish), Stopwatch(watch.probe)
    begun, passes = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        with Pull(source) as pull:
            asyncio.run(watch_paced(pull, source, runtime, SessionOptions(), sink, timed))
        passes += 1
    return passes


def _speed(source: str, runtime: Runtime) -> list[Row]:
    """Seconds of video per second, as fast as one pass goes, opening the file included."""
    ends: list[float] = []

    def publish(notice: Notice) -> None:
        if not isinstance(notice, Inner):
            line(notice)
        if isinstance(notice, Suggestions):
            ends.append(notice.pts_s)

    begun = time.perf_counter()
    with Pull(source) as pull:
        watch_fast(pull, runtime, SessionOptions(), FunctionSink(publish))
    elapsed_s = time.perf_counter() - begun
    return [Row("speed_x", ends[-1] / elapsed_s, 1, "x real time", {"stage": "whole path, unpaced"})] if ends else []
