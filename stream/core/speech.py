"""Whether somebody speaks in the stream, smoothed, and what follows for the music.

A second in which somebody spoke half of the time is no conversation, and a breath is not its end: the share of speech
is smoothed over the last seconds, speech lasts from ``ON`` on and until it falls below ``OFF``.
"""

from typing import Final

ON: Final = 0.5
OFF: Final = 0.25
PAST: Final = 0.6  # share of the level before in the level after one second
SILENT_S: Final = 5  # no word about a second for so long: nobody listens any more
DUCK_DB: Final = 18.0
VOCAL_PENALTY: Final = 0.15


class Speech:
    """State: the smoothed level in [0, 1], whether speech lasts, and the second heard last."""

    def __init__(self) -> None:
        self._level = 0.0
        self._lasts = False
        self._heard: int | None = None

    def hear(self, share: float, second: int) -> None:
        """Somebody spoke for ``share`` (0 to 1) of the media second ``second``. Seconds nobody told of since the one
        before were silent; one that is not after it is passed over.

        Raises ValueError for a share outside of [0, 1] and for a second below 0.
        """
        if not 0.0 <= share <= 1.0 or second < 0:
            raise ValueError(f"speech in {share!r} of second {second}: give a share from 0 to 1 and a second from 0 on")
        if self._heard is not None:
            if second <= self._heard:
                return
            self._level *= PAST ** min(second - self._heard - 1, 60)
        self._heard = second
        self._level = PAST * self._level + (1.0 - PAST) * share
        self._lasts = self._level >= (OFF if self._lasts else ON)

    def lasts(self, now_s: float) -> bool:
        """Whether somebody is speaking at ``now_s`` seconds of media time."""
        return self._lasts and self._fresh(now_s)

    def duck_db(self, now_s: float) -> float | None:
        """How far to lower the music, from 0 down to -18 dB; None when nobody ever told of the sound."""
        if self._heard is None:
            return None
        return -DUCK_DB * self._level if self.lasts(now_s) else 0.0

    def _fresh(self, now_s: float) -> bool:
        return self._heard is not None and now_s - self._heard <= 1 + SILENT_S
