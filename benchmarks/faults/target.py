"""The server that the faults are for: ``segue serve`` in a process of its own, with its log in a file."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.errors import BenchError
from benchmarks.load import load
from benchmarks.served import START_S, STOP_S, Served

from .outcome import Outcome

GOOD_ENOUGH: Final = 3  # suggestions that show that a publisher is served
FAULTS_IN_LOG: Final = re.compile(r"Traceback|\berror segue|\bcritical |exception was never retrieved|\berror asyncio")
SETTLE_S: Final = 20.0


@dataclass(frozen=True)
class Target(Served):
    """A running server; ``log`` is what it says on standard error."""

    log: Path

    def health(self) -> dict[str, Any]:
        told: dict[str, Any] = httpx.get(f"{self.url}/healthz", timeout=10).raise_for_status().json()
        return told

    def faults(self) -> Counter[str]:
        """The log's lines that tell of our own failures, by the last place in our code and the error."""
        lines = self.log.read_text(errors="replace").splitlines()
        return Counter(_kind(line) for line in lines if FAULTS_IN_LOG.search(line))


def _kind(line: str) -> str:
    """A line of the log, which may be a whole traceback with its line breaks escaped."""
    parts = line.split(r"\n")
    places = re.findall(r'/(stream/[^"]+)\\?", line (\d+)', line) or re.findall(r'/([^/"]+)\\?", line (\d+)', line)
    return f"{':'.join(places[-1])}: {parts[-1][:200]}" if places else line.partition(" ")[2][:240]


@contextlib.contextmanager
def target(
    catalog: Path,
    folder: Path,
    words: Sequence[str] = (),
    before: Sequence[str] = (),
    url: str = "",
    orders: Path | None = None,
) -> Iterator[Target]:
    """``segue serve`` with these words, from when it takes requests to its end.

    ``before``: a command that runs it (``ip netns exec NAME``); ``url``: how it is then reached; ``orders``: of an odd
    server, see `odd`. Raises `BenchError` where it does not start.
    """
    log = folder / "server.log"
    program = ["segue"] if orders is None else ["benchmarks.faults.odd", str(orders)]
    command = [*before, sys.executable, "-m", *program, "serve", "-c", str(catalog), "--port", "0", *words]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    try:
        yield Target(_started(process, log, url), process.pid, log)
    finally:
        process.send_signal(signal.SIGINT)  # the sessions that are left are ended at once
        try:
            process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _started(process: "subprocess.Popen[str]", log: Path, url: str) -> str:
    """The server's URL without the slash at its end, with the host of ``url`` if there is one."""
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    found = re.search(r"http://([^:]+|\[.*\]):(\d+)", line)
    if found is None:
        raise BenchError(f"the server did not start: {log.read_text(errors='replace')[-500:].strip() or 'no reason'}")
    return f"{url or f'http://{found[1]}'}:{found[2]}"


def unspoilt_log(server: Target, n: int, out: Outcome, but: str = "\n") -> None:
    """No failure of our own in the log after ``n`` faults, but those whose line holds ``but``."""
    faults = Counter({kind: times for kind, times in server.faults().items() if but not in kind})
    out.count("failures_in_log", faults.total(), n)
    for kind, times in faults.most_common():
        out.expect(False, f"the log has {times} times: {kind}")


async def good_publisher(url: str, stream: Path, seconds: float) -> int:
    """How many suggestions a well-behaved publisher with a viewer gets."""
    (told,) = await load(url, stream, 1, seconds, "whip")
    return len(told["messages"])


async def until(true: Callable[[], Awaitable[bool]], seconds: float = SETTLE_S) -> bool:
    """Whether it became true in time."""
    deadline_s = time.monotonic() + seconds
    while not await true():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(0.2)
    return True


async def without_sessions(server: Target, seconds: float = SETTLE_S) -> bool:
    """Whether every session ended in time."""

    async def empty() -> bool:
        return not await asyncio.to_thread(server.sessions)

    return await until(empty, seconds)


@contextlib.asynccontextmanager
async def together(*others: Awaitable[Any]) -> AsyncIterator[None]:
    """Run these beside the block; what is still running at its end is stopped."""
    tasks = [asyncio.ensure_future(other) for other in others]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
