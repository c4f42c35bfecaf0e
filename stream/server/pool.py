"""The threads in which sessions compute: a pool that counts what waits, and whose work knows its session.

*Bound*: at most six pieces of work a session: one picture, one second of sound, the beats of one track, and for the one
hop under way up to three searches (where the engine has a queue of its own; else its networks as well).
"""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class SessionPool(ThreadPoolExecutor):
    """A pool of threads; work runs in the context of its submitter, so that its log lines name the session."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="session")
        self._lock = threading.Lock()
        self._submitted = 0
        self._begun = 0

    @property
    def waiting(self) -> int:
        """Pieces of work that no thread has taken yet."""
        with self._lock:
            return self._submitted - self._begun

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        context = contextvars.copy_context()
        started = False

        def begin() -> None:
            nonlocal started
            with self._lock:
                if not started:
                    started, self._begun = True, self._begun + 1

        def run() -> Any:
            begin()
            return context.run(work, *arguments, **named)

        with self._lock:
            self._submitted += 1
        try:
            future = super().submit(run)
        except BaseException:
            begin()
            raise
        future.add_done_callback(lambda _: begin())  # a cancelled one never ran
        return future
