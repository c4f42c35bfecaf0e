"""The grade: a shot is exposed, stretched, saturated and balanced until it has the requested look.

Brightness and contrast follow one curve, straight in log-odds of luma (as film has it: soft at both ends), colour by
one factor of all chroma, warmth by the balance of red and blue. All four are baked into the shot's ramps, so a picture
costs no more than before.
"""

from dataclasses import dataclass
from math import hypot, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.video.palette import Ramp

STEPS: Final = 24
CLOSE: Final = 0.01  # a look this near is close enough
LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
MOST_CHROMA: Final = 6.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """Four numbers in [0, 1], as ``features.appearance.ColourStats`` measures them."""

    brightness: float
    contrast: float
    colourfulness: float
    warmth: float


def measure(colour: Floats) -> Look:
    """The look of pixels (n, 3) RGB in [0, 1]."""
    luma = colour @ LUMA
    red, green, blue = colour.T
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = hypot(float(red_green.std()), float(yellow_blue.std())) + 0.3 * hypot(
        float(red_green.mean()), float(yellow_blue.mean())
    )
    warm, cold = float(red.mean()), float(blue.mean())
    return Look(
        float(luma.mean()),
        min(1.0, 2.0 * float(luma.std())),
        min(1.0, spread * 255 / 109),
        0.5 + 0.5 * (warm - cold) / (warm + cold + 16 / 255),
    )


def possible(look: Look) -> Look:
    """The nearest look that is possible for a picture: little contrast and colour near black and white, no warmth
    without colour."""
    most = 1.7 * float(np.sqrt(look.brightness * (1.0 - look.brightness)))
    colourful = min(look.colourfulness, 0.1 + 8.0 * look.brightness, 0.1 + 4.0 * (1.0 - look.brightness))
    room = min(0.5, 0.5 * colourful / max(colour_of_warmth(look.brightness, min(look.contrast, most), 1.0), 1e-3))
    return Look(
        look.brightness,
        min(look.contrast, most),
        colourful,
        float(np.clip(look.warmth, 0.5 - room, 0.5 + room)),
    )


def colour_of_warmth(brightness: float, contrast: float, warmth: float) -> float:
    """The least colourfulness of a picture that is so warm.

    Greys whose red and blue are (1 + d) and (1 - d) times their luma have a warmth of 0.5 + d / 2 where they are well
    above black.
    """
    return 2.0 * abs(warmth - 0.5) * 0.85 * (2.1 * contrast + 1.26 * brightness)


def grade_ramps(
    ramps: tuple[Ramp, Ramp], tone: NDArray[np.uint8], tint: Floats, shade: Floats, look: Look
) -> tuple[Ramp, Ramp]:
    """The ramps with which a painting of ``tone`` and ``tint`` (n,), darkened by ``shade`` (n,), comes as near to
    ``look`` as it can."""
    look = possible(look)
    ramp = np.concatenate([np.asarray(of_shot / 255, np.float32) for of_shot in ramps])
    share, shade = np.clip(tint, 0, 1)[:, None], shade[:, None]
    index = tone.astype(np.intp)
    lift, slope, chroma, warm = 0.0, 1.0, 1.0, 0.0
    best, nearest = ramp, float("inf")
    for step in range(STEPS):
        ramp_now = _apply(ramp, lift, slope, chroma, warm)
        main = ramp_now[index]
        now = measure((main + (ramp_now[index + 256] - main) * share) * shade)
        away = _away(now, look)
        if away < nearest:
            best, nearest = ramp_now, away
        if away < CLOSE:
            break
        rate = 0.9 - 0.5 * step / STEPS  # oscillation dies down
        lift = float(np.clip(lift + rate * (_odds(look.brightness) - _odds(now.brightness)), -8.0, 8.0))
        slope *= float(np.clip((look.contrast + 0.01) / (now.contrast + 0.01), 0.4, 2.5) ** (0.8 * rate))
        slope = min(max(slope, 0.05), 8.0)
        chroma *= ((look.colourfulness + 1e-3) / (now.colourfulness + 1e-3)) ** (0.9 * rate)
        chroma = min(max(chroma, 0.0), MOST_CHROMA)
        warm = min(max(warm + rate * (_odds(look.warmth) - _odds(now.warmth)), -3.0), 3.0)
    best = np.asarray(best * 255, np.float32)
    return best[:256], best[256:]


def _away(now: Look, look: Look) -> float:
    return (
        2.0 * abs(now.brightness - look.brightness)
        + abs(now.contrast - look.contrast)
        + 0.5 * abs(now.colourfulness - look.colourfulness)
        + abs(now.warmth - look.warmth)
    )


def _apply(ramp: Ramp, lift: float, slope: float, chroma: float, warm: float) -> Ramp:
    luma = np.clip(ramp @ LUMA, 0.004, 0.996)
    odds = slope * np.log(luma / (1 - luma)) + lift
    toned = (1 / (1 + np.exp(-odds)))[:, None]
    # Chroma of a darkened colour shrinks with it, as light does; near white, clipping leaves little room for it.
    scale = chroma * toned / luma[:, None]
    colour = toned + (ramp - (ramp @ LUMA)[:, None]) * np.minimum(scale, MOST_CHROMA)
    balance = np.exp(np.array([0.25 * warm, 0.0, -0.25 * warm], np.float32) * 2)
    return np.asarray(np.clip(colour * balance, 0, 1), np.float32)


def _odds(share: float) -> float:
    bounded = min(max(share, 0.004), 0.996)
    return log(bounded / (1 - bounded))
