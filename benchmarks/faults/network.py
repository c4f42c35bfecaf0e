"""Bad networks: a publisher behind a wire that loses packets, delays them, or carries none for a while."""

import asyncio
import contextlib
import json
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
PHASES: Final = (
    ("before", CLEAN, 8.0),
    ("loss of 1%", Network(loss=0.01), 8.0),
    ("loss of 5%", Network(loss=0.05), 8.0),
    ("loss of 10%", Network(loss=0.10), 8.0),
    ("after loss", CLEAN, 5.0),
    ("jitter of 200 ms", Network(jitter_s=0.2), 8.0),
    ("after jitter", CLEAN, 5.0),
    ("blackout of 2 s", DOWN, 2.0),
    ("after 2 s", CLEAN, 8.0),
)
LEAST: Final = {
    "before": 0.7,
    "loss of 1%": 0.7,
    "loss of 5%": 0.5,
    "after loss": 0.5,
    "after jitter": 0.4,
    "after 2 s": 0.5,
}
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


async def network(scene: Scene, out: Outcome) -> None:
    """Loss, jitter and a short blackout, one after another; one session should outlive them all."""
    drive = await drove(scene, out, PHASES, {"watchful": PATIENCE_S})
    report(out, drive, "watchful-0")
    for phase, least in LEAST.items():
        rates = [row.value for row in out.rows if row.metric == "suggestions_a_second" and row.labels["phase"] == phase]
        out.expect(bool(rates) and rates[0] >= least, f"{phase}: {rates} suggestions a second, not {least}")
    out.expect(len(drive.of("watchful-0")) == 1, f"{len(drive.of('watchful-0'))} sessions instead of one")


async def drove(
    scene: Scene, out: Outcome, phases: Sequence[tuple[str, Network, float]], publishers: dict[str, float]
) -> Drive:
    """Server and watcher on one side of the wire, publishers (key and patience of each) on the other.

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
                    "1",
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


def report(out: Outcome, drive: Drive, label: str) -> None:
    """The figures of one publisher, phase by phase, and how it came back."""
    sessions = drive.of(label)
    said = [one for session in sessions.values() for one in session["suggestions"]]
    frames = sorted(one for session in sessions.values() for one in session["frames"])
    for phase in drive.phases:
        times = [at_s for at_s, _ in said]
        rate, gap_s = rate_and_gap(times, phase.begin_s, phase.end_s)
        n = round(rate * (phase.end_s - phase.begin_s))
        late = [ms for at_s, ms in said if phase.begin_s <= at_s < phase.end_s and ms is not None]
        seen = [count for at_s, count in frames if phase.begin_s <= at_s < phase.end_s]
        labels = {"publisher": label, "phase": phase.name}
        out.count("suggestions_a_second", rate, n, "1/s", **labels)
        out.count("longest_gap_s", gap_s, n, "s", **labels)
        if late:
            out.count("freshness_p95_ms", float(np.percentile(late, 95)), len(late), "ms", **labels)
        if len(seen) > 1:
            out.count("frames", seen[-1] - seen[0], len(seen), "", **labels)
    posts = drive.publishers.get(label, [])
    out.count("sessions", len(sessions), 1, "", publisher=label)
    out.count("offers", len(posts), len(posts), "", publisher=label)
    out.count("offers_answered", sum(status == 201 for _, status, _ in posts), len(posts), "", publisher=label)
