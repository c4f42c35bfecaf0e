"""From tone to colour: two ramps of 256 colours a shot, between which a scene's tint chooses."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Ramp = NDArray[np.float32]  # (256, 3) RGB in [0, 255]

# Hue (degrees) of shadows, mid tones and lights, then saturation; the second row is the tint's ramp.
HUES: Final[dict[str, tuple[tuple[float, float, float, float], tuple[float, float, float, float]]]] = {
    "meadow": ((150, 100, 55, 0.50), (210, 205, 60, 0.45)),
    "ocean": ((225, 200, 180, 0.60), (30, 40, 50, 0.40)),
    "ember": ((350, 15, 45, 0.75), (280, 320, 40, 0.55)),
    "dusk": ((260, 320, 35, 0.50), (220, 30, 50, 0.55)),
    "neon": ((240, 300, 190, 0.85), (330, 180, 60, 0.85)),
    "pastel": ((210, 330, 50, 0.25), (180, 100, 40, 0.28)),
    "desert": ((15, 30, 48, 0.45), (205, 200, 45, 0.35)),
    "mono": ((220, 220, 40, 0.08), (30, 30, 40, 0.14)),
}


def ramps(name: str, warmth: float, contrast: float, gamma: float, rng: np.random.Generator) -> tuple[Ramp, Ramp]:
    """The main ramp and the tint's. ``gamma`` bends tone first; ``contrast`` 0..1 stretches it about the middle."""
    pair = []
    turn = rng.normal(0, 9)
    strength = rng.uniform(0.55, 1.05)
    black, white = 0.10 * (1 - contrast), 1.0 - 0.14 * (1 - contrast)
    tone = np.linspace(0, 1, 256, dtype=np.float32) ** gamma
    slope = 0.65 + 0.9 * contrast
    pivot = 0.45
    curved = np.clip(pivot + (tone - pivot) * slope, 0, 1)
    # A soft mix keeps both ends inside the range instead of cutting them off flat.
    tone = (black + (white - black) * (0.65 * curved + 0.35 * tone)).astype(np.float32)
    for shadow, middle, light, saturation in HUES[name]:
        hues = np.unwrap(np.radians([shadow + turn, middle + turn, light + turn]))
        hue = np.degrees(np.interp(tone, [0.0, 0.5, 1.0], hues)) % 360
        sat = np.clip(saturation * strength * (1.15 - 0.6 * tone), 0, 1)
        hsv = np.stack([hue, sat, tone], axis=1).astype(np.float32)[None]
        rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]
        grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
        rgb *= (tone / np.maximum(grey, 1e-3)).clip(0.5, 1.5)[:, None] ** 0.7  # tone should read as luminance
        lean = np.float32(warmth - 0.5) * np.array([0.34, 0.04, -0.36], np.float32)
        pair.append(np.clip(rgb * (1 + lean), 0, 1) * 255)
    return pair[0], pair[1]
