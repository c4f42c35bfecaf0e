"""HLS playlists (RFC 8216) as text: which variant suits, and a media playlist cut to the part that is played next.

A *part* is what one demuxer can play: up to the next discontinuity, or the next change of the initialisation section.
The texts that come out name every place in full, so they can be read without their origin.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from features.spec import MOTION_FPS, PICTURE_HEIGHT, PICTURE_WIDTH

LIVE_SEGMENTS: Final = 3  # from the end, where a live playlist is begun (section 6.3.3)
AUDIO_CODECS: Final = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3", "vorbis")
TEXT_CODECS: Final = ("wvtt", "stpp")

Join = Callable[[str], str]  # an address as a playlist writes it -> in full


@dataclass(frozen=True)
class Variant:
    """One quality of a stream: where its playlist is, and its facts in the master playlist; 0 or empty where
    missing."""

    url: str
    bandwidth: int = 0
    width: int = 0
    height: int = 0
    rate: float = 0.0
    codecs: str = ""
    audio: str = ""  # the group of its renditions of sound

    @property
    def pictures(self) -> bool:
        """Whether it has pictures, as far as is known."""
        kinds = [codec.strip().lower() for codec in self.codecs.split(",") if codec.strip()]
        without_pictures = all(kind.startswith((*AUDIO_CODECS, *TEXT_CODECS)) for kind in kinds)
        return self.width > 0 or not kinds or not without_pictures

    def burden(self) -> tuple[float, ...]:
        """The smaller, the better it suits canonical pictures."""
        if not self.pictures:
            return (3, 0, self.bandwidth)
        if not self.width:
            return (1, 0, self.bandwidth)
        area = self.width * self.height
        long, short = max(self.width, self.height), min(self.width, self.height)
        small = long < PICTURE_WIDTH or short < PICTURE_HEIGHT
        slow = 0 < self.rate < MOTION_FPS
        return (2, -area, self.bandwidth) if small or slow else (0, area, self.bandwidth)


@dataclass(frozen=True)
class Master:
    """``variants`` in order of preference; ``sounds``: for each group the rendition with the sound, if it is
    separate."""

    variants: tuple[Variant, ...]
    sounds: dict[str, str] = field(default_factory=dict)

    def text(self, variant: Variant, with_sound: bool = True) -> str:
        """A master playlist with this variant alone and, ``with_sound``, its sound."""
        facts = [f"BANDWIDTH={variant.bandwidth or 1}"]
        lines = ["#EXTM3U"]
        if with_sound and variant.audio in self.sounds:
            lines.append(
                f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="{self.sounds[variant.audio]}"'
            )
            facts.append('AUDIO="a"')
        return "\n".join([*lines, f"#EXT-X-STREAM-INF:{','.join(facts)}", variant.url, ""])


@dataclass(frozen=True)
class Segment:
    """``number`` stays the same from reload to reload; ``begin`` and ``end`` are bytes of ``url``, if it is a byte
    range."""

    number: int
    url: str
    seconds: float
    begin: int = 0
    end: int | None = None
    keys: tuple[str, ...] = ()
    map: str = ""
    first: bool = False  # of a part


@dataclass(frozen=True)
class Media:
    """A media playlist; ``ended``: nothing will be added."""

    segments: tuple[Segment, ...]
    target_s: float
    ended: bool

    @property
    def seconds(self) -> float:
        return math.fsum(segment.seconds for segment in self.segments)

    def live_edge(self) -> int:
        """The number of the segment to begin with: the first of a recording, one near the end of what is on air."""
        if not self.segments:
            return 0
        return self.segments[0 if self.ended else -min(LIVE_SEGMENTS, len(self.segments))].number

    def part(self, number: int) -> tuple[tuple[Segment, ...], bool]:
        """The segments from ``number`` on to the end of their part, and whether more follow after it."""
        segments: list[Segment] = []
        for segment in self.segments:
            if segment.number >= number:
                if segment.first and segments:
                    return tuple(segments), True
                segments.append(segment)
        return tuple(segments), False

    def at(self, seconds: float) -> int:
        """The number of the segment that is on at so many seconds from the playlist's beginning."""
        passed = 0.0
        for segment in self.segments:
            passed += segment.seconds
            if passed > seconds + 0.05:
                return segment.number
        return self.segments[-1].number + 1 if self.segments else 0

    def before(self, number: int) -> float:
        """How many seconds the segments before ``number`` last."""
        return math.fsum(segment.seconds for segment in self.segments if segment.number < number)


def is_playlist(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"#EXTM3U")


def is_master(text: str) -> bool:
    return any(line.startswith("#EXT-X-STREAM-INF:") for line in text.splitlines())


