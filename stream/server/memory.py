"""Returns unused memory to the system, where glibc would keep it.

A session's memory comes from many threads. glibc gives them up to eight heaps a core, and memory freed in the middle
of a heap stays with the process: after some hundred sessions that was more than all memory in use, and it kept growing.
Two measures are common in servers of many threads (measured in docs/CAPACITY.md): few heaps, which is enough while the
number of sessions stays the same, and ``malloc_trim``, in a thread, when most sessions have ended.

On other systems (musl, macOS, Windows) nothing is done. Python's own small objects are not affected.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable
from typing import Any, Final, cast

LOOK_S: Final = 5.0
GONE: Final = 4  # memory is returned when one session in so many is left
HEAPS: Final = 2
M_ARENA_MAX: Final = -8  # of glibc's malloc.h

Trim = Callable[[], object]


def few_heaps() -> bool:
    """Limit this process to `HEAPS` heaps, beside those that it already has; returns whether that was done.

    ``MALLOC_ARENA_MAX`` in the environment wins.
    """
    mallopt = _glibc("mallopt", ctypes.c_int, ctypes.c_int)
    return mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ and bool(mallopt(M_ARENA_MAX, HEAPS))


def glibc_trim() -> Trim | None:
    """A function that returns free memory in about a millisecond, without the interpreter's lock; None without
    glibc."""
    trim = _glibc("malloc_trim", ctypes.c_size_t)
    return None if trim is None else lambda: trim(0)


async def give_back(running: Callable[[], int], trim: Trim, every_s: float = LOOK_S) -> None:
    """Until cancelled, call ``trim`` in a thread each time the number ``running`` of sessions has fallen to a `GONE`th
    of its peak since the last call. So it is called after the last session, and never while as many come as go."""
    most = 0
    while True:
        await asyncio.sleep(every_s)
        now = running()
        most = max(most, now)
        if most and now <= most // GONE:
            most = now
            await asyncio.to_thread(trim)


def _glibc(name: str, *takes: Any) -> Callable[..., int] | None:
    """A function of glibc that returns an int; None for a process with another C library."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - musl has a mallopt too, which does nothing
        function: Any = getattr(libc, name)
    except (OSError, TypeError, AttributeError):
        return None
    function.argtypes, function.restype = list(takes), ctypes.c_int
    return cast(Callable[..., int], function)
