"""Musical keys, as DJ software spells them: ``Am``, ``F# minor``, ``D♭``, Camelot's ``8A``, Open Key's ``1m``."""

import re
from typing import Final

MAJOR: Final = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR: Final = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
KEYS: Final = (*MAJOR, *MINOR)
_SEMITONES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
_NAMED: Final = re.compile(r"([a-h])\s*([#b♯♭]?)\s*[-_]?\s*(m|min|minor|moll|mol|maj|major|dur)?\.?", re.IGNORECASE)
_WHEEL: Final = re.compile(r"(\d{1,2})\s*([abdm])", re.IGNORECASE)
_FIFTH: Final = 7  # semitones


def key_of(text: str) -> str:
    """The key in one spelling (one of ``KEYS``); empty for a text that names none."""
    text = text.strip()
    if match := _WHEEL.fullmatch(text):
        return _of_wheel(int(match[1]), match[2].casefold())
    if match := _NAMED.fullmatch(text):
        shift = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[match[2].casefold()]
        minor = (match[3] or "").casefold() in ("m", "min", "minor", "moll", "mol") and match[3] != "M"
        return (MINOR if minor else MAJOR)[(_SEMITONES[match[1].casefold()] + shift) % 12]
    return ""


def _of_wheel(hour: int, ring: str) -> str:
    """Both wheels are circles of fifths: Camelot's has C at 8B and A minor at 8A, Open Key's at 1d and 1m."""
    if not 1 <= hour <= 12:
        return ""
    fifths = hour - 8 if ring in "ab" else hour - 1
    minor = ring in "am"
    return MINOR[(9 + fifths * _FIFTH) % 12] if minor else MAJOR[fifths * _FIFTH % 12]
