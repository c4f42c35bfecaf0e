"""The texts of facts, all in this one place, for the page, the terminal and JSON.

Each function takes figures and returns the fact with its text; a translation of Segue rewrites this module.
"""

from collections.abc import Sequence
from typing import Final

from features.footage import speed_place

from .events import Fact

# The names of the axes of mood (``features.spec.MOOD_AXES``), low and high.
_SIDES: Final = (("calm", "energetic"), ("sad", "cheerful"), ("relaxed", "tense"))


def cut_pulse(bpm: float, every_s: float) -> Fact:
    return Fact("cuts", round(bpm), "bpm", f"{bpm:.0f} bpm on the pulse of the cuts (every {every_s:.1f} s)")


def picture_pulse(bpm: float, visual_bpm: float) -> Fact:
    return Fact("pulse", round(bpm), "bpm", f"{bpm:.0f} bpm on the pulse of the picture (about {visual_bpm:.0f})")


def soft(speed: float, lufs: float) -> Fact:
    return Fact("soft", round(lufs), "LUFS", f"{movement(speed)}, soft music ({lufs:.0f} LUFS)")


def loud(speed: float, lufs: float) -> Fact:
    return Fact("loud", round(lufs), "LUFS", f"{movement(speed)}, loud music ({lufs:.0f} LUFS)")


def beats(speed: float, beats_per_s: float) -> Fact:
    return Fact("beats", round(beats_per_s, 1), "1/s", f"{movement(speed)}, {beats_per_s:.1f} beats a second")


def first(part: str, fit: float) -> Fact:
    """The best of the list's rows in one part of the score."""
    names = {"content": "nearest to the picture", "rhythm": "nearest to its pace", "mood": "nearest to its mood"}
    return Fact(f"first_{part}", round(fit, 1), "", f"{names[part]} of these")


def mood(sides: Sequence[tuple[int, bool]], light: str, fit: float) -> Fact:
    """``sides``: axis, and whether it is its high side; ``light``: of the picture, empty if neither dark nor bright."""
    names = " and ".join(_SIDES[axis][high] for axis, high in sides)
    return Fact("mood", round(fit, 1), "", f"{names}, like the {light + ' ' if light else ''}picture")


def liked(title: str, gain: float) -> Fact:
    return Fact("liked", round(gain, 2), "", f"liked: sounds like {title}")


def placed(name: str, way: str, stands: float) -> Fact:
    """``name``: what the source calls what is on air; ``way``: where that leans, as in "calmer"."""
    return Fact("place", round(stands, 1), "", f"scene '{name}': {way}")


def instrumental() -> Fact:
    return Fact("instrumental", None, "", "instrumental, while somebody speaks")


def pictures(fit: float) -> Fact:
    degree = "fits" if fit >= 0.75 else "goes with" if fit >= 0.5 else "loosely fits"
    return Fact("pictures", round(fit, 1), "", f"{degree} pictures like this")


def loudness(lufs: float) -> Fact:
    return Fact("loudness", round(lufs), "LUFS", f"mastered at {lufs:.0f} LUFS")


def movement(speed: float) -> str:
    """How much moves, in words, compared with real footage; ``speed`` in frame widths a second."""
    share = speed_place(speed)
    if share < 0.3:
        return "almost still"
    return "gentle movement" if share < 0.65 else "lively movement" if share < 0.9 else "fast movement"
