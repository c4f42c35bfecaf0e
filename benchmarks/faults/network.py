"""Bad networks: a publisher behind a wire that loses packets, delays them, or carries none for a while."""

import asyncio
import contextlib
import json
import math
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .outcome import Outcome, rate_and_gap
from .scene import Scene
from .target import unspoilt_log
from .wire import SIDES, Network, Wire, wire

PATIENCE_S: Final = 6.0
CONNECT_S: Final = 4.0
CLEAN: Final = Network()
DOWN: Final = Network(down=True)
AFTER: Final = "after"  # how the names of phases begin in which suggestions come again
PUBLISHERS: Final = 2  # of each kind
PHASES: Final = (
    ("before", CLEAN, 8.0),
    ("loss of 1%", Network(loss=0.01), 10.0),
    ("loss of 5%", Network(loss=0.05), 10.0),
    ("loss of 10%", Network(loss=0.10), 10.0),
    ("once loss is over", CLEAN, 5.0),
    ("jitter of 200 ms", Network(jitter_s=0.2), 10.0),
    ("once jitter is over", CLEAN, 5.0),
    *(
        phase
        for turn in range(1, 6)
        for phase in ((f"blackout of 2 s, {turn}", DOWN, 2.0), (f"{AFTER} 2 s, {turn}", CLEAN, 6.0))
    ),
)
LEAST: Final = {
    "before": 0.7,
    "loss of 1%": 0.7,
    "loss of 5%": 0.6,
    "loss of 10%": 0.5,
    "once loss is over": 0.5,
    "jitter of 200 ms": 0.5,
    "once jitter is over": 0.5,
}
RESUMED_S: Final = 4.0  # after a short blackout, at most
WORDS: Final = ("--host", "0.0.0.0", "--no-tokens", "--max-late-ms", "0")


@dataclass(frozen=True)
class Phase:
    """A stretch of time with one network."""

    name: str
    begin_s: float
    end_s: float


@dataclass
class Drive:
    """What was done and what was heard. ``publishers``: by key, its offers; ``sessions``: see `watcher.watch`."""

    phases: list[Phase] = field(default_factory=list)
    publishers: dict[str, list[list[Any]]] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, label: str) -> dict[str, dict[str, Any]]:
        """The sessions of one publisher."""
        return {name: one for name, one in self.sessions.items() if one["label"] == label}

    def labels(self, key: str) -> list[str]:
        """The publishers of one kind."""
        return [label for label in self.publishers if label.rpartition("-")[0] == key]

    def said(self, label: str) -> list[tuple[float, float | None]]:
        """When suggestions came to one publisher's viewers, and how old their newest picture was, in ms."""
        return sorted((at_s, ms) for session in self.of(label).values() for at_s, ms in session["suggestions"])


async def network(scene: Scene, out: Outcome) -> None:
    """Loss, jitter and short blackouts, one after another; each publisher has one session that outlives them all."""
    drive = await drove(scene, out, PHASES, {"watchful": PATIENCE_S})
    report(out, drive, "watchful")
    for phase, least in LEAST.items():
        rates = [row.value for row in out.rows if row.metric == "suggestions_a_second" and row.labels["phase"] == phase]
        out.expect(bool(rates) and rates[0] >= least, f"{phase}: {rates} suggestions a second, not {least}")
    times = resumed_s(drive, "watchful")
    out.spread("suggestions_again_after_s", times, publisher="watchful")
    out.expect(max(times) <= RESUMED_S, f"after a blackout of 2 s: no suggestions for {max(times):.1f} s")
    for label in drive.labels("watchful"):
        out.expect(len(drive.of(label)) == 1, f"{label}: {len(drive.of(label))} sessions instead of one")


def resumed_s(drive: Drive, key: str) -> list[float]:
    """From the return of the network to the next suggestion, for each publisher and blackout; infinite for never."""
    found = []
    for phase in drive.phases:
        if not phase.name.startswith(AFTER):
            continue
        for label in drive.labels(key):
            after = [at_s for at_s, _ in drive.said(label) if at_s >= phase.begin_s]
            found.append(min(after, default=math.inf) - phase.begin_s)
    return found


async def drove(
    scene: Scene, out: Outcome, phases: Sequence[tuple[str, Network, float]], publishers: dict[str, float]
) -> Drive:
    """Server and watcher on one side of the wire, on the other publishers: `PUBLISHERS` of each kind, which has a
    key and a patience.

    Raises `SkippedError` where there can be no wire.
    """
    drive = Drive()
    lasting_s = CONNECT_S + sum(seconds for _, _, seconds in phases)
    with wire(scene.seed) as between, scene.server(WORDS, between.inside[1], f"http://{SIDES[1]}") as server:
        watched = [
            *between.inside[1],
            sys.executable,
            "-m",
            "benchmarks.faults.watcher",
            server.url,
            str(lasting_s + 1),
        ]
        async with contextlib.AsyncExitStack() as stack:
            watching = await stack.enter_async_context(_running(watched))
            loads = []
            for key, patience_s in publishers.items():
                words = [
                    sys.executable,
                    "-m",
                    "benchmarks.faults.again",
                    server.url,
                    str(scene.stream),
                    str(PUBLISHERS),
                    str(lasting_s),
                ]
                loads.append(
                    await stack.enter_async_context(_running([*between.inside[0], *words, key, str(patience_s)]))
                )
            await asyncio.sleep(CONNECT_S)
            drive.phases += [await _phase(between, out, *phase) for phase in phases]
            for load in loads:
                drive.publishers |= {one["key"]: one["posts"] for one in json.loads((await load.communicate())[0])}
            drive.sessions = json.loads((await watching.communicate())[0])
        unspoilt_log(server, len(phases), out)
    return drive


@contextlib.asynccontextmanager
async def _running(words: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _phase(between: Wire, out: Outcome, name: str, state: Network, seconds: float) -> Phase:
    begin_s, lost, passed = time.monotonic(), between.judge.lost, between.judge.passed
    between.set(state)
    await asyncio.sleep(seconds)
    lost, passed = between.judge.lost - lost, between.judge.passed - passed
    out.count("packets_lost", 100 * lost / max(1, lost + passed), lost + passed, "percent", phase=name)
    return Phase(name, begin_s, time.monotonic())


def report(out: Outcome, drive: Drive, key: str) -> None:
    """The figures of the publishers of one kind together, phase by phase, and how they came back.

    Of suggestions a second the mean of the publishers, of the longest gap the longest.
    """
    said = {label: drive.said(label) for label in drive.labels(key)}
    for phase in drive.phases:
        found = [rate_and_gap([at_s for at_s, _ in each], phase.begin_s, phase.end_s) for each in said.values()]
        late = [ms for each in said.values() for at_s, ms in each if phase.begin_s <= at_s < phase.end_s and ms]
        labels = {"publisher": key, "phase": phase.name}
        n = round(sum(rate for rate, _ in found) * (phase.end_s - phase.begin_s))
        out.count("suggestions_a_second", float(np.mean([rate for rate, _ in found])), n, "1/s", **labels)
        out.count("longest_gap_s", max(gap_s for _, gap_s in found), n, "s", **labels)
        if late:
            out.count("freshness_p95_ms", float(np.percentile(late, 95)), len(late), "ms", **labels)
    posts = [post for label in said for post in drive.publishers.get(label, [])]
    out.count("sessions", sum(len(drive.of(label)) for label in said), len(said), "", publisher=key)
    out.count("offers", len(posts), len(posts), "", publisher=key)
    out.count("offers_answered", sum(status == 201 for _, status, _ in posts), len(posts), "", publisher=key)
