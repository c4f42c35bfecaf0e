"""A measurement that must stop ends the processes that it started."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPED = 128 + signal.SIGTERM  # the exit code in a shell


@contextlib.contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block by an exception, as Ctrl-C does, so that servers and publishers in other processes end
    too. Else they would continue, and slow down the next measurement."""
    if threading.current_thread() is not threading.main_thread():  # where no handler can be set
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(STOPPED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
