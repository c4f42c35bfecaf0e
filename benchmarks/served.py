"""A server in its own process, and its cost: CPU seconds of that process alone, and the frames it took."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx

from .errors import BenchError

ROOT: Final = Path(__file__).parent.parent
START_S: Final = 60.0
STOP_S: Final = 15.0


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """User and system seconds since its start, of all its threads and of its ended children."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def open_files(self) -> list[str]:
        """The target of each descriptor: a file's path, or ``socket:[...]`` and the like."""
        targets = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                targets.append(str(link.readlink()))
        return targets

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def frames(self) -> int:
        """Frames of all current sessions."""
        return sum(session["frames"] for session in self.sessions())

    def pace(self) -> str:
        """The pace of sessions now."""
        return str(httpx.get(f"{self.url}/healthz", timeout=10).raise_for_status().json()["pace"])

    def sessions(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/sessions", timeout=10).raise_for_status()  # 503 while it starts
        sessions: list[dict[str, Any]] = answer.json()["sessions"]
        return sessions


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> list[int]:
    """The cores that this process may use. Raises `BenchError` on a system that cannot tell, or without /proc."""
    if not hasattr(os, "sched_getaffinity") or not Path("/proc/self/stat").exists():
        raise BenchError("processes' CPU time is read from /proc: this benchmark needs Linux")
    return sorted(os.sched_getaffinity(0))


def pin(pid: int, allowed: Sequence[int]) -> None:
    """Pin a process, with its later threads, to these cores."""
    os.sched_setaffinity(pid, allowed)


@contextlib.contextmanager
def served(
    module: str, words: Sequence[str], port: int, on: Sequence[int], python: str = sys.executable
) -> Iterator[Served]:
    """Run ``python -m module words`` on the cores ``on``; yields once it answers, and ends it afterwards."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # for another environment's python
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path)}
    with tempfile.TemporaryFile() as errors:  # a full pipe that nobody reads would stop the server
        process = subprocess.Popen(
            [python, "-m", module, *words],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            preexec_fn=lambda: pin(0, on),
        )
        server = Served(f"http://127.0.0.1:{port}", process.pid)
        try:
            _await(server, process, errors)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(server: Served, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            errors.seek(0)
            raise BenchError(f"the server ended: {errors.read().decode(errors='replace')[-500:].strip()}")
        with contextlib.suppress(httpx.HTTPError):
            server.sessions()
            return
        time.sleep(0.1)
    raise BenchError(f"the server did not answer within {START_S:g} s")


@contextlib.contextmanager
def loaded(
    url: str, stream: Path, sessions: int, seconds: float, on: Sequence[int], way: str = "whip"
) -> Iterator["Load"]:
    """Publishers in their own process, on the cores ``on``; ``way``: how they connect (see `load`)."""
    words = [sys.executable, "-m", "benchmarks.load", url, str(stream), str(sessions), str(seconds), way]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: pin(0, on))
    try:
        yield Load(process)
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class Load:
    process: "subprocess.Popen[bytes]"

    def result(self) -> list[dict[str, Any]]:
        """The result of each publisher; waits for the end. Raises `BenchError` if the load itself failed."""
        out, errors = self.process.communicate()
        if self.process.returncode:
            raise BenchError(f"the load generator failed: {errors.decode(errors='replace')[-500:].strip()}")
        results: list[dict[str, Any]] = json.loads(out)
        return results
