"""A picture and its time -> all its features that the rest of the program uses.

The state is the previous picture and a few means; no clock is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .appearance import ColourStats, colour_stats, shrink, shrink_colour
from .cuts import HARD_CUT, CutMeter
from .flow import FlowMeter, FlowSample
from .keep import Keep
from .motion import OnsetMeter
from .picture import grey
from .slots import is_held
from .spec import MOTION_FPS

FLOW: Final = "flow"  # names of the parts, for callers that time them
APPEARANCE: Final = "appearance"
_REST = FlowSample(speed=0.0, dx=0.0, dy=0.0)


@dataclass(frozen=True, slots=True)
class FrameFeatures:
    """Features of one picture.

    ``thumb``: ``(64, 64)`` uint8 grey. ``speed``, ``dx``, ``dy``: frame widths per second. ``onset``: >= 0.
    ``cut``: in [0, 1], a hard cut from ``features.cuts.HARD_CUT`` on. ``small``: ``(32, 32, 3)`` uint8
    RGB, if the meter keeps it. ``scene``: the picture itself, ``(90, 160, 3)``, if the meter keeps it and a second or a
    shot begins with it. ``whole``: the picture itself, if the meter keeps every one.
    """

    thumb: NDArray[np.uint8]
    colour: ColourStats
    speed: float
    dx: float
    dy: float
    onset: float
    cut: float
    small: NDArray[np.uint8] | None = None
    scene: NDArray[np.uint8] | None = None
    whole: NDArray[np.uint8] | None = None


class FrameMeter:
    """Measures pictures in order.

    The first picture has speed, onset and cut 0. At a hard cut displacement means nothing, because the two pictures
    show different things: the motion of the picture before is held, so that a cut neither stops the motion nor looks
    like an accent of it. A picture that was held (see `held`) lasts until a slot before the next one: the next
    one is measured as if the held picture had come again in every slot.

    ``lap``, where given, is called with the name of each part once it is done, so that a caller with a clock can time
    them: ``flow`` (grey and optical flow), then ``appearance`` (cut score, thumbnail, colour). ``small``: keep pictures
    too, for towers that take them; True keeps all kinds.
    """

    def __init__(self, lap: Callable[[str], None] | None = None, small: Keep | bool = Keep.NOTHING) -> None:
        self._lap = lap
        self._keep = small if isinstance(small, Keep) else Keep.ALL if small else Keep.NOTHING
        self._flow = FlowMeter()
        self._cuts = CutMeter()
        self._onsets = OnsetMeter()
        self._motion = _REST
        self._slot: int | None = None  # of the newest picture

    def push(self, picture: NDArray[np.uint8], t_s: float) -> FrameFeatures:
        """Features of a canonical picture, ``(90, 160, 3)`` uint8 RGB, at media time ``t_s`` seconds.

        Raises ``FeatureError`` for another shape or type and for a time that is not finite or does not increase; the
        meter is then as it was before.
        """
        luma = grey(picture)
        slot = floor(t_s * MOTION_FPS) if isfinite(t_s) else None
        if slot is not None and self._slot is not None and is_held(self._slot, slot):
            self._hold(slot - self._slot - 1, t_s - 1 / MOTION_FPS)
        first = slot is None or self._slot is None or slot // MOTION_FPS != self._slot // MOTION_FPS
        motion = self._flow.push(luma, t_s)
        self._slot = slot
        if self._lap is not None:
            self._lap(FLOW)
        cut = self._cuts.push(picture)
        if motion is not None and cut < HARD_CUT:
            self._motion = motion
        features = FrameFeatures(
            thumb=shrink(luma),
            colour=colour_stats(picture),
            speed=self._motion.speed,
            dx=self._motion.dx,
            dy=self._motion.dy,
            onset=self._onsets.push(self._motion.speed),
            cut=cut,
            small=shrink_colour(picture) if Keep.SMALL in self._keep else None,
            scene=picture.copy() if Keep.SCENE in self._keep and (first or cut >= HARD_CUT) else None,
            whole=picture.copy() if Keep.WHOLE in self._keep else None,
        )
        if self._lap is not None:
            self._lap(APPEARANCE)
        return features

    def _hold(self, pictures: int, until_s: float) -> None:
        self._flow.hold(until_s)
        self._cuts.hold(pictures)
        self._onsets.hold(pictures)
        self._motion = _REST
