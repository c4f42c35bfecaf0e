"""What a film is made from, before any pixel is drawn.

Conventions as in ``studio.video.recipe``: times are seconds from the start, lengths are frame widths, levels and shares
are in [0, 1], and everything that a recipe leaves open is drawn from its seed.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from studio.errors import StudioError
from studio.video.recipe import KINDS, PALETTES

from .grade import Look

# How it was filmed: the place itself moves past; a still camera and little that moves; somebody who talks to it;
# a screen with windows; stills, one after another.
FORMS: Final = ("moving", "locked", "talk", "screen", "slides")
# What lies over the picture and never moves with it.
OVERLAYS: Final = ("logo", "caption", "hud", "chat", "webcam", "frame")


@dataclass(frozen=True)
class Film:
    """One video. ``speeds`` are breakpoints (time_s, frame widths a second) that ``features.flow`` must measure.

    ``burst``: how unevenly it moves (deviation of the logarithm of speed). ``shake``: share of the motion that is the
    hand's. ``accent``: how strongly accents show. ``change``: how far shots differ in their look. ``breath``: how much
    light and contrast wander within a shot. ``grain``: sensor noise, levels of 255; ``still_grain``: the noise stands
    still, as after a strong codec.
    """

    kind: str
    form: str
    palette: str
    look: Look
    speeds: tuple[tuple[float, float], ...]
    cut_times_s: tuple[float, ...] = ()
    accents_s: tuple[float, ...] = ()
    accent: float = 0.3
    burst: float = 0.5
    shake: float = 0.0
    change: float = 0.2
    breath: float = 0.0
    pace_hz: float = 0.0
    detail: float = 0.5
    soft: float = 0.3
    grain: float = 1.0
    still_grain: bool = False
    overlays: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises StudioError for a value out of range."""
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("form", self.form, FORMS),
            ("palette", self.palette, PALETTES),
            *(("overlay", overlay, OVERLAYS) for overlay in self.overlays),
        ):
            if value not in known:
                raise StudioError(f"{name} {value!r} is unknown: use one of {', '.join(known)}")
        levels = {name: getattr(self.look, name) for name in ("brightness", "contrast", "colourfulness", "warmth")}
        levels |= {name: getattr(self, name) for name in ("accent", "shake", "change", "breath", "detail", "soft")}
        bounds = {"burst": 2.0, "pace_hz": 4.0, "grain": 20.0}
        for name, value in (*levels.items(), *((name, getattr(self, name)) for name in bounds)):
            if not 0.0 <= value <= bounds.get(name, 1.0):  # also refuses NaN
                raise StudioError(f"{name} {value} is out of range: give 0 to {bounds.get(name, 1.0):g}")
        if self.seed < 0:
            raise StudioError(f"seed {self.seed} is negative: use 0 or more")
        if not self.speeds or any(not isfinite(t) or not 0.0 <= v <= 4.0 for t, v in self.speeds):
            raise StudioError(f"speeds {self.speeds}: give (time_s, frame widths a second) with speeds of 0 to 4")
        for name, times in (
            ("speeds", [t for t, _ in self.speeds]),
            ("cut_times_s", self.cut_times_s),
            ("accents_s", self.accents_s),
        ):
            if any(not isfinite(t) or t < 0 for t in times) or any(b <= a for a, b in pairwise(times)):
                raise StudioError(f"{name} {times} must be finite times of 0 s or more, each after the one before")
