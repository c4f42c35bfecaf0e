"""Where the frames of an MP3 begin, by their headers alone (ISO/IEC 11172-3 and 13818-3, layer III).

An MP3 has no index, and FFmpeg, which makes packets on the way, takes a fifth of a second to skip an hour of it.
"""

from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final

import av
from av.error import FFmpegError

# kbit/s by the header's four bits; 0: a free format, which gives no size, or no header at all
MPEG_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
MPEG_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
RATES_HZ: Final = (44_100, 48_000, 32_000)
HALVED: Final = {3: 0, 2: 1, 0: 2}  # version's two bits (MPEG 1, 2, 2.5) -> how often the rate is halved
SYNC: Final = 0xFF
LAYER_3: Final = 1
PIECE: Final = 1 << 20  # bytes read at once


@dataclass(frozen=True, slots=True)
class Place:
    """The frame after ``count`` others, and the byte at which it begins."""

    count: int
    byte: int


class Mp3Frames:
    """The frames of one file, from the first one with sound on: ``frame`` samples each, at ``rate_hz``. Remembers one
    place in every `PIECE` that it has read."""

    def __init__(self, path: Path, begin: int, first: bytes) -> None:
        version, layer, rate = first[1] >> 3 & 3, first[1] >> 1 & 3, first[2] >> 2 & 3
        if first[0] != SYNC or version not in HALVED or layer != LAYER_3 or rate == 3:
            raise ValueError("no layer III header")
        self.frame = 1152 if version == 3 else 576
        self.rate_hz = RATES_HZ[rate] >> HALVED[version]
        self._path, self._known = path, [Place(0, begin)]
        self._sizes: dict[bytes, int] = {}  # by the first three bytes of a header of this stream
        for protection in (0, 1):
            for bits, kbit in enumerate(MPEG_1 if version == 3 else MPEG_2):
                for low in range(4):  # padding, and a bit of no meaning
                    head = bytes((SYNC, first[1] & 0xFE | protection, bits << 4 | rate << 2 | low))
                    if kbit:
                        self._sizes[head] = 125 * self.frame * kbit // self.rate_hz + (low >> 1)

    def after(self, count: int | None) -> Place | None:
        """The place of the frame after ``count`` others; for None the place where the frames end. None where there is a
        gap between the frames before it, or the file can no longer be read."""
        try:
            return self._walk_to(count)
        except OSError:
            return None

    def _walk_to(self, count: int | None) -> Place | None:
        sizes, known = self._sizes, self._known
        place = known[-1 if count is None else bisect_right(known, count, key=attrgetter("count")) - 1]
        index, begin = place.count, place.byte
        with self._path.open("rb") as file:
            while index != count:
                file.seek(begin)
                data, at, before = file.read(PIECE), 0, index
                with suppress(KeyError):  # at the piece's end, or where there is no header
                    while index != count:
                        at += sizes[data[at : at + 3]]
                        index += 1
                if index == before:
                    break
                begin += at
                if index > known[-1].count:
                    known.append(Place(index, begin))
        return Place(index, begin) if count is None or index == count else None


def mp3_frames(path: Path) -> Mp3Frames | None:
    """The frames of an MP3; None for other files."""
    try:
        with av.open(str(path), format="mp3", options={"protocol_whitelist": "file"}) as opened:
            packet = next(opened.demux(opened.streams.audio[0]))
            return None if packet.pos is None else Mp3Frames(path, packet.pos, bytes(packet)[:4])
    except (FFmpegError, OSError, ValueError, IndexError, StopIteration):
        return None
