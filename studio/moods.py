"""What the demo catalogue is drawn from: moods and their words, usual tempi, arcs of energy, made-up names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Usual tempi of each style.
TEMPI_BPM: Final[Mapping[str, tuple[int, int]]] = {
    "ambient": (60, 90),
    "chiptune": (110, 170),
    "cinematic": (66, 130),
    "drum_and_bass": (160, 178),
    "folk": (80, 130),
    "funk": (92, 118),
    "house": (116, 128),
    "jazz": (90, 168),
    "lofi": (68, 92),
    "rock": (100, 160),
    "synthwave": (82, 122),
    "techno": (122, 140),
    "trap": (120, 150),
    "waltz": (84, 160),
}


@dataclass(frozen=True, slots=True)
class Mood:
    """The levels of a mood, the modes that suit it, and the words its titles are made of."""

    energy: float
    brightness: float
    tension: float
    modes: tuple[str, ...]
    first_words: tuple[str, ...]
    last_words: tuple[str, ...]


MOODS: Final = (
    Mood(
        0.25,
        0.35,
        0.1,
        ("major", "lydian"),
        ("Quiet", "Slow", "Drifting"),
        ("Harbour", "Snowfall", "Lanterns", "Meadow"),
    ),
    Mood(
        0.2, 0.2, 0.3, ("minor", "dorian"), ("Empty", "Grey", "Faded"), ("Platform", "November", "Letters", "Shoreline")
    ),
    Mood(
        0.5,
        0.75,
        0.05,
        ("major", "mixolydian"),
        ("Paper", "Lemon", "Sunday"),
        ("Kites", "Bicycle", "Balcony", "Market"),
    ),
    Mood(
        0.85,
        0.8,
        0.1,
        ("major", "lydian"),
        ("Bright", "Running", "Open"),
        ("Skyline", "Finish Line", "Summer", "Wings"),
    ),
    Mood(
        0.9,
        0.5,
        0.8,
        ("phrygian", "harmonic_minor"),
        ("Iron", "Falling", "Red"),
        ("Pursuit", "Alarm", "Bridges", "Engine"),
    ),
    Mood(
        0.35,
        0.3,
        0.85,
        ("phrygian", "harmonic_minor"),
        ("Hollow", "Buried", "Cold"),
        ("Corridor", "Signal", "Well", "Cellar"),
    ),
    Mood(0.7, 0.4, 0.4, ("minor", "dorian"), ("Midnight", "Neon", "Velvet"), ("Drive", "Overpass", "Arcade", "Tunnel")),
    Mood(
        0.55,
        0.6,
        0.3,
        ("dorian", "mixolydian"),
        ("Dusty", "Copper", "Crooked"),
        ("Road", "Caravan", "Rooftops", "Staircase"),
    ),
    Mood(
        0.6,
        0.65,
        0.2,
        ("lydian", "major"),
        ("Glass", "Weightless", "Distant"),
        ("Orbit", "Atlas", "Observatory", "Tide"),
    ),
    Mood(
        0.8,
        0.35,
        0.6,
        ("minor", "harmonic_minor"),
        ("Black", "Rising", "Last"),
        ("Water", "Banner", "Horizon", "Stand"),
    ),
    Mood(
        0.4,
        0.45,
        0.15,
        ("major", "dorian"),
        ("Warm", "Second", "Borrowed"),
        ("Coffee", "Blanket", "Window", "Afternoon"),
    ),
    Mood(
        0.95,
        0.7,
        0.45,
        ("minor", "mixolydian"),
        ("Electric", "Broken", "Loud"),
        ("Carnival", "Mirrors", "Thunder", "Parade"),
    ),
)

ARTISTS: Final = (
    "Alder & Fen",
    "Cassette Garden",
    "Halfway Lights",
    "June Harrow",
    "Kilo Ostrava",
    "Low Orbit Choir",
    "Mira Sundgren",
    "Night Tram",
    "Ondine Park",
    "Paper Lighthouse",
    "Quarry Street",
    "Tin Comet",
    "The Velvet Ledger",
    "Wren Okafor",
)

# Energy over the track, as shares of its length and what is added to the mood's energy there.
ARCS: Final = (
    ((0.0, 0.0), (1.0, 0.0)),
    ((0.0, -0.25), (0.35, 0.0), (0.75, 0.1), (1.0, -0.1)),
    ((0.0, -0.3), (0.9, 0.15), (1.0, 0.1)),
    ((0.0, -0.1), (0.3, 0.1), (0.45, -0.25), (0.6, 0.1), (1.0, 0.0)),
    ((0.0, 0.1), (0.4, 0.0), (1.0, -0.3)),
)
