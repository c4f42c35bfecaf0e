"""When the music is lowered because somebody speaks: by the levels of OBS's microphones, by what the session hears, or
by hand."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

DEPTH_DB: Final = -12.0
VOICE_DB: Final = -40.0  # full scale; a microphone in a quiet room is below -50
HOLD_S: Final = 0.8  # between words


class Duck:
    """``by_hand``: True or False as somebody has asked, None: automatic. ``session_db``: what the session proposes
    from the stream's sound, None where it has none."""

    def __init__(self) -> None:
        self.by_hand: bool | None = None
        self.session_db: float | None = None
        self.microphones: frozenset[str] = frozenset()
        self._voice_s = -math.inf  # when the last voice was heard

    def meters(self, inputs: Iterable[Mapping[str, Any]], now_s: float) -> None:
        """Take OBS's ``InputVolumeMeters``: of each input and channel (magnitude, peak, peak before the fader)."""
        for each in inputs:
            if each.get("inputName") in self.microphones:
                levels = [float(channel[0]) for channel in each.get("inputLevelsMul") or () if channel]
                if max(levels, default=0.0) >= 10 ** (VOICE_DB / 20):
                    self._voice_s = now_s

    def target_db(self, now_s: float) -> float:
        """How far the music is to be lowered now, 0 or less."""
        if self.by_hand is not None:
            return DEPTH_DB if self.by_hand else 0.0
        heard = DEPTH_DB if now_s - self._voice_s < HOLD_S else 0.0
        return min(heard, self.session_db or 0.0)
