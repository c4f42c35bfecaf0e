"""``segue bench capacity``: what a live stream costs, beside a server that decodes it and drops it.

Streams are 640x360 at 30 a second, H.264, by WHIP. The load comes from a process of its own on other cores, encoded
only once, and is not counted. Servers take turns within one run, so that a slow moment affects all of them.

On request a server of the same suggestions, written with the public ``fastrtc`` package (`fastrtc_server`), takes
turns too; the package may be in another environment than this program.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from .errors import BenchError
from .harness import Report, Row
from .report.counts import needed
from .report.interval import intervals, of_turns, percentiles
from .report.progress import reached
from .served import Served, cores, free_port, loaded, served
from .streams import FPS, write_stream

Say = Callable[[str], None]
Labels = dict[str, str | int | float]
DECODE_ONLY, SEGUE, FASTRTC = "decode-only", "segue", "fastrtc"
EASED: Final = "segue, eased"  # with the shipped defaults: under load, sessions get a slower pace
WARM_S: Final = 6.0  # until connections are made and first windows full
EASING_S: Final = 24.0  # more, where the server must find its pace first
STREAM_S: Final = 10
ENOUGH: Final = 0.97  # of the frames that were sent
LATE_MS: Final = 250.0  # p95: later than this, a server holds too many sessions
MOST: Final = 64
CROWD_S: Final = 60.0  # a session at a slower pace sends half as many messages, and the pace may change


@dataclass(frozen=True)
class CapacityOptions:
    """``seconds`` are measured in each trial; ``repeats``: turns of either server; ``search``: also how many sessions
    one core holds, and how fresh messages are at four fifths of what decoding alone holds; ``compare``: measure
    fastrtc's server too, which the interpreter ``python`` runs."""

    seconds: float = 20.0
    repeats: int = 3
    search: bool = True
    compare: bool = False
    python: str = sys.executable


@dataclass(frozen=True)
class Trial:
    """``cost``: CPU seconds of the server for each second of a stream; ``share`` of the sent frames that it took.
    ``late_ms``: from the end of a second to its message, as the server reports it."""

    cost: float
    share: float
    late_ms: list[float]
    pace: str = ""  # at the end
    refused: str = ""  # why the server refused a publisher


def measure(catalog: Path, options: CapacityOptions, say: Say) -> Report:
    """Raises `BenchError` on a machine with one core or without /proc, and for a comparison that cannot run."""
    available = cores()
    if options.compare:
        check_fastrtc(options.python)
    if len(available) < 2:
        raise BenchError("one core: the load would be counted as the server's; give this process two")
    on, load_on = available[:1], available[1:]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        stream = write_stream(Path(folder) / "stream.mp4", STREAM_S)
        bench = Bench(catalog, stream, on, load_on, options.seconds, options.python)
        others = (FASTRTC,) if options.compare else ()
        rows += cost_rows(bench, options.repeats, others, say)
        if options.search:
            rows += search_rows(bench, others, say)
    settings: dict[str, str | int | float] = {"server_cores": len(on), "load_cores": len(load_on), "fps": FPS}
    return Report("capacity", rows, settings | {"size": "640x360", "codec": "H264", "seconds": options.seconds})


@dataclass(frozen=True)
class Bench:
    """Where servers and load run, and which stream they get."""

    catalog: Path
    stream: Path
    on: Sequence[int]
    load_on: Sequence[int]
    seconds: float
    python: str = sys.executable  # of fastrtc's server

    @contextmanager
    def server(self, name: str) -> Iterator[Served]:
        port = free_port()
        with self._start(name, port) as running:
            yield running

    def _start(self, name: str, port: int) -> AbstractContextManager[Served]:
        if name == DECODE_ONLY:
            return served("benchmarks.decode_only", [str(port)], port, self.on)
        if name == FASTRTC:
            return served("benchmarks.fastrtc_server", [str(port), str(self.catalog)], port, self.on, self.python)
        words = ["serve", "-c", str(self.catalog), "--port", str(port), "--max-sessions", str(MOST)]
        return served("segue", words if name == EASED else [*words, "--max-late-ms", "0"], port, self.on)

    def trial(self, server: Served, sessions: int, name: str = SEGUE) -> Trial:
        way, warm_s = "fastrtc" if name == FASTRTC else "whip", WARM_S + EASING_S * (name == EASED)
        with loaded(server.url, self.stream, sessions, warm_s + self.seconds + 3.0, self.load_on, way) as load:
            time.sleep(warm_s)
            began_s, cpu_s, frames = time.monotonic(), server.cpu_s(), server.frames()
            time.sleep(self.seconds)
            ended_s, cpu_after_s, frames_after = time.monotonic(), server.cpu_s(), server.frames()
            pace = server.pace() if name == EASED else ""
            publishers = load.result()
        refused = next((publisher["refused"] for publisher in publishers if publisher["refused"]), "")
        elapsed_s = ended_s - began_s
        late_ms = [
            message[2]
            for publisher in publishers
            for message in publisher["messages"]
            if began_s <= message[0] <= ended_s and message[2] is not None
        ]
        share = (frames_after - frames) / (sessions * elapsed_s * FPS)
        return Trial((cpu_after_s - cpu_s) / (sessions * elapsed_s), share, late_ms, pace, refused)


