"""The loose ties between a style of music, the scenes that suit it, and the words that people tag both with.

``studio.pairs`` draws from these weights, so a style makes a scene more likely and never certain.
"""

from collections.abc import Mapping
from typing import Final

# The three scene kinds that each style prefers, the first most.
SCENES_OF: Final[Mapping[str, tuple[str, str, str]]] = {
    "ambient": ("gradient", "starfield", "water"),
    "chiptune": ("geometry", "particles", "starfield"),
    "cinematic": ("landscape", "fire", "forest"),
    "drum_and_bass": ("tunnel", "road", "city"),
    "folk": ("forest", "landscape", "portrait"),
    "funk": ("crowd", "portrait", "city"),
    "house": ("crowd", "city", "geometry"),
    "jazz": ("portrait", "weather", "city"),
    "lofi": ("weather", "portrait", "cells"),
    "rock": ("road", "fire", "crowd"),
    "synthwave": ("road", "city", "tunnel"),
    "techno": ("tunnel", "geometry", "cells"),
    "trap": ("fire", "particles", "tunnel"),
    "waltz": ("water", "landscape", "particles"),
}

STYLE_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ambient": ("ambient", "space", "meditation"),
    "chiptune": ("retro", "game", "playful"),
    "cinematic": ("cinematic", "epic", "trailer"),
    "drum_and_bass": ("electronic", "rush", "sport"),
    "folk": ("acoustic", "outdoors", "warm"),
    "funk": ("groove", "dance", "playful"),
    "house": ("dance", "club", "electronic"),
    "jazz": ("smooth", "evening", "acoustic"),
    "lofi": ("chill", "study", "smooth"),
    "rock": ("band", "drive", "sport"),
    "synthwave": ("retro", "drive", "evening"),
    "techno": ("club", "electronic", "machine"),
    "trap": ("urban", "club", "heavy"),
    "waltz": ("elegant", "acoustic", "romance"),
}

SCENE_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "landscape": ("nature", "outdoors", "travel"),
    "forest": ("nature", "outdoors", "organic"),
    "city": ("urban", "evening", "lights"),
    "road": ("travel", "drive", "urban"),
    "water": ("nature", "sea", "organic"),
    "weather": ("rainy", "nature", "study"),
    "crowd": ("people", "urban", "dance"),
    "portrait": ("people", "romance", "lights"),
    "particles": ("abstract", "lights", "magic"),
    "starfield": ("space", "travel", "magic"),
    "tunnel": ("abstract", "machine", "rush"),
    "gradient": ("abstract", "meditation", "organic"),
    "cells": ("abstract", "organic", "science"),
    "geometry": ("abstract", "machine", "game"),
    "fire": ("epic", "heavy", "organic"),
}

# (axis, centre, words): a mood or pace word is likely when the axis is near its centre. Pace is tempo over 60-180 bpm.
MOOD_WORDS: Final[tuple[tuple[str, float, tuple[str, ...]], ...]] = (
    ("energy", 0.1, ("calm", "still")),
    ("energy", 0.5, ("steady",)),
    ("energy", 0.9, ("energetic", "powerful")),
    ("rise", 1.0, ("building",)),
    ("rise", 0.0, ("fading",)),
    ("valence", 0.1, ("sad", "melancholy")),
    ("valence", 0.9, ("happy", "bright")),
    ("tension", 0.9, ("tense", "dark")),
    ("tension", 0.1, ("relaxed", "gentle")),
    ("pace", 0.1, ("slow",)),
    ("pace", 0.5, ("walking",)),
    ("pace", 0.9, ("fast",)),
)


def vocabulary() -> tuple[str, ...]:
    """Every word that a pair can carry, sorted."""
    words = {word for table in (STYLE_WORDS, SCENE_WORDS) for group in table.values() for word in group}
    return tuple(sorted(words | {word for _, _, group in MOOD_WORDS for word in group}))
