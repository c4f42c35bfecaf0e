"""Memory that nothing uses any more goes back to the system, where glibc would keep it.

A session's memory comes from many threads. glibc gives them up to eight heaps a core, and what is freed in the middle
of a heap stays with the process: after some hundred sessions that was more than all that was in use, and it grew on.
Two measures that are common in servers of many threads, measured in docs/CAPACITY.md: few heaps, which is enough for a
crowd whose size stays, and ``malloc_trim``, in a thread, when most of a crowd has gone.

Elsewhere (musl, macOS, Windows) nothing is done. Python's own small objects are not concerned.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable
from typing import Any, Final, cast

LOOK_S: Final = 5.0
GONE: Final = 4  # when one session in so many is left, memory is given back
HEAPS: Final = 2
M_ARENA_MAX: Final = -8  # of glibc's malloc.h

Trim = Callable[[], object]


def few_heaps() -> bool:
    """Let this process have `HEAPS` heaps, beside those that it has already; whether that was done.

    ``MALLOC_ARENA_MAX`` in the environment wins.
    """
    mallopt = _glibc("mallopt", ctypes.c_int, ctypes.c_int)
    return mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ and bool(mallopt(M_ARENA_MAX, HEAPS))


def glibc_trim() -> Trim | None:
    """What gives free memory back, in a millisecond or so and without the interpreter's lock; None without glibc."""
    trim = _glibc("malloc_trim", ctypes.c_size_t)
    return None if trim is None else lambda: trim(0)


async def give_back(running: Callable[[], int], trim: Trim, every_s: float = LOOK_S) -> None:
    """Until cancelled: ``trim``, in a thread, each time that the sessions ``running`` have come down to a `GONE`th of
    what they were at most since the last time; so with the last one, and never while as many come as go."""
    most = 0
    while True:
        await asyncio.sleep(every_s)
        now = running()
        most = max(most, now)
        if most and now <= most // GONE:
            most = now
            await asyncio.to_thread(trim)


def _glibc(name: str, *takes: Any) -> Callable[..., int] | None:
    """A function of glibc's that returns an int; None for a process that has another C library."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - musl has a mallopt too, which does nothing
        function: Any = getattr(libc, name)
    except (OSError, TypeError, AttributeError):
        return None
    function.argtypes, function.restype = list(takes), ctypes.c_int
    return cast(Callable[..., int], function)
