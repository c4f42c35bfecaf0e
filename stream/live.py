"""One live input in real time: frames in at any rate, events out, and the event loop never blocked.

A frame waits in a slot of capacity 1 (the newest wins, replaced ones are counted). The sampler decides by its timestamp
before any pixel is converted; pixels, features and inference run in a thread of the shared executor, one conversion and
one hop at a time. The session itself is touched on the event loop only, so it needs no lock.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import av

from stream.core.events import Notice
from stream.core.session import SessionOptions
from stream.runtime import Runtime

Publish = Callable[[Notice], None]
Clock = Callable[[], float]
Probe = Callable[[str, float], None]  # a stage's name and how long it took, in seconds


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """``tick_s``: how often time is told to pass while no frame comes. ``finish_s``: the longest wait at the end for
    the answers still under way."""

    session: SessionOptions = field(default_factory=SessionOptions)
    tick_s: float = 0.25
    finish_s: float = 2.0


@dataclass(slots=True)
class LiveStats:
    """Counts since the start. ``late_ms`` is that of the newest suggestions."""

    frames: int = 0
    replaced: int = 0
    sampled: int = 0
    stale: int = 0
    undated: int = 0
    suggestions: int = 0
    skipped_hops: int = 0
    resets: int = 0
    late_ms: float | None = None


class LiveSession:
    """``publish`` is called on the event loop for every notice, ends with exactly one ``End``, and must not block.

    A failure (a broken picture, an engine's error) ends this session alone: ``Failed`` with a reason, then ``End``.
    """

    def __init__(
        self,
        runtime: Runtime,
        options: LiveOptions,
        publish: Publish,
        clock: Clock = time.monotonic,
        *,
        workers: Executor,
        probe: Probe | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def stats(self) -> LiveStats:
        raise NotImplementedError

    def offer(self, frame: av.VideoFrame) -> None:
        """Take a frame; never blocks. Call on the event loop. Ignored after the end."""
        raise NotImplementedError

    def command(self, message: Mapping[str, Any]) -> None:
        """Carry out a viewer's command (see PROTOCOL.md); the answer is published as Accepted or Refused."""
        raise NotImplementedError

    async def run(self) -> None:
        """Work until closed (or failed); returns after ``End`` was published. Safe to cancel."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the session and wait until ``run`` has returned. May be called any number of times."""
        raise NotImplementedError
