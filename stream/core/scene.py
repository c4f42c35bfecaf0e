"""Whether a cut changed the scene for good, or only the shot.

A cut alone says little: a conversation cuts from face to face and back, a flash is two cuts in a moment. So after a
hard cut the pictures are watched for ``WATCH_S``. When they keep looking unlike everything that the scene so far has
shown, a new scene began at the cut. When they look like some of it (shot and reverse shot, the end of a flash, another
angle on the same place), nothing changed. A conversation with slow shots looks like a change at its second shot; when
the scene before comes back within ``BACK_S``, that change is taken back, and both shots are one scene from then on.

A look is what stays the same over a scene and does not depend on the framing: the distribution of grey levels, colour,
the amount of detail, and the amount of motion. The distance of two looks is a weighted sum. Weights and threshold were
fitted on the rendered videos of ``studio``, cuts inside them against joins of two of them. The whole rule finds 65% of
214 joins (of videos that have cuts of their own beside the join) and takes 15% of 138 cuts inside for a change, where a
third of those change the palette on purpose. Limits: fades are no cuts, so a scene change by a fade is missed; two
scenes of one palette, pace and detail count as one.

State: the looks of the last 28 s, and at most two cuts under watch.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from features.appearance import detail
from features.cuts import HARD_CUT
from features.spec import MOTION_FPS, WINDOW_S

if TYPE_CHECKING:
    from features.frame import FrameFeatures

Floats = NDArray[np.float64]

WATCH_S: Final = 2.0  # how long after a cut the pictures are watched
BACK_S: Final = 8.0  # a scene that comes back within this time was never left
REST_S: Final = 4.0  # a change sooner than this after the one before belongs to it
BEFORE_S: Final = 1.0  # less of a scene than this is nothing to compare with
DIFFERENT: Final = 0.15  # from this distance on two looks are of two scenes
STILL, FAST = 0.02, 2.0  # frame widths a second: the ends of the scale of motion
MOST: Final = 0.75  # share of the pictures that must agree

_LEVELS = 16  # of grey
_DETAIL_SCALE = 4.0  # brings the mean step between neighbouring pixels of most pictures into [0, 1]
# Of the grey levels together, colourfulness, warmth, contrast, detail, motion.
_WEIGHTS = np.array([1.0 / (_LEVELS - 1)] * (_LEVELS - 1) + [0.2, 0.5, 0.3, 0.6, 0.6])


@dataclass(frozen=True, slots=True)
class Change:
    """The scene now begins at motion slot ``start``. ``lasting``: it is a new one; else the one before goes on."""

    start: int
    lasting: bool


def motion_energy(speed: float) -> float:
    """Frame widths per second -> [0, 1], logarithmic between ``STILL`` and ``FAST``."""
    return min(1.0, math.log(max(speed, STILL) / STILL) / math.log(FAST / STILL))


def look(frame: "FrameFeatures") -> Floats:
    """(20,): the cumulated shares of 15 grey levels, then colourfulness, warmth, contrast, detail and motion."""
    counts = np.bincount(frame.thumb.ravel() >> 4, minlength=_LEVELS)
    shares = np.cumsum(counts[:-1]) / frame.thumb.size
    colour, steps = frame.colour, _DETAIL_SCALE * detail(frame.thumb)
    rest = (colour.colourfulness, colour.warmth, colour.contrast, steps, motion_energy(frame.speed))
    return np.concatenate([shares, rest])


def nearest(looks: Floats, known: Floats) -> Floats:
    """(n,): how far each of ``looks`` (n, 20) is from the most similar of ``known`` (m, 20), m at least 1."""
    distances = np.abs(looks[:, None, :] - known[None, :, :]) @ _WEIGHTS
    return np.asarray(distances.min(axis=1))


class SceneMeter:
    """``start`` is the motion slot at which the scene began; 0 until something changes."""

    def __init__(self) -> None:
        self.start = 0
        self._previous: int | None = None  # where the scene before began
        self._newest: int | None = None  # the start of the newest change, taken back or not
        self._looks: dict[int, Floats] = {}  # slot -> look
        self._cuts: list[int] = []  # under watch: the oldest, and the newest of those after it

    def push(self, slot: int, frame: "FrameFeatures") -> Change | None:
        """Take the picture in ``slot``; slots increase. Returns the change that it confirms."""
        self._looks[slot] = look(frame)
        while (oldest := next(iter(self._looks))) <= slot - WINDOW_S * MOTION_FPS:
            del self._looks[oldest]
        if frame.cut >= HARD_CUT:
            self._cuts = [*self._cuts[:1], slot]
        if not self._cuts or slot + 1 < self._cuts[0] + WATCH_S * MOTION_FPS:
            return None
        return self._decide(self._cuts.pop(0), slot)

    def begin(self, slot: int) -> None:
        """A new scene begins with the picture that comes next, in ``slot``: the source says so, so it is not taken
        back."""
        self._previous, self.start, self._newest = None, slot, slot
        self._cuts = []

    def revise(self, slot: int, frame: "FrameFeatures") -> None:
        """Replace the look of the picture in ``slot``."""
        if slot in self._looks:
            self._looks[slot] = look(frame)

    def _decide(self, cut: int, now: int) -> Change | None:
        known = self._between(self.start, cut)
        if cut - self.start < BEFORE_S * MOTION_FPS or not len(known):
            return None
        after, newest = self._between(cut, now + 1), self._between(now + 1 - MOTION_FPS, now + 1)
        if not (_most(nearest(after, known) >= DIFFERENT) and _most(nearest(newest, known) >= DIFFERENT)):
            return None
        if self._previous is not None and cut - self.start <= BACK_S * MOTION_FPS:
            earlier = self._between(self._previous, self.start)
            if len(earlier) and _most(nearest(after, earlier) < DIFFERENT):
                self.start, self._previous = self._previous, None
                return Change(self.start, lasting=False)
        if self._newest is not None and cut - self._newest < REST_S * MOTION_FPS:
            return None
        self._previous, self.start, self._newest = self.start, cut, cut
        return Change(cut, lasting=True)

    def _between(self, first: int, end: int) -> Floats:
        rows = [value for slot, value in self._looks.items() if first <= slot < end]
        return np.stack(rows) if rows else np.empty((0, len(_WEIGHTS)))


def _most(votes: NDArray[np.bool_]) -> bool:
    return bool(votes.mean() >= MOST)
