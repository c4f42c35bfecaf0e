"""``segue bench obs-first``: how soon lists come once OBS is there, and once it is back (Linux, a checkout with tests).

With the real OBS and ``segue serve --obs``: *first*: from the moment when OBS is connected (``/healthz``) to the first
list of a new session; *back*: OBS is killed and started again while a viewer watches, from the message that it is
connected to the first list after. Every start is one sample.
"""

import argparse
import asyncio
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row
from benchmarks.served import ROOT, Served, cores, free_port, served
from stream.close_codes import Close

SCENES: Final = {"Red": 0xFF0000FF, "Green": 0xFF00FF00}
MOST_S: Final = 60.0
LOOK_S: Final = 0.005
REST_S: Final = 1.5


@dataclass(frozen=True)
class FirstOptions:
    """``times``: starts of OBS for new sessions, and as many kills for a session that goes on."""

    times: int = 10


def measure(catalog: Path, options: FirstOptions, tell: Callable[[str], None]) -> Report:
    """Raises `BenchError` where OBS is not here, and where a session does not go on."""
    folder = ROOT / "tests" / "tools"
    if not folder.is_dir():
        raise BenchError("obs-first runs an OBS as the tests do: it needs a checkout with tests/tools")
    sys.path.append(str(folder))
    tools = importlib.import_module("real_obs")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place, tools.obs(Path(place), SCENES, start=False) as real:
        os.environ["SEGUE_OBS_PASSWORD"] = real.password
        for name, grace, run in (("first", "0", _first), ("back", "60", _back)):
            port = free_port()
            words = ["serve", "-c", str(catalog), "--port", str(port), "--obs", real.url, "--grace", grace]
            with served("segue", words, port, cores()) as server:
                times_ms = asyncio.run(run(real, server, options.times))
            tell(f"{name}: {', '.join(f'{value:.0f}' for value in times_ms)} ms")
            for percent in (0, 50, 95, 100):
                value = float(np.percentile(times_ms, percent))
                rows.append(Row(f"{name}_p{percent}", value, len(times_ms), "ms"))
    return Report("obs-first", rows, {"canvas": f"{tools.WIDTH}x{tools.HEIGHT}", "fps": tools.FPS})


async def _first(real: Any, server: Served, times: int) -> list[float]:
    """OBS comes to a server that has no session."""
    times_ms = []
    async with httpx.AsyncClient(base_url=server.url) as client:
        for _ in range(times):
            await asyncio.to_thread(real.start)
            await _until_connected(client, True)
            begun_s = time.monotonic()
            async with asyncio.timeout(MOST_S):
                await _list_of_new(server)
            times_ms.append(1e3 * (time.monotonic() - begun_s))
            await asyncio.sleep(REST_S)
            await asyncio.to_thread(real.kill)
            await _until_connected(client, False)
            while server.sessions():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
    return times_ms


async def _list_of_new(server: Served) -> None:
    """A list of OBS's session, which may be about to begin."""
    while True:
        try:
            async with connect(_events(server)) as viewer:
                await _until(viewer, "suggestions")
                return
        except ConnectionClosed as error:
            if error.rcvd is None or error.rcvd.code != Close.NOT_FOUND:
                raise BenchError(f"the viewer was sent away: {error}") from error
        await asyncio.sleep(LOOK_S)


async def _back(real: Any, server: Served, times: int) -> list[float]:
    """OBS is killed and comes back to its session."""
    times_ms = []
    await asyncio.to_thread(real.start)
    async with asyncio.timeout(MOST_S):
        await _list_of_new(server)
    before = [session["id"] for session in server.sessions()]
    async with connect(_events(server)) as viewer:
        await _until(viewer, "suggestions")
        for _ in range(times):
            await asyncio.sleep(REST_S)
            await asyncio.to_thread(real.kill)
            async with asyncio.timeout(MOST_S):
                while (await _until(viewer, "obs"))["connected"]:
                    pass
                await asyncio.to_thread(real.start)
                while not (await _until(viewer, "obs"))["connected"]:
                    pass
                begun_s = time.monotonic()
                await _until(viewer, "suggestions")
            times_ms.append(1e3 * (time.monotonic() - begun_s))
    if [session["id"] for session in server.sessions()] != before:
        raise BenchError("OBS's session did not go on")
    return times_ms


def _events(server: Served) -> str:
    return f"{server.url.replace('http', 'ws', 1)}/events?key=obs"


async def _until(viewer: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(await viewer.recv())
        if message["type"] == kind:
            return message
        if message["type"] == "end":
            raise BenchError("OBS's session ended")


async def _until_connected(client: httpx.AsyncClient, connected: bool) -> None:
    async with asyncio.timeout(MOST_S):
        while (await client.get("/healthz")).json()["obs"]["connected"] is not connected:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


def add_obs_first(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``obs-first`` to ``segue bench``."""
    kind = kinds.add_parser("obs-first", help="how soon lists come once OBS is there, or back")
    kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    kind.add_argument("--times", type=int, default=10, help="starts of OBS, of each sort (default 10)")
    kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def obs_first(options: argparse.Namespace) -> int:
    """Run the kind and print it."""
    from rich.console import Console

    from benchmarks.harness import print_rows
    from benchmarks.report.run import publish, run_of

    report = measure(options.catalog, FirstOptions(options.times), run_of(options).say)
    print_rows(report.rows, Console(), "OBS, 640x360 at 20 a second, software GL")
    return publish(options, report)
