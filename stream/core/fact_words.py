"""The words of facts: the one place where they are put, for the page, the terminal and JSON alike.

Each function takes figures and gives the fact with its text; to translate Segue is to write this module anew.
"""

from collections.abc import Sequence
from typing import Final

from .events import Fact

# The names of the axes of mood (``features.spec.MOOD_AXES``), low and high.
_SIDES: Final = (("calm", "energetic"), ("sad", "cheerful"), ("relaxed", "tense"))


def cut_pulse(bpm: float, every_s: float) -> Fact:
    return Fact("cuts", round(bpm), "bpm", f"{bpm:.0f} bpm on the pulse of the cuts (every {every_s:.1f} s)")


def picture_pulse(bpm: float, seen_bpm: float) -> Fact:
    return Fact("pulse", round(bpm), "bpm", f"{bpm:.0f} bpm on the pulse of the picture (about {seen_bpm:.0f})")


def soft(lufs: float) -> Fact:
    return Fact("soft", round(lufs), "LUFS", f"calm picture, soft music ({lufs:.0f} LUFS)")


def loud(lufs: float) -> Fact:
    return Fact("loud", round(lufs), "LUFS", f"fast picture, loud music ({lufs:.0f} LUFS)")


def dense(beats_per_s: float) -> Fact:
    return Fact("dense", round(beats_per_s, 1), "1/s", f"fast picture, dense music ({beats_per_s:.1f} beats a second)")


def slow(bpm: float) -> Fact:
    return Fact("slow", round(bpm), "bpm", f"calm picture, slow music ({bpm:.0f} bpm)")


def mood(sides: Sequence[tuple[int, bool]], light: str, fit: float) -> Fact:
    """``sides``: axis, and whether it is its high side; ``light``: of the picture, empty where there is no word."""
    names = " and ".join(_SIDES[axis][high] for axis, high in sides)
    return Fact("mood", round(fit, 1), "", f"{names}, like the {light + ' ' if light else ''}picture")


def liked(title: str, gain: float) -> Fact:
    return Fact("liked", round(gain, 2), "", f"liked: sounds like {title}")


def instrumental() -> Fact:
    return Fact("instrumental", None, "", "instrumental, while somebody speaks")


def pictures(fit: float) -> Fact:
    degree = "fits" if fit >= 0.75 else "goes with" if fit >= 0.5 else "loosely fits"
    return Fact("pictures", round(fit, 1), "", f"{degree} pictures like this ({100 * round(fit, 1):.0f} of 100)")


def tempo(bpm: float) -> Fact:
    return Fact("tempo", round(bpm), "bpm", f"{bpm:.0f} bpm")


def loudness(lufs: float) -> Fact:
    return Fact("loudness", round(lufs), "LUFS", f"{lufs:.0f} LUFS")
