"""A CUE sheet of the session's recording: each stretch of music is a track, its INDEX in frames of 1/75 s.

The sheet names the recording (``SOUND``), which it has to lie beside; the name may be changed to the real one. The
first index of a file is 0, so a silence before the first track is its INDEX 00.
"""

from fractions import Fraction
from typing import Final

from ..errors import CueError
from .sheet import Sheet
from .texts import one_line

TRACKS: Final = 99
TEXT: Final = 80
SOUND: Final = "recording.wav"


def make(sheet: Sheet) -> str:
    """Raises CueError for more tracks than a sheet numbers."""
    spans = sheet.music
    if len(spans) > TRACKS:
        raise CueError(f"{len(spans)} stretches of music: a CUE sheet numbers {TRACKS} at most; take .vtt or .m3u8")
    if not spans:
        raise CueError("no music was on air in this session: a CUE sheet needs a track; take .csv")
    lines = ['REM COMMENT "Segue"', f'TITLE "{_text(sheet.title)}"', f'FILE "{SOUND}" WAVE']
    for number, span in enumerate(spans, 1):
        lines += [f"  TRACK {number:02} AUDIO", f'    TITLE "{_text(span.cue.title or span.cue.words)}"']
        if span.cue.artist:
            lines.append(f'    PERFORMER "{_text(span.cue.artist)}"')
        if number == 1 and span.begin_s > 0:
            lines.append("    INDEX 00 00:00:00")
        lines.append(f"    INDEX 01 {index(span.begin_s)}")
    return "\n".join([*lines, ""])


def index(seconds: Fraction) -> str:
    """MM:SS:FF with 75 frames a second; minutes go beyond 99."""
    frames = (150 * seconds + 1).__floor__() // 2
    return f"{frames // 4500:02}:{frames // 75 % 60:02}:{frames % 75:02}"


def _text(text: str) -> str:
    return one_line(text).replace('"', "'")[:TEXT]
