"""What each video was shown at its end, and what that sounds like, as a table for eyes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.records import Track
from stream.core.events import Item

from .real_pairs import Video
from .real_table import table
from .steering import Steered

SHOWN: Final = 3
HEAD: Final = ("video", "suggested", "from, s", "score", "LUFS", "onsets a second", "bpm", "sung", "tags")
Measures = Callable[[str, float], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class VideoResult:
    """A video, what its pictures are like, the scores of all tracks by kind, the first place after the first second,
    what was suggested at the end, and what came of each setting of the dials."""

    video: Video
    pictures: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]]
    first: str
    items: tuple[Item, ...]
    steered: Mapping[str, Steered]

    @property
    def last(self) -> tuple[str, ...]:
        """The tracks at the end."""
        return tuple(item.track for item in self.items)


def write_lists(asked: Sequence[VideoResult], track_of: Callable[[str], Track], measures: Measures, path: Path) -> None:
    """Markdown to ``path``: of each video its first `SHOWN` suggestions. ``measures``: as of ``heard.Heard``."""
    lines = [list(HEAD)]
    for one in asked:
        seen = one.pictures
        name = f"{one.video.name}: moves {seen['speed']:.3f}, light {seen['brightness']:.2f}, "
        name += f"{60 * seen['cuts_per_s']:.0f} cuts a minute"
        for place, item in enumerate(one.items[:SHOWN]):
            row = _row(item, track_of(item.track), measures(item.track, item.start_s), one.video.own)
            lines.append([name if place == 0 else "", *row])
    path.write_text(table(lines), encoding="utf-8")


def _row(item: Item, track: Track, heard: Mapping[str, float], own: Sequence[str]) -> list[str]:
    def told(name: str, digits: int) -> str:
        return f"{heard[name]:.{digits}f}" if name in heard else ""

    return [
        f"{item.title.replace('|', '/')}{' (its own)' if item.track in own else ''}",
        f"{item.start_s:.0f}",
        f"{item.score:.2f}",
        told("loudness_lufs", 1),
        told("onsets_per_s", 1),
        told("tempo_bpm", 0),
        "" if track.vocals is None else f"{track.vocals:.0%}",
        ", ".join(track.tags).replace("|", "/"),
    ]
