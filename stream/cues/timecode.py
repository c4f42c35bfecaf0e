"""SMPTE timecode in whole frames, exactly: rates are fractions, no frame is ever a rounded float.

Drop-frame (SMPTE ST 12-1) leaves out the numbers 00 and 01 (at 60000/1001: 00 to 03) of each minute but every tenth;
no picture is dropped. After 24 h it begins anew.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from .errors import CueError

DROPPED: Final = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}
# What people call the rates: the decimals are roundings of fractions.
NAMES: Final = {
    "23.976": Fraction(24000, 1001), "23.98": Fraction(24000, 1001), "24": Fraction(24), "25": Fraction(25),
    "29.97": Fraction(30000, 1001), "30": Fraction(30), "48": Fraction(48), "50": Fraction(50),
    "59.94": Fraction(60000, 1001), "60": Fraction(60),
}  # fmt: skip
RATES: Final = tuple(dict.fromkeys(NAMES.values()))
RATE: Final = re.compile(r"\d{1,9}(?:/\d{1,9}|\.\d{1,9})?", re.ASCII)  # an exponent could ask for a number without end
TEXT: Final = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})[:;.,](\d{2})")


@dataclass(frozen=True, slots=True)
class Rate:
    """Frames a second, one of ``RATES``, and whether they are counted with drop-frame. Raises CueError for others."""

    fps: Fraction
    drop: bool = False

    def __post_init__(self) -> None:
        if self.fps not in RATES:
            raise CueError(f"{self.fps} frames a second: give one of {', '.join(NAMES)}, or 30000/1001 and the like")
        if self.drop and self.fps not in DROPPED:
            raise CueError(f"drop-frame at {self.fps}: there is none; it is for 29.97 and 59.94 frames a second")

    @property
    def nominal(self) -> int:
        """The frame numbers of a second: 30 at 29.97."""
        return -(-self.fps.numerator // self.fps.denominator)

    @property
    def exact(self) -> bool:
        """Whether a second is a whole number of frames."""
        return self.fps.denominator == 1

    @property
    def day(self) -> int:
        """Frames until the timecode begins anew."""
        return 24 * 60 * 60 * self.nominal - (DROPPED[self.fps] * 24 * 54 if self.drop else 0)

    def frame(self, seconds: Fraction) -> int:
        """The frame nearest to a time; the later of two that are equally near."""
        return (2 * seconds * self.fps + 1).__floor__() // 2

    def seconds(self, frame: int) -> Fraction:
        """When a frame begins."""
        return frame / self.fps

    def text(self, frame: int) -> str:
        """The timecode of a frame, HH:MM:SS:FF; with drop-frame the last mark is a semicolon."""
        number = frame % self.day
        if self.drop:
            number += self._left_out(number)
        rest, frames = divmod(number, self.nominal)
        rest, seconds = divmod(rest, 60)
        hours, minutes = divmod(rest, 60)
        return f"{hours:02}:{minutes:02}:{seconds:02}{';' if self.drop else ':'}{frames:02}"

    def parse(self, text: str) -> int:
        """The frame of a timecode. Raises CueError for one that is none, or that does not exist at this rate."""
        match = TEXT.fullmatch(text.strip())
        if match is None:
            raise CueError(f"{text[:20]!r} is no timecode; give HH:MM:SS:FF, as in 01:00:00:00")
        hours, minutes, seconds, frames = map(int, match.groups())
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= self.nominal:
            raise CueError(f"the timecode {text} does not exist at {self.nominal} frames a second")
        total = 60 * hours + minutes
        number = (total * 60 + seconds) * self.nominal + frames
        if not self.drop:
            return number
        dropped = DROPPED[self.fps]
        if minutes % 10 and seconds == 0 and frames < dropped:
            raise CueError(f"the timecode {text} does not exist with drop-frame: take {text[:-2]}{dropped:02}")
        return number - dropped * (total - total // 10)

    def _left_out(self, frame: int) -> int:
        """How many numbers were left out before a frame."""
        dropped = DROPPED[self.fps]
        minute = 60 * self.nominal - dropped
        tens, rest = divmod(frame, 10 * minute + dropped)
        return dropped * (9 * tens + max(0, (rest - dropped) // minute))


def read_rate(text: str, drop: bool | None = None) -> Rate:
    """A rate by name ("29.97", "30000/1001", "29.97df", "59.94ndf"). ``drop`` None: drop-frame where there is one,
    unless the name says otherwise. Raises CueError."""
    word = text.strip().lower()
    for ending, wanted in (("ndf", False), ("df", True)):
        if word.endswith(ending):
            word, drop = word.removesuffix(ending).rstrip(), wanted if drop is None else drop
            break
    try:
        fps = NAMES[word] if word in NAMES else Fraction(word if RATE.fullmatch(word) else "")
    except (ValueError, ZeroDivisionError) as error:
        raise CueError(f"{text[:20]!r} is no frame rate; give one of {', '.join(NAMES)}, or 30000/1001") from error
    return Rate(fps, fps in DROPPED if drop is None else drop)


def exactly(seconds: float) -> Fraction:
    """A time that was measured in milliseconds."""
    return Fraction(round(1000 * seconds), 1000)
