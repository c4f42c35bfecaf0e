"""What the dials do: how much suggestions change when a viewer turns one.

Each dial is at -1, 0 and +1 from the first picture on; the list at the end of the video is measured. A *class* is a
pattern of file names, such as ``*boss*``: how much of the first five is music that a user names so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from catalog.catalog import Catalog
from stream.core.events import Item

from .harness import Row
from .real_measures import change, mean_measures, mean_of, response
from .sound_measures import SoundMeter

DIALS: Final = ("energy", "valence", "tension", "tempo")
POSITIONS: Final = (-1.0, 0.0, 1.0)
NEUTRAL: Final = "unsteered"
BOTH: Final = "energy +1, tension +1"
UNITS: Final = {
    "loudness_lufs": "LUFS",
    "onsets_per_s": "1/s",
    "centroid_hz": "Hz",
    "tempo_bpm": "bpm",
}


def setting(dial: str, position: float) -> str:
    return f"{dial} {position:+.0f}" if position else NEUTRAL


# Setting -> position of each dial.
SETTINGS: Final[Mapping[str, Mapping[str, float]]] = {
    NEUTRAL: {},
    **{setting(dial, at): {dial: at} for dial in DIALS for at in POSITIONS if at},
    BOTH: {"energy": 1.0, "tension": 1.0},
}


@dataclass(frozen=True, slots=True)
class ListMeasures:
    """Of one list: the mean measures of its suggestions' sound, and the share of each class among them."""

    measures: Mapping[str, float]
    shares: Mapping[str, float]


def measure_list(items: Sequence[Item], meter: SoundMeter, catalog: Catalog, classes: Sequence[str]) -> ListMeasures:
    names = [catalog.track(item.track).path.name for item in items]
    return ListMeasures(
        mean_measures([meter.measures(item.track, item.start_s) for item in items]),
        {
            pattern: sum(fnmatch(name.casefold(), pattern.casefold()) for name in names) / max(1, len(names))
            for pattern in classes
        },
    )


def steering_rows(videos: Sequence[Mapping[str, ListMeasures]]) -> Iterator[Row]:
    """Of each dial and measure: the mean at each position, the change from -1 to +1, Spearman of position and measure;
    ``videos``: of each video, setting -> measures of its list."""
    measures = dict.fromkeys(name for video in videos for name in video[NEUTRAL].measures)
    for dial in DIALS:
        places = [setting(dial, at) for at in POSITIONS]
        for measure in measures:
            complete = [video for video in videos if all(measure in video[place].measures for place in places)]
            if not complete:
                continue
            values = [[video[place].measures[measure] for video in complete] for place in places]
            labels = {"dial": dial, "measure": measure}
            unit = UNITS.get(measure, "[-1, 1]")
            for at, column in zip(POSITIONS, values, strict=True):
                yield Row("steered_mean", sum(column) / len(column), len(column), unit, {**labels, "position": at})
            difference = change(values[0], values[-1])
            bounds = {"low": difference.low, "high": difference.high}
            yield Row("steered_change", difference.value, len(complete), unit, {**labels, **bounds})
            rho = response(POSITIONS, values)
            yield Row("steered_spearman", rho, sum(map(len, values)), "correlation", labels)


def class_rows(videos: Sequence[Mapping[str, ListMeasures]], tracks: Mapping[str, float]) -> Iterator[Row]:
    """The share of each class among the first five; ``tracks``: its share of all tracks that may be suggested."""
    for name, of_all in tracks.items():
        for setting_name in (NEUTRAL, setting("energy", 1.0), BOTH):
            share = mean_of([video[setting_name].shares[name] for video in videos])
            labels: dict[str, str | int | float] = {"class": name, "asked": setting_name, "of_all": of_all}
            yield Row(
                "class_share", share.value, len(videos), "share", {**labels, "low": share.low, "high": share.high}
            )
