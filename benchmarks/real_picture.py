"""The bench of real pairs as a picture: how often each track is shown, and what the dials do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .harness import Row
from .steering import POSITIONS

# What each dial promises, and in which words.
DRAWN: Final = (
    ("energy", "loudness_lufs", "loudness, LUFS"),
    ("energy", "onsets_per_s", "onsets a second"),
    ("valence", "centroid_hz", "brightness of sound, Hz"),
    ("tension", "onsets_per_s", "onsets a second"),
    ("tempo", "tempo_bpm", "tempo, bpm"),
)


def picture(rows: Sequence[Row], path: Path) -> None:
    """A panel for the hubs and one for each dial that there are rows of, as a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steered = [each for each in DRAWN if _means(rows, *each[:2])]
    figure, axes = pyplot.subplots(1, 1 + len(steered), figsize=(4.5 + 2.2 * len(steered), 3.2), squeeze=False,
                                   width_ratios=[2.0, *(1.0 for _ in steered)])  # fmt: skip
    _hubs(axes[0][0], [row for row in rows if row.metric == "hub_count"])
    for place, (dial, measure, words) in zip(axes[0][1:], steered, strict=True):
        place.plot(POSITIONS, _means(rows, dial, measure), "o-", color="C0")
        place.set_xticks(POSITIONS)
        place.set_xlabel(f"{dial} dial")
        place.set_title(words, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _hubs(axes: Any, counts: Sequence[Row]) -> None:
    places = [int(row.labels["place"]) for row in counts]
    axes.bar(places, [row.value for row in counts], color="C0", label="here")
    axes.step(places, [float(row.labels["random"]) for row in counts], "k", where="mid", label="blind lists")
    axes.set_xlabel("tracks, the most frequent first")
    axes.set_title(f"lists that a track stands in, of {max((row.n for row in counts), default=0)}", fontsize=9)
    axes.legend(fontsize=8)


def _means(rows: Sequence[Row], dial: str, measure: str) -> list[float]:
    """What was measured at each position, in order; nothing where a position is missing."""
    found = {
        row.labels["position"]: row.value
        for row in rows
        if row.metric == "steered_mean" and (row.labels["dial"], row.labels["measure"]) == (dial, measure)
    }
    return [found[at] for at in POSITIONS] if all(at in found for at in POSITIONS) else []
