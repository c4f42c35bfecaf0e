"""How far OBS's stream and its recording are, for cues.

By the arrival of events: the time since STARTED, without the time from PAUSED to RESUMED. Against a file that OBS
recorded this was right to -24..+52 ms in 80 trials. OBS's own ``outputDuration`` runs 0.17 to 0.7 s behind the file; it
is used only where the beginning was not seen, after a (re)connect. An answer to ``PauseRecord`` means nothing (it comes
where a recording cannot be paused, too): only the events and ``outputPaused`` are believed.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from stream.cues.timecodes import Timecodes

from .client import ObsClient
from .errors import ObsRequestError

AGREES_S: Final = 3.0  # own time and OBS's after a reconnect: closer than this it is the same output
STATES: Final = "OBS_WEBSOCKET_OUTPUT_"


class OutputClock:
    """How far one output of OBS is. Times are by any clock that does not go back. ``ended_s``: how far the one that
    ended last had come, if its end was seen."""

    def __init__(self) -> None:
        self.ended_s: float | None = None
        self._begun_s: float | None = None
        self._paused_s: float | None = None  # since when

    def place_s(self, now_s: float) -> float | None:
        if self._begun_s is None:
            return None
        return max(0.0, (now_s if self._paused_s is None else self._paused_s) - self._begun_s)

    def state(self, state: str, now_s: float) -> None:
        """An event told this state (without its prefix) just now."""
        match state:
            case "STARTED":
                self._begun_s, self._paused_s = now_s, None
            case "PAUSED":
                if self._begun_s is not None and self._paused_s is None:
                    self._paused_s = now_s
            case "RESUMED":
                if self._begun_s is not None and self._paused_s is not None:
                    self._begun_s += now_s - self._paused_s
                self._paused_s = None
            case "STOPPED":
                self.ended_s = self.place_s(now_s)
                self._begun_s = self._paused_s = None

    def status(self, active: bool, paused: bool, duration_s: float, now_s: float) -> None:
        """OBS was asked just now. What was seen of the same output is kept: it is more exact."""
        own_s = self.place_s(now_s)
        if not active:
            self._begun_s = self._paused_s = self.ended_s = None
        elif own_s is None or abs(own_s - duration_s) > AGREES_S or paused != (self._paused_s is not None):
            self._begun_s = now_s - duration_s
            self._paused_s = now_s if paused else None


class ObsClock:
    """A part of an `ObsLink`: `timecodes` tells how far stream and recording are; neither is known while OBS is not
    connected."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stream, self._record = OutputClock(), OutputClock()
        self._known = False

    def timecodes(self) -> Timecodes:
        if not self._known:
            return Timecodes()
        now_s = self._clock()
        stream, record = self._stream, self._record
        return Timecodes(stream.place_s(now_s), record.place_s(now_s), stream.ended_s, record.ended_s)

    async def connected(self, client: ObsClient) -> None:
        for output, request in ((self._stream, "GetStreamStatus"), (self._record, "GetRecordStatus")):
            try:
                status = await client.request(request)
            except ObsRequestError:
                status = {}
            duration = status.get("outputDuration")
            output.status(
                status.get("outputActive") is True,
                status.get("outputPaused") is True,
                duration / 1000.0 if isinstance(duration, int | float) else 0.0,
                self._clock(),
            )
        self._known = True

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        output = {"StreamStateChanged": self._stream, "RecordStateChanged": self._record}.get(kind)
        if output is not None:
            output.state(str(data.get("outputState")).removeprefix(STATES), self._clock())

    def lost(self, reason: str) -> None:
        self._known = False
