"""What is on the screen, motion slot by motion slot: a picture is there until the next one comes, if it is held.

State: the newest picture and its slot, the latest cuts, the scenes; every picture goes into the window.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from features.bars import STEADY
from features.cuts import HARD_CUT
from features.held import held
from features.slots import is_held
from features.spec import MOTION_FPS, WINDOW_S

from .events import Cut, Scene
from .scene import SceneMeter
from .window import Window

if TYPE_CHECKING:
    from features.frame import FrameFeatures

REVISED: Final = STEADY - 1  # pictures in which bars may be detected later
CUTS: Final = 32  # that are remembered, the newest
FRESH_S: Final = 2  # a cut is fresh for so long


class Screen:
    """``newest``: the slot of the newest picture, -1 before any; ``filled``: the newest slot that is filled, by a
    picture or since it is held. ``cut_rest_s``: after a cut, this long without another."""

    def __init__(self, window: Window, cut_rest_s: float) -> None:
        self.newest = self.filled = -1
        self._window = window
        self._rest = cut_rest_s * MOTION_FPS
        self._scenes = SceneMeter()
        self._slots: deque[int] = deque(maxlen=REVISED)  # of the newest pictures
        self._picture: FrameFeatures | None = None  # the newest
        self._cuts: deque[int] = deque(maxlen=CUTS)  # the slots of the newest
        self._expecting = False  # the next picture begins a scene

    @property
    def scene(self) -> int:
        """The slot at which the scene began."""
        return self._scenes.start

    def hold(self, slot: int) -> list[Scene]:
        """Fill the slots before ``slot`` with the newest picture, if it is held; those that are still looked at."""
        if self._picture is None or not is_held(self.newest, slot):
            return []
        still = held(self._picture)
        first = max(self.filled + 1, slot - WINDOW_S * MOTION_FPS)
        return [event for place in range(first, slot) for event in self._fill(place, still)]

    def expect_scene(self) -> None:
        """The source has told that the next picture begins a new scene."""
        self._expecting = self.newest >= 0

    def show(self, slot: int, features: "FrameFeatures") -> list[Cut | Scene]:
        """A new picture, in a slot behind the newest."""
        self.newest, self._picture = slot, features
        self._slots.append(slot)
        events: list[Cut | Scene] = []
        if self._expecting:
            self._expecting = False
            self._cuts.append(slot)
            self._scenes.begin(slot)
            events += [Cut(slot / MOTION_FPS, 1.0), Scene(slot / MOTION_FPS)]
        if features.cut >= HARD_CUT and (not self._cuts or slot - self._cuts[-1] >= self._rest):
            self._cuts.append(slot)
            events.append(Cut(slot / MOTION_FPS, features.cut))
        return [*events, *self._fill(slot, features)]

    def revise(self, pictures: "Sequence[FrameFeatures]") -> None:
        """Replace the features of the newest pictures, oldest first. At most ``REVISED`` are remembered."""
        for slot, features in zip(list(self._slots)[-len(pictures) :], pictures, strict=False):
            self._window.push(slot, features)
            self._scenes.revise(slot, features)

    def is_cut(self, end: int) -> bool:
        """Whether there was a cut shortly before second ``end``."""
        return bool(self._cuts) and end * MOTION_FPS - self._cuts[-1] <= FRESH_S * MOTION_FPS

    def between_cuts_s(self, end: int) -> tuple[float, ...]:
        """The times from cut to cut in the window that ends at second ``end``."""
        slots = [slot for slot in self._cuts if slot >= (end - WINDOW_S) * MOTION_FPS]
        return tuple((second - first) / MOTION_FPS for first, second in pairwise(slots))

    def _fill(self, slot: int, features: "FrameFeatures") -> list[Scene]:
        """Keep the picture of a slot. A picture that comes after its slot was filled only replaces the held one."""
        self._window.push(slot, features)
        if slot <= self.filled:
            return []
        self.filled = slot
        change = self._scenes.push(slot, features)
        return [Scene(change.start / MOTION_FPS)] if change is not None and change.lasting else []
