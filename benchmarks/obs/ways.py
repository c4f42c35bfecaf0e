"""``segue bench obs-ways``: the ways from OBS into Segue, in one run with the real OBS (Linux, a checkout with tests).

Each way in turn, and again, with one OBS a turn: (a) *seen*: from asking OBS for another scene (a hard cut between two
colours) to the first picture of it in Segue, decoded; (b) *CPU*: of OBS's process, of ``segue serve`` with all its
processes, while a film plays in OBS. ``off``: OBS alone, Segue with nobody there. ``whip``: not OBS's (it has WHIP from
30 on), but a publisher of the same film.
"""

import argparse
import asyncio
import contextlib
import importlib
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row
from benchmarks.served import ROOT, Served, cores, free_port, loaded, served
from benchmarks.streams import Shape, write_stream
from stream.obs.address import parse_address
from stream.obs.client import ObsClient
from stream.obs.errors import ObsError
from stream.obs.link import ObsLink
from stream.obs.program import Program
from stream.server.inputs import Connect
from stream.server.listening import ListenOptions, listening, open_ports
from stream.sources.arrival import Arrival
from stream.sources.listen.address import parsed
from stream.sources.obs.pictures import Pictures

LISTENED: Final = {"srt": "", "rtmp": "/live/x", "udp": ""}
AS_STREAM: Final = "rtmp as the stream"
SHOTS: Final = "screenshots"
WAYS: Final = ("off", SHOTS, *LISTENED, AS_STREAM, "whip")
COLOURS: Final = {"Red": 0xFF0000FF, "Green": 0xFF00FF00}
FILM: Final = Shape(640, 360, 20, 1_000_000)
SETTLE_S: Final = 3.0
COME_S: Final = 30.0
SEEN_S: Final = 10.0
WARM_FRAMES: Final = 100  # the first lists have been made


@dataclass(frozen=True)
class WaysOptions:
    """``turns``: of each way; ``cuts`` and ``seconds``: of the picture and of CPU time, a turn."""

    turns: int = 2
    cuts: int = 20
    seconds: float = 10.0
    ways: tuple[str, ...] = WAYS
    seed: int = 1


def measure(catalog: Path, options: WaysOptions, tell: Callable[[str], None]) -> Report:
    """Raises `BenchError` where OBS or its tools are not here."""
    tools = _tools()
    dice = random.Random(options.seed)
    seen: dict[str, list[float]] = {way: [] for way in options.ways}
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in options.ways}
    with tempfile.TemporaryDirectory() as folder:
        film = write_stream(Path(folder) / "film.mp4", 10, shape=FILM)
        for _ in range(options.turns):
            for way in options.ways:
                with _obs(tools, Path(folder), film, way) as (real, port):
                    if way not in ("off", "whip"):
                        seen[way] += asyncio.run(_seen(real, way, port, options.cuts, dice))
                    spent[way].append(asyncio.run(_spent(real, way, port, catalog, film, options.seconds)))
                figures = ", ".join(f"{share:.3f}" for share in spent[way][-1])
                tell(f"{way}: {len(seen[way])} cuts, OBS and Segue {figures} cores")
    return Report("obs-ways", [*_seen_rows(seen), *_spent_rows(spent)], {"canvas": "640x360", "fps": FILM.fps})


def _seen_rows(seen: Mapping[str, list[float]]) -> Iterator[Row]:
    for way, times_ms in seen.items():
        if times_ms:
            for name, value in zip(("p5", "p50", "p95"), np.percentile(times_ms, (5, 50, 95)), strict=True):
                yield Row(f"seen_{name}", float(value), len(times_ms), "ms", {"way": way})


def _spent_rows(spent: Mapping[str, list[tuple[float, float]]]) -> Iterator[Row]:
    for way, shares in spent.items():
        for program, values in zip(("OBS", "Segue"), zip(*shares, strict=True), strict=True):
            for name, value in (
                ("lowest", min(values)),
                ("median", float(np.median(values))),
                ("highest", max(values)),
            ):
                yield Row(f"cpu_{name}", value, len(values), "cores", {"way": way, "of": program})


