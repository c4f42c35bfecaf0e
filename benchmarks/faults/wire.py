"""A bad network between two namespaces of this machine: every IP packet passes through here, and may be lost or late.

Each side is a TUN device: what the kernel sends into one of them is read, judged, and written to the other. (The
kernel's own `netem` does the same where it is built in; this runs wherever root may make namespaces, and loses the same
packets for the same seed.)

*Bound*: `WAITING` packets on their way; at the bound what comes is lost, and counted.
"""

import contextlib
import fcntl
import heapq
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from .outcome import SkippedError

WAITING: Final = 4096
PACKET: Final = 65536
TUN: Final = Path("/dev/net/tun")
TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
LOOK_S: Final = 0.2
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
        self.network = Network()
        self.passed = self.lost = 0
        self._rng = Random(seed)

    def due_s(self, now_s: float, waiting: int) -> float | None:
        """When to hand a packet on that came now, or None for one that is lost."""
        network = self.network
        chance, late = self._rng.random(), self._rng.random()  # both, so that one setting does not shift the other
        if network.down or chance < network.loss or waiting >= WAITING:
            self.lost += 1
            return None
        self.passed += 1
        return now_s + late * network.jitter_s


@dataclass(frozen=True)
class Wire:
    """Two namespaces and what is between them. ``inside[i]`` stands before a command that is to run on side ``i``."""

    inside: tuple[Sequence[str], Sequence[str]]
    judge: Judge

    def set(self, network: Network) -> None:
        """From now on; packets on their way are not touched."""
        self.judge.network = network


@contextlib.contextmanager
def wire(seed: int) -> Iterator[Wire]:
    """Raises `SkippedError` where namespaces or TUN devices cannot be made."""
    if sys.platform != "linux" or os.geteuid() != 0 or not TUN.exists():
        raise SkippedError("network namespaces need Linux, root and /dev/net/tun")
    names = [f"segue-{os.getpid()}-{side}" for side in "ab"]
    judge, over = Judge(seed), threading.Event()
    with contextlib.ExitStack() as stack:
        try:
            ends = [stack.enter_context(_side(*side)) for side in zip(names, SIDES, strict=True)]
        except (OSError, subprocess.CalledProcessError) as error:
            raise SkippedError(f"a network namespace cannot be made ({error})") from error
        thread = threading.Thread(target=_carry, args=(ends, judge, over), name="wire", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)
        inside = tuple(("ip", "netns", "exec", name) for name in names)
        yield Wire((inside[0], inside[1]), judge)


@contextlib.contextmanager
def _side(name: str, address: str) -> Iterator[int]:
    """A namespace whose one way out is the file that this gives."""
    _ip("netns", "add", name)
    device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        asked = struct.pack("16sH22x", name.encode()[-15:], IFF_TUN_NO_PI)
        link = fcntl.ioctl(device, TUNSETIFF, asked)[:16].rstrip(b"\0").decode()
        _ip("link", "set", link, "netns", name)
        for words in (
            ("addr", "add", f"{address}/24", "dev", link),
            ("link", "set", link, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        yield device
    finally:
        os.close(device)
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _carry(ends: Sequence[int], judge: Judge, over: threading.Event) -> None:
    """The thread: packets in, and out when they are due."""
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    with selectors.DefaultSelector() as selector:
        for end in (0, 1):
            selector.register(ends[end], selectors.EVENT_READ, end)
        while not over.is_set():
            next_s = waiting[0][0] - time.monotonic() if waiting else LOOK_S
            for key, _ in selector.select(min(max(0.0, next_s), LOOK_S)):
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet = os.read(key.fd, PACKET)
                        due_s = judge.due_s(time.monotonic(), len(waiting))
                        if due_s is not None:
                            number += 1
                            heapq.heappush(waiting, (due_s, number, 1 - key.data, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(waiting)
                with contextlib.suppress(OSError):  # a device that is full, or down: the packet is lost
                    os.write(ends[end], packet)
