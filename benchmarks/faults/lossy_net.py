"""A bad network between two namespaces of this machine: every IP packet passes through here, and may be lost or late.

Each side is a TUN device: what the kernel sends into one of them is read, judged, and written to the other. (The
kernel's own `netem` does the same where it is built in; this runs wherever root may make namespaces, and loses the same
packets for the same seed.)

*Bound*: `WAITING` packets on their way; at the bound what comes is lost, and counted.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from random import Random
from typing import Final

from .outcome import SkippedError

WAITING: Final = 4096
PACKET: Final = 65536
TUN: Final = Path("/dev/net/tun")
TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
SIDES: Final = ("10.231.7.1", "10.231.7.2")  # seen in these namespaces alone


@dataclass(frozen=True)
class Network:
    """``loss``: share of the packets, either way; ``jitter_s``: each is late by anything up to this, so that they
    overtake each other; ``down``: nothing passes."""

    loss: float = 0.0
    jitter_s: float = 0.0
    down: bool = False


class Judge:
    """Which packet passes, and when. Pure: time is an argument, chance comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.network = Network()  # from now on; packets on their way are not touched
        self.passed = self.lost = self.waiting = 0
        self._rng = Random(seed)

    def due_s(self, now_s: float) -> float | None:
        """When to hand a packet on that came now, or None for one that is lost."""
        network = self.network
        chance, late = self._rng.random(), self._rng.random()  # both, so that one setting does not shift the other
        if network.down or chance < network.loss or self.waiting >= WAITING:
            self.lost += 1
            return None
        self.passed += 1
        return now_s + late * network.jitter_s


@dataclass(frozen=True)
class LossyNet:
    """Two namespaces, by name, and the judge of what passes between them."""

    namespaces: Sequence[str]
    judge: Judge

    def before(self, side: int) -> Sequence[str]:
        """What stands before a command that is to run on a side."""
        return ("ip", "netns", "exec", self.namespaces[side])

    def processes(self, side: int, count: int) -> Pool:
        """Processes on a side, which end with the pool's block."""
        return multiprocessing.get_context("spawn").Pool(count, enter_namespace, (self.namespaces[side],))


def enter_namespace(name: str) -> None:
    """This process's network is this namespace's from now on."""
    with Path("/var/run/netns", name).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"{name}: cannot be entered")


@contextlib.asynccontextmanager
async def lossy_net(seed: int) -> AsyncIterator[LossyNet]:
    """Packets are carried whenever the event loop is free. Raises `SkippedError` where namespaces or TUN devices cannot
    be made."""
    if sys.platform != "linux" or os.geteuid() != 0 or not TUN.exists():
        raise SkippedError("network namespaces need Linux, root and /dev/net/tun")
    names = [f"segue-{os.getpid()}-{side}" for side in "ab"]
    judge, loop = Judge(seed), asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        try:
            ends = [stack.enter_context(_side(*side)) for side in zip(names, SIDES, strict=True)]
        except (OSError, subprocess.CalledProcessError) as error:
            raise SkippedError(f"a network namespace cannot be made ({error})") from error
        for end, other in zip(ends, reversed(ends), strict=True):
            loop.add_reader(end, _carry, end, other, judge, loop)
            stack.callback(loop.remove_reader, end)
        yield LossyNet(names, judge)


@contextlib.contextmanager
def _side(name: str, address: str) -> Iterator[int]:
    """A namespace whose one way out is the file that this gives."""
    _ip("netns", "add", name)
    device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        request = struct.pack("16sH22x", name.encode()[-15:], IFF_TUN_NO_PI)
        link = fcntl.ioctl(device, TUNSETIFF, request)[:16].rstrip(b"\0").decode()
        _ip("link", "set", link, "netns", name)
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", link)
        _ip("-n", name, "link", "set", link, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield device
    finally:
        os.close(device)
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _carry(end: int, other: int, judge: Judge, loop: asyncio.AbstractEventLoop) -> None:
    """What is to be read at one end goes out at the other when it is due."""

    def write(packet: bytes) -> None:
        judge.waiting -= 1
        with contextlib.suppress(OSError):  # a device that is full, or down: the packet is lost
            os.write(other, packet)

    with contextlib.suppress(BlockingIOError):
        while packet := os.read(end, PACKET):
            due_s = judge.due_s(loop.time())
            if due_s is not None:
                judge.waiting += 1
                loop.call_at(due_s, write, packet)
