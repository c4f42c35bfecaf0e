"""The suggestions for each video at its end, and how they sound, as a table to read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.records import Track
from stream.core.events import Item

from .real_pairs import Video
from .real_table import table
from .steering import ListMeasures

SHOWN: Final = 3
HEAD: Final = ("video", "suggested", "from, s", "score", "LUFS", "onsets a second", "bpm", "sung", "tags")
Measures = Callable[[str, float], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class VideoResult:
    """A video, measures of its pictures, the scores of all tracks by kind, the first place after the first second, the
    suggestions at the end, and the measures of the list for each setting of the dials."""

    video: Video
    pictures: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]]
    first: str
    items: tuple[Item, ...]
    steered: Mapping[str, ListMeasures]

    @property
    def last(self) -> tuple[str, ...]:
        """The tracks at the end."""
        return tuple(item.track for item in self.items)


def write_lists(
    results: Sequence[VideoResult], track_of: Callable[[str], Track], measures: Measures, path: Path
) -> None:
    """Markdown to ``path``: the first `SHOWN` suggestions of each video. ``measures``: see ``SoundMeter``."""
    lines = [list(HEAD)]
    for result in results:
        pictures = result.pictures
        name = f"{result.video.name}: moves {pictures['speed']:.3f}, light {pictures['brightness']:.2f}, "
        name += f"{60 * pictures['cuts_per_s']:.0f} cuts a minute"
        for place, item in enumerate(result.items[:SHOWN]):
            row = _row(item, track_of(item.track), measures(item.track, item.start_s), result.video.own)
            lines.append([name if place == 0 else "", *row])
    path.write_text(table(lines), encoding="utf-8")


def _row(item: Item, track: Track, measures: Mapping[str, float], own: Sequence[str]) -> list[str]:
    def figure(name: str, digits: int) -> str:
        return f"{measures[name]:.{digits}f}" if name in measures else ""

    return [
        f"{item.title.replace('|', '/')}{' (its own)' if item.track in own else ''}",
        f"{item.start_s:.0f}",
        f"{item.score:.2f}",
        figure("loudness_lufs", 1),
        figure("onsets_per_s", 1),
        figure("tempo_bpm", 0),
        "" if track.vocals is None else f"{track.vocals:.0%}",
        ", ".join(track.tags).replace("|", "/"),
    ]