def _tools() -> Any:
    """The tests' modules that run an OBS without a screen."""
    folder = ROOT / "tests" / "tools"
    if not folder.is_dir():
        raise BenchError("obs-ways runs an OBS as the tests do: it needs a checkout with tests/tools")
    sys.path.append(str(folder))
    return importlib.import_module("real_obs"), importlib.import_module("custom_output")


@contextlib.contextmanager
def _obs(tools: Any, folder: Path, film: Path, way: str) -> Iterator[tuple[Any, int]]:
    """An OBS that is set up for a way, and the port for it."""
    real_obs, custom_output = tools
    port = free_port()
    more = (
        real_obs.source("ffmpeg_source", "film", {"local_file": str(film), "looping": True}),
        real_obs.scene("Film", "film"),
    )
    with real_obs.obs(folder, COLOURS, fps=FILM.fps, more=more, start=False) as real:
        if way in LISTENED:
            custom_output.send_recording_to(real, custom_output.url_for(parsed(_address(way, port))))
        real.start()
        yield real, port


def _address(way: str, port: int) -> str:
    kind = "rtmp" if way == AS_STREAM else way
    return f"{kind}://127.0.0.1:{port}{LISTENED[kind]}"


@contextlib.asynccontextmanager
async def _asking(real: Any) -> AsyncIterator[ObsClient]:
    there = asyncio.Event()

    async def connected(_: ObsClient) -> None:
        there.set()

    address = parse_address(real.url, real.password)
    client = ObsClient(address, on_event=lambda *_: None, on_connected=connected, on_lost=lambda _: None)
    running = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(COME_S):
            await there.wait()
        yield client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def _sending(client: ObsClient, way: str, port: int) -> AsyncIterator[None]:
    """OBS sends meanwhile."""
    if way == AS_STREAM:
        settings = {"server": f"rtmp://127.0.0.1:{port}/live", "key": "x"}
        service = {"streamServiceType": "rtmp_custom", "streamServiceSettings": settings}
        await client.request("SetStreamServiceSettings", service)
    if way in LISTENED or way == AS_STREAM:
        await client.request("StartStream" if way == AS_STREAM else "StartRecord")
    try:
        yield
    finally:
        with contextlib.suppress(ObsError):
            await client.request("StopStream" if way == AS_STREAM else "StopRecord")


class _Eye:
    """A hub that looks at the colour of what comes."""

    def __init__(self) -> None:
        self.colour = ""
        self.changed = asyncio.Event()

    def begin(self, label: str, key: str, connect: Connect) -> object:
        return connect(self.look, lambda _: None, lambda _: None)

    def look(self, arrival: Arrival) -> None:
        self.see(arrival.frame)

    def see(self, frame: av.VideoFrame) -> None:
        red, green, _ = frame.to_ndarray(format="rgb24")[60:120, 100:220].mean((0, 1))
        colour = "Red" if red > green else "Green"
        if colour != self.colour:
            self.colour = colour
            self.changed.set()


async def _seen(real: Any, way: str, port: int, cuts: int, dice: random.Random) -> list[float]:
    """Milliseconds from each request for the other scene to its first picture."""
    eye = _Eye()
    async with _looking(real, way, port, eye), _asking(real) as client, _sending(client, way, port):
        async with asyncio.timeout(COME_S):
            await eye.changed.wait()
        await asyncio.sleep(SETTLE_S)
        times_ms = []
        for _ in range(cuts):
            await asyncio.sleep(dice.uniform(0.6, 1.2))
            other = next(name for name in COLOURS if name != eye.colour)
            eye.changed.clear()
            begun_s = time.monotonic()
            await client.request("SetCurrentProgramScene", {"sceneName": other})
            async with asyncio.timeout(SEEN_S):
                await eye.changed.wait()
            times_ms.append(1e3 * (time.monotonic() - begun_s))
        return times_ms


