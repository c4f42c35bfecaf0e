"""Bad networks: publishers behind one that loses packets, delays them, or carries none for a while."""

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpx
import numpy as np

from .lossy_net import SIDES, LossyNet, Network, lossy_net
from .outcome import Outcome, rate_and_gap
from .reconnecting_publisher import publish
from .scripted_publisher import Viewer
from .target import Scene
from .waiting import together

PATIENCE_S: Final = 6.0
CONNECT_S: Final = 4.0
LOOK_S: Final = 0.5
END_S: Final = 20.0  # for publishers and viewers to end after their time
CLEAN: Final = Network()
DOWN: Final = Network(down=True)
AFTER: Final = "after"  # how the names of phases begin in which suggestions come again
PUBLISHERS: Final = 2  # of each kind
# each network for so many seconds, and how many suggestions a second there are to be at least
STEADY: Final = (
    ("before", CLEAN, 8.0, 0.7),
    ("loss of 1%", Network(loss=0.01), 10.0, 0.7),
    ("loss of 5%", Network(loss=0.05), 10.0, 0.6),
    ("loss of 10%", Network(loss=0.10), 10.0, 0.5),
    ("once loss is over", CLEAN, 5.0, 0.5),
    ("jitter of 200 ms", Network(jitter_s=0.2), 10.0, 0.5),
    ("once jitter is over", CLEAN, 5.0, 0.5),
)
RESUMED_S: Final = 4.0  # after a short blackout, at most
WORDS: Final = ("--host", "0.0.0.0", "--no-tokens", "--max-late-ms", "0")
Phases = Sequence[tuple[str, Network, float]]


@dataclass(frozen=True)
class Phase:
    """A stretch of time with one network."""

    name: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Drive:
    """What was done; the statuses of the offers of each kind of publishers; the viewers of every session."""

    phases: Sequence[Phase]
    statuses: Mapping[str, list[int]]
    viewers: Sequence[Viewer]

    def streams(self, kind: str) -> list[list[Viewer]]:
        """Of each publisher of a kind the viewers of its sessions."""
        return [[viewer for viewer in self.viewers if viewer.label == key] for key in keys(kind)]


def keys(kind: str) -> list[str]:
    """Those of the publishers of a kind, which are their labels too."""
    return [f"{kind}-{number}" for number in range(PUBLISHERS)]


async def network(scene: Scene, out: Outcome) -> None:
    """Loss, jitter and short blackouts, one after another; each publisher has one session that outlives them all."""
    phases = [(name, state, seconds) for name, state, seconds, _ in STEADY]
    drive = await drove(scene, out, [*phases, *blackouts(5, 2.0, 6.0)], {"watchful": PATIENCE_S})
    report(out, drive, "watchful", {name: least for name, _, _, least in STEADY})
    out.spread("suggestions_again_after_s", resumed_s(drive, "watchful"), RESUMED_S, publisher="watchful")
    for viewers in drive.streams("watchful"):
        out.expect(len(viewers) == 1, f"a publisher had {len(viewers)} sessions instead of one")


def blackouts(times: int, seconds: float, after_s: float) -> Phases:
    """So many, with a clean network after each."""
    phases = []
    for turn in range(1, times + 1):
        phases.append((f"blackout of {seconds:g} s, {turn}", DOWN, seconds))
        phases.append((f"{AFTER} {seconds:g} s, {turn}", CLEAN, after_s))
    return phases


