"""What a scene is made from, before any pixel is drawn.

Conventions: levels and shares are in [0, 1], times are seconds from the start of the video, and everything that a
recipe leaves open (framing, direction, textures, positions, exact colours) is drawn from its seed.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final, TypeAlias

from studio.errors import StudioError

Curve: TypeAlias = float | tuple[tuple[float, float], ...]  # one level, or (time_s, level) breakpoints joined by lines

KINDS: Final = (
    "landscape",
    "forest",
    "city",
    "road",
    "water",
    "weather",
    "crowd",
    "portrait",
    "particles",
    "starfield",
    "tunnel",
    "gradient",
    "cells",
    "geometry",
    "fire",
)
PALETTES: Final = ("meadow", "ocean", "ember", "dusk", "neon", "pastel", "desert", "mono")


@dataclass(frozen=True)
class SceneRecipe:
    """One video. ``motion`` sets the displacement: 0 is about 0.02 frame widths per second, 1 about 0.48, before
    pace and accents, which about double it at their height.

    ``cut_times_s`` overrides ``cut_rate`` (cuts per minute) where it is not None. ``pace_hz`` is the rate of periodic
    motion, 0 for none. ``shake`` is hand-held jitter of the camera.
    """

    kind: str
    motion: Curve = 0.4
    palette: str = "meadow"
    brightness: float = 0.5
    cut_rate: float = 0.0
    cut_times_s: tuple[float, ...] | None = None
    accents_s: tuple[float, ...] = ()
    detail: float = 0.5
    contrast: float = 0.5
    warmth: float = 0.5
    shake: float = 0.1
    pace_hz: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises StudioError for a value out of range."""
        if self.kind not in KINDS:
            raise StudioError(f"scene kind {self.kind!r} is unknown: use one of {', '.join(KINDS)}")
        if self.palette not in PALETTES:
            raise StudioError(f"palette {self.palette!r} is unknown: use one of {', '.join(PALETTES)}")
        for name in ("brightness", "detail", "contrast", "warmth", "shake"):
            _check(name, getattr(self, name), 0.0, 1.0)
        _check("cut_rate", self.cut_rate, 0.0, 120.0)
        _check("pace_hz", self.pace_hz, 0.0, 4.0)
        if self.seed < 0:
            raise StudioError(f"seed {self.seed} is negative: use 0 or more")
        check_curve("motion", self.motion)
        for name in ("cut_times_s", "accents_s"):
            times = getattr(self, name) or ()
            if any(not isfinite(t) or t < 0 for t in times) or list(times) != sorted(times):
                raise StudioError(f"{name} {times} must be finite times of 0 s or more in rising order: sort them")


def check_curve(name: str, curve: Curve) -> None:
    """Raises StudioError unless levels are in [0, 1] and breakpoints in strictly rising time."""
    if not isinstance(curve, tuple):
        _check(name, curve, 0.0, 1.0)
        return
    if not curve:
        raise StudioError(f"{name} has no breakpoint: give one (time_s, level) at least")
    times = [time_s for time_s, _ in curve]
    if any(not isfinite(t) for t in times) or any(b <= a for a, b in pairwise(times)):
        raise StudioError(f"{name} breakpoints at {times} s must stand in strictly rising time: sort them")
    for _, level in curve:
        _check(name, level, 0.0, 1.0)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise StudioError(f"{name} {value} is out of range: give {low:g} to {high:g}")
