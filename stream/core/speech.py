"""Whether somebody speaks in the stream, smoothed, and what follows for the music.

One second with half of it speech is no conversation, and a breath is not its end. So the share of speech is smoothed
over the last seconds; speech begins at a level of ``ON`` and lasts until the level falls below ``OFF``.
"""

from typing import Final

ON: Final = 0.5
OFF: Final = 0.25
PAST: Final = 0.6  # share of the level before in the level after one second
SILENT_S: Final = 5  # without a share for so long, the detector counts as gone
DUCK_DB: Final = 18.0
VOCAL_PENALTY: Final = 0.15


class Speech:
    """State: the smoothed level in [0, 1], whether speech lasts, and the newest second."""

    def __init__(self) -> None:
        self._level = 0.0
        self._lasts = False
        self._newest: int | None = None

    def hear(self, share: float, second: int) -> None:
        """Somebody spoke for ``share`` (0 to 1) of the media second ``second``. Seconds without a share since then
        count as silent; a second that is not after the newest is ignored.

        Raises ValueError for a share outside of [0, 1] and for a second below 0.
        """
        if not 0.0 <= share <= 1.0 or second < 0:
            raise ValueError(f"speech in {share!r} of second {second}: give a share from 0 to 1 and a second from 0 on")
        if self._newest is not None:
            if second <= self._newest:
                return
            self._level *= PAST ** min(second - self._newest - 1, 60)
        self._newest = second
        self._level = PAST * self._level + (1.0 - PAST) * share
        self._lasts = self._level >= (OFF if self._lasts else ON)

    def lasts(self, now_s: float) -> bool:
        """Whether somebody is speaking at ``now_s`` seconds of media time."""
        return self._lasts and self._fresh(now_s)

    def duck_db(self, now_s: float) -> float | None:
        """How far to lower the music, from 0 down to -18 dB; None before the first share of speech."""
        if self._newest is None:
            return None
        return -DUCK_DB * self._level if self.lasts(now_s) else 0.0

    def _fresh(self, now_s: float) -> bool:
        return self._newest is not None and now_s - self._newest <= 1 + SILENT_S