def read_master(text: str, join: Join) -> Master:
    """The variants, best suited first, and where their sound is."""
    variants: list[Variant] = []
    sounds: dict[str, tuple[int, str]] = {}
    waiting: dict[str, str] | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#EXT-X-STREAM-INF:"):
            waiting = _attributes(line)
        elif line.startswith("#EXT-X-MEDIA:"):
            facts = _attributes(line)
            rank = (facts.get("DEFAULT") == "YES") * 2 + (facts.get("AUTOSELECT") == "YES")
            group, place = facts.get("GROUP-ID", ""), facts.get("URI", "")
            if facts.get("TYPE") == "AUDIO" and rank > sounds.get(group, (-1, ""))[0]:
                sounds[group] = rank, join(place) if place else ""
        elif line and not line.startswith("#") and waiting is not None:
            width, _, height = waiting.get("RESOLUTION", "").lower().partition("x")
            sized = width.isdecimal() and height.isdecimal()
            variants.append(
                Variant(
                    join(line),
                    int(_number(waiting.get("BANDWIDTH", ""))),
                    int(width) if sized else 0,
                    int(height) if sized else 0,
                    _number(waiting.get("FRAME-RATE", "")),
                    waiting.get("CODECS", ""),
                    waiting.get("AUDIO", ""),
                )
            )
            waiting = None
    ordered = sorted(dict.fromkeys(variants), key=Variant.burden)
    return Master(tuple(ordered), {group: place for group, (_, place) in sounds.items() if place})


def read_media(text: str, join: Join) -> Media:
    """The segments with their facts. Tags that no demuxer needs are ignored."""
    segments: list[Segment] = []
    number, target_s, ended = 0, 0.0, False
    now = Segment(0, "", 0.0)  # facts of the next one
    keys: list[str] = []
    size: int | None = None
    ends: dict[str, int] = {}  # where the newest part of each file ended
    for line in map(str.strip, text.splitlines()):
        name, _, value = line.partition(":")
        if name == "#EXTINF":
            now = replace(now, seconds=_number(value.partition(",")[0]))
        elif name == "#EXT-X-BYTERANGE":
            length, _, where = value.partition("@")
            size = int(_number(length))
            now = replace(now, begin=int(where) if where.strip().isdecimal() else -1)
        elif name == "#EXT-X-DISCONTINUITY":
            now = replace(now, first=True)
        elif name == "#EXT-X-KEY":
            keys.append(_join_uri(line, join))
        elif name == "#EXT-X-MAP":
            place = _join_uri(line, join)
            now = replace(now, map=place, first=now.first or bool(segments and segments[-1].map != place))
        elif name == "#EXT-X-MEDIA-SEQUENCE" and not segments:
            number = int(_number(value))
        elif name == "#EXT-X-TARGETDURATION":
            target_s = _number(value)
        elif name == "#EXT-X-ENDLIST":
            ended = True
        elif line and not line.startswith("#"):
            url = join(line)
            begin = ends.get(url, 0) if now.begin < 0 else now.begin
            if size is not None:
                ends[url] = begin + size
            current_keys = tuple(keys) if keys else now.keys
            end = None if size is None else begin + size
            segments.append(
                replace(now, number=number + len(segments), url=url, begin=begin, end=end, keys=current_keys)
            )
            now = Segment(0, "", 0.0, keys=current_keys, map=now.map)
            keys, size = [], None
    return Media(tuple(segments), target_s or max((s.seconds for s in segments), default=0.0), ended)


def write_media(segments: Sequence[Segment], target_s: float, ended: bool) -> str:
    """A media playlist of these segments."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, math.ceil(target_s))}"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number if segments else 0}")
    before = Segment(0, "", 0.0)
    for segment in segments:
        if segment.keys != before.keys:
            lines += segment.keys or ("#EXT-X-KEY:METHOD=NONE",)
        if segment.map != before.map and segment.map:
            lines.append(segment.map)
        lines.append(f"#EXTINF:{segment.seconds:.6f},")
        if segment.end is not None:
            lines.append(f"#EXT-X-BYTERANGE:{segment.end - segment.begin}@{segment.begin}")
        lines.append(segment.url)
        before = segment
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])


def _attributes(line: str) -> dict[str, str]:
    pairs = re.findall(r'([A-Z0-9-]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))', line.partition(":")[2])
    return {name: quoted or bare for name, quoted, bare in pairs}


def _join_uri(line: str, join: Join) -> str:
    """A tag with its URI in full."""
    return re.sub(r'URI="([^"]*)"', lambda match: f'URI="{join(match[1])}"', line)


def _number(text: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0 <= value < 2**62 else 0.0
