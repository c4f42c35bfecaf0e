"""When OBS's stream and recording ran during a session, from how far they say to be each time somebody looks.

A look sees the place in the output, so a beginning, a pause and the return from one are known to the moment though they
lie between two looks. The end is told with the last place that was reached. Where OBS goes without a word, it is the
place that was seen last; the output goes on if it comes back as far as it must be by then.
"""

from dataclasses import dataclass, replace
from typing import Final

from .timecodes import Timecodes

OUTPUTS: Final = ("stream", "record")
STOOD_S: Final = 0.25  # an output that is behind by less has not paused
AGREES_S: Final = 3.0  # how far off the same output may be after OBS was gone, as in ``stream.obs.clock``
RUNS: Final = 1000  # of a session; later ones are not kept


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which an output went on without a pause. ``output``: of ``OUTPUTS``; ``take`` counts those of its
    kind in the session, from 1. Where it began: media time, and place in the output; where it ended likewise, None
    while it goes on."""

    number: int
    output: str
    take: int
    pts_s: float
    at_s: float
    end_pts_s: float | None = None
    end_at_s: float | None = None

    def closed(self, pts_s: float) -> "Run":
        """With an end, by ``pts_s`` where it has none."""
        if self.end_pts_s is not None:
            return self
        lasted_s = max(0.0, pts_s - self.pts_s)
        return replace(self, end_pts_s=round(self.pts_s + lasted_s, 3), end_at_s=round(self.at_s + lasted_s, 3))


@dataclass(frozen=True, slots=True)
class _Look:
    now_s: float
    pts_s: float
    at_s: float


class Runs:
    """The runs of one session, in the order of their beginnings."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        self._outputs = [_Output(name, self.all) for name in OUTPUTS]

    def look(self, codes: Timecodes, pts_s: float, now_s: float) -> list[Run]:
        """What the outputs say at ``pts_s``; ``now_s`` is by a clock that never goes back. Returns the runs that are
        new or have changed."""
        told = (codes.stream_s, codes.stream_ended_s), (codes.record_s, codes.record_ended_s)
        changed: set[int] = set()
        for output, (at_s, ended_s) in zip(self._outputs, told, strict=True):
            output.look(at_s, ended_s, pts_s, now_s)
            changed |= output.changed
        return [self.all[number] for number in sorted(changed)]


class _Output:
    """One of the outputs. ``changed``: the numbers of the runs that the newest look has changed."""

    def __init__(self, name: str, runs: list[Run]) -> None:
        self.changed: set[int] = set()
        self._name, self._runs = name, runs
        self._take = 0
        self._run: int | None = None  # the newest one, if there was room for it
        self._state = "off"  # "on", "paused", or "gone", "gone paused": OBS is gone, it may go on
        self._first: _Look | None = None  # of the run, or of the pause
        self._newest: _Look | None = None

    def look(self, at_s: float | None, ended_s: float | None, pts_s: float, now_s: float) -> None:
        """``ended_s``: how far the output came that ended last, if that is known."""
        self.changed = set()
        if at_s is None:
            self._miss(ended_s, now_s)
        else:
            now = _Look(now_s, pts_s, at_s)
            self._see(now, ended_s)
            self._newest = now

    def _miss(self, ended_s: float | None, now_s: float) -> None:
        if self._state in ("on", "paused"):
            told = self._end(ended_s, now_s)
            self._state = "off" if told else {"on": "gone", "paused": "gone paused"}[self._state]

    def _see(self, now: _Look, ended_s: float | None) -> None:
        newest, first = self._newest, self._first
        if newest is None or first is None:
            return self._begin(now, now.pts_s, anew=True)
        passed_s, moved_s = now.now_s - newest.now_s, now.at_s - newest.at_s
        if self._state == "off":
            return self._begin(now, passed_s, anew=True)
        stood = "paused" in self._state and abs(moved_s) <= AGREES_S
        if moved_s < -STOOD_S or ("gone" in self._state and abs(moved_s - passed_s) > AGREES_S and not stood):
            self._end(ended_s, now.now_s)
            return self._begin(now, passed_s, anew=True)
        if self._state == "gone":
            self._change(end_pts_s=None, end_at_s=None)
        self._state = self._state.removeprefix("gone ").replace("gone", "on")
        gone_on_s = now.at_s - first.at_s
        behind_s = now.now_s - first.now_s - gone_on_s
        if self._state == "paused":
            if gone_on_s > STOOD_S:
                self._begin(now, gone_on_s)
        elif behind_s > STOOD_S:
            self._close(now.at_s, now.pts_s - behind_s)
            self._state, self._first = "paused", now
        elif behind_s < -STOOD_S:  # further than it was thought to be
            self._close(newest.at_s, newest.pts_s)
            self._begin(now, 0.0)
        return None

    def _begin(self, now: _Look, most_s: float, anew: bool = False) -> None:
        """A run began as long ago as the output, or since its pause, but at most ``most_s`` ago."""
        ago_s = min(now.at_s, most_s)
        self._state, self._first, self._take = "on", now, self._take + anew
        self._run = len(self._runs) if len(self._runs) < RUNS else None
        if self._run is not None:
            pts_s, at_s = round(max(0.0, now.pts_s - ago_s), 3), round(now.at_s - ago_s, 3)
            self._runs.append(Run(self._run, self._name, self._take, pts_s, at_s))
            self.changed.add(self._run)

    def _end(self, ended_s: float | None, now_s: float) -> bool:
        """The output ended; whether it is known where."""
        newest = self._newest
        assert newest is not None
        told = ended_s is not None and -STOOD_S <= ended_s - newest.at_s <= now_s - newest.now_s + STOOD_S
        if self._state == "on":
            at_s = ended_s if told and ended_s is not None else newest.at_s
            self._close(at_s, newest.pts_s + at_s - newest.at_s)
        return told

    def _close(self, at_s: float, pts_s: float) -> None:
        self._change(end_pts_s=round(pts_s, 3), end_at_s=round(at_s, 3))

    def _change(self, **fields: float | None) -> None:
        if self._run is not None:
            self._runs[self._run] = replace(self._runs[self._run], **fields)  # type: ignore[arg-type]
            self.changed.add(self._run)
