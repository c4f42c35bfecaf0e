"""A sink takes every notice of one session: viewers, a recording, metrics.

A new kind of sink is a class with ``put`` and one place that makes it.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from stream.core.events import End, Notice

log = logging.getLogger("segue.sinks")


class Sink(Protocol):
    """``put`` is called in the order of the notices, of a live session on the event loop, with ``End`` last. It must
    not block: slow work waits in a bounded queue of the sink."""

    def put(self, notice: Notice) -> None: ...


class FunctionSink:
    """A function as a sink."""

    def __init__(self, function: Callable[[Notice], object]) -> None:
        self._function = function

    def put(self, notice: Notice) -> None:
        self._function(notice)


class Sinks:
    """Several sinks as one. A sink that raises is left out from then on, but for ``End``, and the others go on. A
    ``needed`` sink that raises ends the session with its error: without it no notice goes out."""

    def __init__(self, sinks: Sequence[Sink] = (), needed: Sequence[Sink] = ()) -> None:
        self._sinks = [*sinks]
        self._needed = [*needed]
        self._failed: list[Sink] = []

    def add(self, sink: Sink) -> None:
        """Add a sink, after the others and before the needed ones."""
        self._sinks.append(sink)

    def put(self, notice: Notice) -> None:
        if isinstance(notice, End):
            for sink in self._failed:  # what it opened it may still close
                with contextlib.suppress(Exception):
                    sink.put(notice)
        for sink in list(self._sinks):
            try:
                sink.put(notice)
            except Exception:
                log.exception("a sink (%s) failed and is left out; the session goes on", type(sink).__name__)
                self._sinks.remove(sink)
                self._failed.append(sink)
        for sink in self._needed:
            sink.put(notice)
