"""The server that the faults are for, ``segue serve`` in a process of its own, and all else that a script is given."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from benchmarks.errors import BenchError
from benchmarks.served import START_S, STOP_S, Served, cores, loaded

from .outcome import Outcome
from .scripted_publisher import Viewer
from .waiting import together, until

FAULTS_IN_LOG: Final = re.compile(r"Traceback|\berror segue|\bcritical |exception was never retrieved|\berror asyncio")
SPARE: Final = 4  # descriptors: of a connection that is just being closed


@dataclass(frozen=True)
class Target(Served):
    """A running server; ``log`` is what it says on standard error."""

    log: Path

    @property
    def ws(self) -> str:
        """Its URL for websockets, without the slash at its end."""
        return f"ws{self.url.removeprefix('http')}"

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = httpx.get(f"{self.url}/healthz", timeout=10).raise_for_status().json()
        return health

    def faults(self) -> Counter[str]:
        """The log's lines that tell of our own failures, by the last place in our code and the error."""
        lines = self.log.read_text(errors="replace").splitlines()
        return Counter(_kind(line) for line in lines if FAULTS_IN_LOG.search(line))

    def most_descriptors(self) -> int:
        """Of this server as it is now, idle, once each track's file was opened."""
        return self.descriptors() + int(self.health()["tracks"])

    async def expect_few_descriptors(self, most: int, out: Outcome) -> None:
        await until(lambda: self.descriptors() <= most)
        out.count("descriptors", self.descriptors(), 1, at_most=most + SPARE, when="afterwards")

    async def expect_no_sessions(self, out: Outcome, after: str = "") -> None:
        gone = await until(lambda: not self.sessions())
        out.expect(gone, f"{after}{len(self.sessions())} sessions are left")

    def expect_unspoilt_log(self, n: int, out: Outcome, but: str = "\n") -> None:
        """No failure of our own in the log after ``n`` faults, but those whose line holds ``but``."""
        faults = Counter({kind: times for kind, times in self.faults().items() if but not in kind})
        out.count("failures_in_log", faults.total(), n)
        for kind, times in faults.most_common():
            out.expect(False, f"the log has {times} times: {kind}")


def _kind(line: str) -> str:
    """A line of the log, which may be a whole traceback with its line breaks escaped."""
    parts = line.split(r"\n")
    places = re.findall(r'/(stream/[^"]+)\\?", line (\d+)', line) or re.findall(r'/([^/"]+)\\?", line (\d+)', line)
    return f"{':'.join(places[-1])}: {parts[-1][:200]}" if places else line.partition(" ")[2][:240]


@dataclass(frozen=True)
class Scene:
    """``stream``: H.264 in MP4; ``folder``: for logs and media, gone at the end; ``seed`` of whatever is drawn."""

    catalog: Path
    stream: Path
    folder: Path
    seed: int
    say: Callable[[str], None]

    @contextlib.contextmanager
    def server(
        self, words: Sequence[str] = (), before: Sequence[str] = (), url: str = "", orders: Path | None = None
    ) -> Iterator[Target]:
        """``segue serve`` with these words, from when it takes requests to its end.

        ``before``: a command that runs it (``ip netns exec NAME``); ``url``: how it is then reached; ``orders``: of a
        server with hooks, see `fault_hooks`. Raises `BenchError` where it does not start.
        """
        log = self.folder / "server.log"
        program = ["segue"] if orders is None else ["benchmarks.faults.fault_hooks", str(orders)]
        command = [*before, sys.executable, "-m", *program, "serve", "-c", str(self.catalog), "--port", "0", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with log.open("wb") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            yield Target(_started(process, log, url), process.pid, log)
        finally:
            process.send_signal(signal.SIGINT)  # the sessions that are left are ended at once
            try:
                process.communicate(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    @contextlib.asynccontextmanager
    async def good_publishers(self, server: Target, count: int, seconds: float) -> AsyncIterator[list[Viewer]]:
        """Well-behaved publishers in a process of their own, and here a viewer of each. The server has no others yet.

        Raises `BenchError` where they are not let in.
        """
        with loaded(server.url, self.stream, count, seconds, cores()):
            if not await until(lambda: len(server.sessions()) == count):
                raise BenchError(f"{count} good publishers were not let in")
            viewers = [Viewer(urljoin(server.url, session["events"])) for session in server.sessions()]
            async with together(*(viewer.watch() for viewer in viewers)):
                yield viewers


def _started(process: "subprocess.Popen[str]", log: Path, url: str) -> str:
    """The server's URL without the slash at its end, with the host of ``url`` if there is one."""
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    address = re.search(r"http://([^:]+|\[.*\]):(\d+)", line)
    if address is None:
        raise BenchError(f"the server did not start: {log.read_text(errors='replace')[-500:].strip() or 'no reason'}")
    return f"{url or f'http://{address[1]}'}:{address[2]}"
