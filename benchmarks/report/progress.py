"""How far a measurement is, on stderr: on a terminal one line that changes, elsewhere a line every ten seconds.

A benchmark says what it does by calling ``say(text)``, and how far it is by `reached` or how long it will take by
`expect`; both do nothing where ``say`` is another function. Nothing is shown of what takes less than three seconds.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TextIO, TypeVar

QUIET_S: Final = 3.0
EVERY_S: Final = 10.0  # where nobody looks at it
REDRAW_S: Final = 0.5
T = TypeVar("T")


class Progress:
    """Call it with a text; ``open`` and ``close`` around the work."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.out = sys.stderr if out is None else out
        self.clock = clock
        self.began_s = clock()
        self.live = self.out.isatty()
        self._share = 0.0
        self._due_s: float | None = None
        self._text = ""
        self._shown_s = self.began_s
        self._drawn = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        with self._lock:
            self._wipe()

    def __call__(self, text: object = "", *_: object, **__: object) -> None:
        """Say what is done now."""
        with self._lock:
            self._wipe()
            self._text = str(text)
            print(self._text, file=self.out, flush=True)

    def reach(self, done: float, total: float) -> None:
        self._share = min(1.0, max(0.0, done / total if total > 0 else 0.0))

    def expect(self, seconds: float) -> None:
        """From now on the work takes that long."""
        self._due_s = self.clock() + seconds

    def line(self) -> str:
        """What is shown now; empty where it is too early or nothing is known but the time."""
        now_s = self.clock()
        gone_s = now_s - self.began_s
        if gone_s < QUIET_S:
            return ""
        text = f"{clock_text(gone_s)} gone"
        left_s = self._left_s(now_s, gone_s)
        return text if left_s is None else f"{text}, about {clock_text(left_s)} left"

    def _left_s(self, now_s: float, gone_s: float) -> float | None:
        if self._due_s is not None and self._due_s > now_s:
            return self._due_s - now_s
        if self._share <= 0.0:
            return None
        return gone_s * (1.0 - self._share) / self._share

    def _tick(self) -> None:
        while not self._stop.wait(REDRAW_S):
            with self._lock:
                self.draw()

    def draw(self) -> None:
        text = self.line()
        if not text:
            return
        if self.live:
            self._wipe()
            self.out.write(text)
            self.out.flush()
            self._drawn = len(text)
        elif self.clock() - self._shown_s >= EVERY_S:
            self._shown_s = self.clock()
            print(text, file=self.out, flush=True)

    def _wipe(self) -> None:
        if self._drawn:
            self.out.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0


def clock_text(seconds: float) -> str:
    """75 -> 1:15."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def reached(say: Any, done: float, total: float) -> None:
    """So much of the work is done."""
    if isinstance(say, Progress):
        say.reach(done, total)


def expect(say: Any, seconds: float) -> None:
    """From now on the work takes that long."""
    if isinstance(say, Progress):
        say.expect(seconds)


def counted(items: Sequence[T], say: Any, weight: Callable[[T], float] = lambda _: 1.0) -> Iterator[T]:
    """The items one after another; each stands for its weight of the work."""
    total, done = sum(map(weight, items)), 0.0
    for item in items:
        reached(say, done, total)
        yield item
        done += weight(item)
    reached(say, done, total)