def check_fastrtc(python: str) -> None:
    """Raises `BenchError`, which says what to do, if that interpreter has no fastrtc."""
    try:
        subprocess.run([python, "-c", "import fastrtc"], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(
            f"{python} cannot import fastrtc; give it an environment of its own: python -m venv V; "
            "V/bin/pip install -e '.[cpu]' fastrtc; then --fastrtc-python V/bin/python"
        ) from error


def cost_rows(bench: Bench, repeats: int, others: Sequence[str], say: Say) -> list[Row]:
    """The servers with one session each, in turns."""
    trials_of: dict[str, list[Trial]] = {name: [] for name in (DECODE_ONLY, SEGUE, *others)}
    for turn in range(repeats):
        for name, trials in trials_of.items():
            reached(say, turn * len(trials_of) + list(trials_of).index(name) + 0.2, repeats * len(trials_of))
            with bench.server(name) as server:
                trials.append(bench.trial(server, 1, name))
            if trials[-1].refused:
                raise BenchError(f"the server refused its only publisher: {trials[-1].refused}")
            say(f"turn {turn + 1}/{repeats}  {name}: {1000 * trials[-1].cost:.1f} ms of CPU for a second of stream")
    costs = {name: [trial.cost for trial in trials] for name, trials in trials_of.items()}
    rows = [
        Row(
            "cost_cpu_s",
            float(np.median(values)),
            repeats,
            "s/s",
            {"server": name, "sessions": 1, **spread(values)},
            of_turns(values),
        )
        for name, values in costs.items()
    ]
    for other in (DECODE_ONLY, *others):
        ratios = [ours / theirs for ours, theirs in zip(costs[SEGUE], costs[other], strict=True)]
        rows.append(
            Row(
                f"cost_ratio_{other.replace('-', '_')}", float(np.median(ratios)), repeats, "ratio",
                spread(ratios), of_turns(ratios),
            )
        )  # fmt: skip
    for name in (SEGUE, *others):
        rows += freshness([late for trial in trials_of[name] for late in trial.late_ms], 1, name)
        share = float(np.median([100 * trial.share for trial in trials_of[name]]))
        rows.append(Row("frames_taken", share, repeats, "percent", {"server": name, "sessions": 1}))
    return rows


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"least": round(min(values), 4), "most": round(max(values), 4)}


def freshness(late_ms: Sequence[float], sessions: int, server: str = SEGUE, during: str = "") -> list[Row]:
    """From the end of a second to its message; as many percentiles as there are messages for."""
    given = [percent for percent in (50, 95, 99) if len(late_ms) >= needed(percent)]
    if not late_ms:
        return []
    labels: Labels = {"server": server, "sessions": sessions}
    labels |= {"while": during} if during else {}
    spread = intervals(late_ms, percentiles(given))
    return [
        Row(f"freshness_p{at}_ms", float(value), len(late_ms), "ms", labels, within)
        for at, value, within in zip(given, np.percentile(late_ms, given), spread, strict=True)
    ]


def search_rows(bench: Bench, others: Sequence[str], say: Say) -> list[Row]:
    """How many sessions one core holds, and freshness at four fifths of what decoding alone holds."""
    tried: list[Row] = []
    floor = most_sessions(bench, DECODE_ONLY, say, tried)
    full, eased = (most_sessions(bench, name, say, tried) for name in (SEGUE, EASED))
    on: Labels = {"server_cores": len(bench.on)}
    rows = [
        *tried,
        Row("max_sessions_decode_only", floor, 1, "sessions", on),
        Row("max_sessions", eased, 1, "sessions", on),
        Row("max_sessions_in_full", full, 1, "sessions", on),
    ]
    for name in others:
        most = most_sessions(bench, name, say, rows)
        rows.append(Row(f"max_sessions_{name}", most, 1, "sessions", {"server_cores": len(bench.on)}))
    crowd = max(1, int(0.8 * floor))
    for name in (SEGUE, EASED):
        with bench.server(name) as server:
            trial = replace(bench, seconds=CROWD_S).trial(server, crowd, name)
        outcome = f"{100 * trial.share:.0f}% of the frames taken, pace {trial.pace or 'full'}"
        say(f"{name}, {crowd} sessions: {outcome}{', ' * bool(trial.refused)}{trial.refused}")
        labels: Labels = {"server": name, "sessions": crowd, "pace": trial.pace or "full"}
        rows.append(Row("frames_taken", 100 * trial.share, 1, "percent", labels))
        rows += freshness(trial.late_ms, crowd, name)
    return rows


def most_sessions(bench: Bench, name: str, say: Say, rows: list[Row]) -> int:
    """The largest number of sessions that the server holds; the search starts from the cost of one. How late
    messages were at each number goes to ``rows``."""

    def holds(count: int) -> bool:
        with bench.server(name) as server:
            trial = bench.trial(server, count, name)
        late_ms = float(np.percentile(trial.late_ms, 95)) if trial.late_ms else 0.0
        held = trial.share >= ENOUGH and late_ms <= LATE_MS and not trial.refused
        paced = f", pace {trial.pace}" * bool(trial.pace)
        late = f", p95 {late_ms:.0f} ms late" * (len(trial.late_ms) >= needed(95))
        say(f"{name}, {count} sessions: {100 * trial.share:.0f}% of the frames{late}{paced}")
        rows.extend(freshness(trial.late_ms, count, name, "searching"))
        return held

    with bench.server(name) as server:
        count = min(MOST, max(1, int(0.8 / bench.trial(server, 1, name).cost)))
    return boundary(holds, count)


def boundary(holds: Callable[[int], bool], guess: int, step: int = 4) -> int:
    """The largest number up to ``MOST`` that holds, 0 for none: in steps away from ``guess``, then by halves."""
    low, high, count = 0, MOST + 1, guess
    while high - low > 1:
        if holds(count):
            low = count
        else:
            high = count
        both = low > 0 and high <= MOST
        count = (low + high) // 2 if both else low + step if low else high - step
        count = min(max(count, low + 1), high - 1)
    return low
