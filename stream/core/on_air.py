"""What is on air, where in it the stream is, and when another track could take over.

A track goes on air by a command. Its beats are requested once. The position in it is known from the first command that
names one, and goes on with media time. The end of its music is known once a search has brought its outline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import Outline

from .bars import switch_points
from .cues import leave_at, loop_at, music_end
from .events import OnAirNow, Switch

NEAR_S: Final = 20.0  # before its end the next track is named


@dataclass(slots=True)
class OnAir:
    """One track on air. ``position_s`` is where in it the stream was at ``since_s`` of media time; ``beats`` are None
    until they are known, ``outline`` until a search has brought it. ``paused``: it stands still there."""

    track: str
    since_s: float = 0.0
    position_s: float | None = None
    paused: bool = False
    beats: NDArray[np.floating] | None = None
    outline: Outline | None = None

    def at(self, position_s: float | None, now_s: float, paused: bool = False) -> None:
        """The stream is ``position_s`` into the track at ``now_s`` of media time (None: where it is by media time);
        ``paused``: it stands still."""
        place_s = self.place_s(now_s) if position_s is None else position_s
        self.position_s, self.since_s, self.paused = place_s, now_s, paused

    def place_s(self, now_s: float) -> float | None:
        """Where in the track the stream is at ``now_s`` of media time, if that is known."""
        if self.position_s is None or self.paused:
            return self.position_s
        return self.position_s + now_s - self.since_s

    def restart(self, now_s: float) -> None:
        """Media time, at ``now_s``, starts again at 0; the music goes on."""
        self.since_s -= now_s

    def switch(self, track: str | None, now_s: float) -> Switch:
        """When to change to ``track`` (None: stay), seen from ``now_s`` of media time."""
        position = self.place_s(now_s)
        if position is None or self.beats is None:
            return Switch(track, (), None)
        points = switch_points(self.beats, position, () if self.outline is None else self.outline.downbeats_s)
        return Switch(track, points, points[0] - position if points else None)

    def now(self, listed: Sequence[str], now_s: float) -> OnAirNow:
        """How far it has played, and near its end the next track: the first other one of ``listed`` (best first)."""
        position = self.place_s(now_s)
        if position is None or self.outline is None:
            return OnAirNow(self.track, position)
        end = music_end(self.outline, position)
        left = 0.0 if end is None else end - position
        leave = leave_at(self.outline, position)
        until = left if leave is None else leave - position
        return OnAirNow(
            self.track,
            position,
            left,
            leave,
            until,
            loop_at(self.outline, position, 0.0),  # until it is reached
            next((track for track in listed if track != self.track), None) if until <= NEAR_S else None,
        )
