"""What a container declares of its sound, as far as that is reliable; and files that no container reader opens."""

from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.stream import Disposition

# Formats whose header or last page holds their length. In others FFmpeg guesses from the size and the bit rate of
# the first frames: a raw AAC that begins with silence is "hours" long.
_DECLARING: Final = {"avi", "caf", "flac", "matroska", "mov", "ogg", "tta", "w64", "wav", "webm", "wv"} | {
    "aiff", "ape", "asf", "au", "dsf", "mpc", "mpc8", "rm"
}  # fmt: skip
_OF_EACH: Final = {"avi", "mov"}  # the length of each stream; others hold that of the longest
_MP3_TAGS: Final = (b"Xing", b"Info", b"VBRI")  # in an MP3's first frame: how many follow
_HEAD: Final = 4096
LEAST_LEAD_S: Final = 0.005
MOST_LEAD_S: Final = 600.0  # sound that begins later than this has time stamps of another clock


def declared_s(container: InputContainer, path: Path) -> float:
    """The length of the first audio stream as the container declares it; 0 where that is a guess or of other
    streams."""
    formats = set(container.format.name.split(","))
    if not (formats & _DECLARING or (formats == {"mp3"} and _has_frame_count(path))):
        return 0.0
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None and formats & _OF_EACH:
        return float(stream.duration * stream.time_base)
    films = [other for other in container.streams.video if not other.disposition & Disposition.attached_pic]
    alone = not films and len(container.streams.audio) == 1
    return (container.duration or 0) / av.time_base if alone else 0.0


def lead_s(container: InputContainer, first: AudioFrame) -> float:
    """How much later than the container the sound begins, from the time stamp of its first decoded frame.

    The clock of MP4 and MOV begins at 0, as edit lists say; that of others with their first stream. An encoder's delay
    is in both time stamps and cancels out; a few milliseconds are the rounding of the container.
    """
    if first.pts is None or first.time_base is None:
        return 0.0
    begin_s = 0.0 if "mov" in container.format.name else (container.start_time or 0) / av.time_base
    late_s = float(first.pts * first.time_base) - begin_s
    return late_s if LEAST_LEAD_S <= late_s <= MOST_LEAD_S else 0.0


def foreign(path: Path) -> str:
    """What a file is that holds music but no sound, with the cure; empty for other files."""
    with path.open("rb") as file:
        head = file.read(1084)
    if (
        head[:4] == b"IMPM"
        or head[:17] == b"Extended Module: "
        or head[44:48] == b"SCRM"
        or head[1080:1084] in _MODULES
    ):
        return "is a tracker module, which the FFmpeg in use has no player for; convert it to FLAC"
    if head[:4] == b"MThd":
        return "is MIDI: notes, but no sound; render it to FLAC with a synthesiser"
    return ""


_MODULES: Final = (b"M.K.", b"M!K!", b"FLT4", b"FLT8", b"4CHN", b"6CHN", b"8CHN", b"OCTA", b"CD81")


def _has_frame_count(path: Path) -> bool:
    """Whether an MP3's first frame holds the number of frames."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            size = int.from_bytes(bytes(head[6:10]), "big")  # four times seven bits
            size = (size & 0x7F) | (size >> 8 & 0x7F) << 7 | (size >> 16 & 0x7F) << 14 | (size >> 24 & 0x7F) << 21
            file.seek(10 + size)
        else:
            file.seek(0)
        frame = file.read(_HEAD)
    return any(tag in frame for tag in _MP3_TAGS)
