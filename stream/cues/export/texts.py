"""Texts for formats that take only some characters."""

import re
import unicodedata
from pathlib import Path
from typing import Final
from urllib.parse import quote

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
PLAIN: Final = {
    "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "þ": "th", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...",
}  # fmt: skip


def one_line(text: str) -> str:
    """Without line breaks, control characters and what XML and UTF-8 cannot have; blanks run together."""
    return " ".join(CONTROL.sub(" ", text).split())


def ascii_only(text: str) -> str:
    """One line in ASCII: accents go, other letters become question marks."""
    plain = "".join(PLAIN.get(letter, letter) for letter in one_line(text))
    apart = unicodedata.normalize("NFKD", plain)
    return "".join(letter if letter.isascii() else "?" for letter in apart if not unicodedata.combining(letter))


def url_of(place: str) -> str:
    """A place as a URL: addresses stay as they are, absolute paths become ``file:``; others are quoted."""
    if re.match(r"https?://", place):
        return place
    path = Path(place)
    if path.is_absolute():
        return path.as_uri()
    return quote(place)


def short_clock(seconds: float) -> str:
    """M:SS, from an hour on H:MM:SS."""
    text = clock_text(seconds)
    return text[3:] if text.startswith("0:0") else text.removeprefix("0:")


def clock_text(seconds: float, milliseconds: bool = False) -> str:
    """H:MM:SS, or with milliseconds HH:MM:SS.mmm."""
    if milliseconds:
        whole = round(1000 * seconds)
        rest, ms = divmod(whole, 1000)
        return f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.{ms:03}"
    rest = int(seconds)
    return f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