@contextlib.asynccontextmanager
async def _looking(real: Any, way: str, port: int, eye: _Eye) -> AsyncIterator[None]:
    """What comes by this way is shown to ``eye``, without a session."""
    if way == SHOTS:
        shots = _Shots(eye)
        running = asyncio.create_task(ObsLink(parse_address(real.url, real.password), [shots.program, shots]).run())
        try:
            yield
        finally:
            for task in (running, *shots.tasks):
                task.cancel()
            await asyncio.gather(running, *shots.tasks, return_exceptions=True)
        return
    asked = ListenOptions((parsed(_address(way, port)),))
    with open_ports(asked) as ports:
        async with listening(eye, ports, asked):
            yield


class _Shots:
    """A part of a link to OBS that asks for pictures."""

    def __init__(self, eye: _Eye) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.program = Program(lambda name, cut: None, lambda: None)
        self._pictures = Pictures(self.program, eye.look, lambda reason: None)

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Nothing: the program hears them."""

    async def connected(self, client: ObsClient) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(self._pictures.run(client)))

    def lost(self, reason: str) -> None:
        """Nothing: the measurement fails for want of pictures."""


async def _spent(real: Any, way: str, port: int, catalog: Path, film: Path, seconds: float) -> tuple[float, float]:
    """Shares of a core: OBS's, and those of the server and its processes."""
    web = free_port()
    words = ["serve", "-c", str(catalog), "--port", str(web)]
    listened = way in LISTENED or way == AS_STREAM
    words += ["--listen", _address(way, port)] if listened else []
    words += ["--obs", real.url.replace("//", f"//:{real.password}@")] if way == SHOTS else []
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, served("segue", words, web, cores()))
        async with _asking(real) as client:
            await client.request("SetCurrentProgramScene", {"sceneName": "Film"})
            async with _sending(client, way, port):
                if way == "whip":
                    most_s = COME_S + SETTLE_S + seconds
                    stack.enter_context(loaded(server.url, film, 1, most_s, cores()))
                if way != "off":
                    await asyncio.to_thread(_await_frames, server)
                await asyncio.sleep(SETTLE_S)
                before, begun_s = (_cpu_s(real.pid()), _cpu_s(server.pid)), time.monotonic()
                await asyncio.sleep(seconds)
                passed_s = time.monotonic() - begun_s
                after = _cpu_s(real.pid()), _cpu_s(server.pid)
                if way != "off" and not server.sessions():
                    raise BenchError(f"{way}: the session ended while it was measured")
    return (after[0] - before[0]) / passed_s, (after[1] - before[1]) / passed_s


def _await_frames(server: Served) -> None:
    until_s = time.monotonic() + COME_S
    while time.monotonic() < until_s:
        if server.frames() > WARM_FRAMES:
            return
        time.sleep(0.2)
    raise BenchError(f"no frames within {COME_S:g} s")


def _cpu_s(pid: int) -> float:
    """User and system seconds of a process, of its ended children and of those that run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own_s = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError):  # it has ended
                    own_s += _cpu_s(int(child))
    return own_s


def add_obs_ways(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``obs-ways`` to ``segue bench``."""
    kind = kinds.add_parser("obs-ways", help="the ways from OBS into Segue: how late, and what each costs")
    kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    kind.add_argument("--turns", type=int, default=2, help="of each way (default 2)")
    kind.add_argument("--cuts", type=int, default=20, help="of each turn (default 20)")
    kind.add_argument("--seconds", type=float, default=10.0, help="of CPU time, each turn (default 10)")
    kind.add_argument("--only", "--way", dest="way", action="append", choices=WAYS, help="only this one; repeatable")
    kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def obs_ways(options: argparse.Namespace) -> int:
    """Run the kind and print it."""
    from rich.console import Console

    from benchmarks.harness import print_rows
    from benchmarks.report.run import publish, run_of

    settings = WaysOptions(options.turns, options.cuts, options.seconds, tuple(options.way or WAYS))
    report = measure(options.catalog, settings, run_of(options).say)
    print_rows(report.rows, Console(), "OBS, 640x360 at 20 a second, software GL")
    return publish(options, report)