async def drove(scene: Scene, out: Outcome, phases: Phases, kinds: dict[str, float]) -> Drive:
    """Server and viewers on one side of the network, on the other publishers: `PUBLISHERS` of each kind, with its
    patience.

    Raises `SkippedError` where there can be no such network.
    """
    lasting_s = CONNECT_S + sum(seconds for _, _, seconds in phases)
    async with lossy_net(scene.seed) as net:
        with (
            scene.server(WORDS, net.before(1), f"http://{SIDES[1]}") as server,
            net.processes(1, 1) as near,
            net.processes(0, len(kinds)) as far,
        ):
            watching = near.apply_async(watch, (server.url, lasting_s + 1))
            publishing = {
                kind: far.apply_async(publish, (server.url, scene.stream, keys(kind), lasting_s, patience_s))
                for kind, patience_s in kinds.items()
            }
            await asyncio.sleep(CONNECT_S)
            done = [await one_phase(net, out, *phase) for phase in phases]
            statuses = {kind: await asyncio.to_thread(result.get, END_S) for kind, result in publishing.items()}
            viewers = await asyncio.to_thread(watching.get, END_S)
            server.expect_unspoilt_log(len(phases), out)
    return Drive(done, statuses, viewers)


async def one_phase(net: LossyNet, out: Outcome, name: str, state: Network, seconds: float) -> Phase:
    begin_s, lost, passed = time.monotonic(), net.judge.lost, net.judge.passed
    net.judge.network = state
    await asyncio.sleep(seconds)
    lost, passed = net.judge.lost - lost, net.judge.passed - passed
    out.count("packets_lost", 100 * lost / max(1, lost + passed), lost + passed, "percent", phase=name)
    return Phase(name, begin_s, time.monotonic())


def watch(url: str, seconds: float) -> list[Viewer]:
    """A viewer of every session that there is meanwhile."""
    viewers: dict[str, Viewer] = {}

    async def look() -> None:
        until_s = time.monotonic() + seconds
        async with contextlib.AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=5))
            while time.monotonic() < until_s:
                with contextlib.suppress(httpx.HTTPError):
                    for session in (await client.get("/api/sessions")).raise_for_status().json()["sessions"]:
                        if session["id"] not in viewers:
                            viewer = viewers[session["id"]] = Viewer(urljoin(url, session["events"]), session["label"])
                            await stack.enter_async_context(together(viewer.watch()))
                await asyncio.sleep(LOOK_S)

    asyncio.run(look())
    return list(viewers.values())


def resumed_s(drive: Drive, kind: str) -> list[float]:
    """From the return of the network to the next suggestion, for each blackout and publisher; infinite for never."""
    resumed = []
    for begin_s in (phase.begin_s for phase in drive.phases if phase.name.startswith(AFTER)):
        for viewers in drive.streams(kind):
            times_s = (at_s for viewer in viewers for at_s in viewer.suggested_s if at_s >= begin_s)
            resumed.append(min(times_s, default=math.inf) - begin_s)
    return resumed


def report(out: Outcome, drive: Drive, kind: str, least: Mapping[str, float]) -> None:
    """The figures of the publishers of one kind together, phase by phase, and how they came back.

    Of suggestions a second the mean of the publishers, by phase what it is to be at ``least``; of the longest gap the
    longest.
    """
    streams = drive.streams(kind)
    for phase in drive.phases:
        span = phase.begin_s, phase.end_s
        times_s = [[at_s for viewer in viewers for at_s in viewer.suggested_s] for viewers in streams]
        rates = [rate_and_gap(each, *span)[0] for each in times_s]
        n = round(sum(rates) * (phase.end_s - phase.begin_s))
        rate, at_least = float(np.mean(rates)), least.get(phase.name, 0.0)
        out.count("suggestions_a_second", rate, n, "1/s", at_least, publisher=kind, phase=phase.name)
        gap_s = max(rate_and_gap(each, *span)[1] for each in times_s)
        out.count("longest_gap_s", gap_s, n, "s", publisher=kind, phase=phase.name)
        late_ms = [ms for viewers in streams for viewer in viewers for ms in viewer.late_ms(*span)]
        if late_ms:
            p95_ms = float(np.percentile(late_ms, 95))
            out.count("freshness_p95_ms", p95_ms, len(late_ms), "ms", publisher=kind, phase=phase.name)
    statuses = drive.statuses[kind]
    out.count("sessions", sum(map(len, streams)), len(streams), publisher=kind)
    out.count("offers", len(statuses), len(statuses), publisher=kind)
    out.count("offers_answered", statuses.count(201), len(statuses), publisher=kind)
