"""What the dials do: how much what is suggested changes when a viewer leans to a side.

Each dial stands at -1, 0 and +1 from the first picture on; what is measured is the list at the end of the video. A
*class* is a pattern of file names, such as ``*boss*``: of what music a user calls so, how much is among the first five.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from catalog.catalog import Catalog
from stream.core.events import Item

from .harness import Row
from .heard import SoundMeter
from .real_measures import change, mean_measures, mean_of, response

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


# What is asked for -> how each dial stands.
SETTINGS: Final[Mapping[str, Mapping[str, float]]] = {
    NEUTRAL: {},
    **{setting(dial, at): {dial: at} for dial in DIALS for at in POSITIONS if at},
    BOTH: {"energy": 1.0, "tension": 1.0},
}


@dataclass(frozen=True, slots=True)
class ListMeasures:
    """Of one list: the means of what its suggestions sound like, and the share of each class among them."""

    measures: Mapping[str, float]
    shares: Mapping[str, float]


def steered(items: Sequence[Item], heard: SoundMeter, catalog: Catalog, classes: Sequence[str]) -> ListMeasures:
    names = [catalog.track(item.track).path.name for item in items]
    return ListMeasures(
        mean_measures([heard.measures(item.track, item.start_s) for item in items]),
        {one: sum(fnmatch(name.casefold(), one.casefold()) for name in names) / max(1, len(names)) for one in classes},
    )


def steering_rows(found: Sequence[Mapping[str, ListMeasures]]) -> Iterator[Row]:
    """Of each dial and measure: the mean at each position, the change from -1 to +1, Spearman of position and measure;
    ``found``: of each video, setting -> what came of it."""
    measures = dict.fromkeys(name for video in found for name in video[NEUTRAL].measures)
    for dial in DIALS:
        places = [setting(dial, at) for at in POSITIONS]
        for measure in measures:
            having = [video for video in found if all(measure in video[place].measures for place in places)]
            if not having:
                continue
            values = [[video[place].measures[measure] for video in having] for place in places]
            labels = {"dial": dial, "measure": measure}
            unit = UNITS.get(measure, "[-1, 1]")
            for at, each in zip(POSITIONS, values, strict=True):
                yield Row("steered_mean", sum(each) / len(each), len(each), unit, {**labels, "position": at})
            moved = change(values[0], values[-1])
            bounds = {"low": moved.low, "high": moved.high}
            yield Row("steered_change", moved.value, len(having), unit, {**labels, **bounds})
            rho = response(POSITIONS, values)
            yield Row("steered_spearman", rho, sum(map(len, values)), "correlation", labels)


def class_rows(found: Sequence[Mapping[str, ListMeasures]], tracks: Mapping[str, float]) -> Iterator[Row]:
    """The share of each class among the first five; ``tracks``: its share of what may be suggested."""
    for name, usual in tracks.items():
        for asked in (NEUTRAL, setting("energy", 1.0), BOTH):
            share = mean_of([video[asked].shares[name] for video in found])
            labels: dict[str, str | int | float] = {"class": name, "asked": asked, "of_all": usual}
            yield Row("class_share", share.value, len(found), "share", {**labels, "low": share.low, "high": share.high})
