"""When to request a key frame of a publisher: at most once a second, and less and less often if that does not help.

Several parts need one, as often as they like: the jitter buffer after a loss, the decoder after a failure or skipped
frames, a change of how to decode. A key frame is large, and a key frame that fails would lead to the next request at
once: so the wait doubles with each request, until a key frame comes from which pictures can be decoded.
"""

import math
import time
from collections.abc import Callable
from typing import Any, Final

from . import aiortc_compat

FLOOR_S: Final = 1.0
LONGEST_S: Final = 8.0
WELL: Final = 10  # pictures decoded in a row, the key frame among them, after which the next failure is a new one


class KeyFrameRequests:
    """The requests to one publisher. ``decoded`` and ``failed`` are called by the decoder's thread, ``due`` on the
    event loop."""

    def __init__(self) -> None:
        self.answered = False  # by a key frame that was decoded
        self._well = 0.0
        self._wait_s = 0.0
        self._next_s = -math.inf

    def decoded(self, key: bool) -> None:
        """A picture was decoded; ``key``: a key frame."""
        self.answered = self.answered or key
        self._well += self.answered

    def failed(self, key: bool) -> None:
        """A picture could not be decoded."""
        if (key or self.answered) and self._well < WELL:
            self._well = -math.inf

    def due(self, now_s: float) -> bool:
        """Whether a request may be sent now, by a clock that only goes forward; True counts it as sent."""
        if now_s < self._next_s:
            return False
        self._wait_s = FLOOR_S if self._well >= WELL or not self._wait_s else min(2 * self._wait_s, LONGEST_S)
        self._next_s = now_s + self._wait_s
        self._well, self.answered = 0.0, False
        return True


def hold_back(receiver: Any, requests: KeyFrameRequests) -> Callable[[], None]:
    """Limit the requests of a receiver of aiortc by ``requests``; returns a function that undoes it. A request that is
    not due comes again with the next packet, by the event of its decoder."""
    original, key_frame_wanted = aiortc_compat.requests_of(receiver), aiortc_compat.key_frame_wanted(receiver)

    async def send(media_ssrc: int) -> None:
        if requests.due(time.monotonic()):
            await original(media_ssrc)
        else:
            key_frame_wanted.set()

    return aiortc_compat.request_by(receiver, send)
