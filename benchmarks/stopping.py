"""A measurement that is told to stop takes along what it began."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPED = 128 + signal.SIGTERM  # what a shell calls it


@contextlib.contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block by an exception, as Ctrl-C does: servers and publishers in processes of their own are
    ended on the way out. Without, they would go on, and take their share of whatever is measured next."""
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
