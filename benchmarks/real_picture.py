"""The bench of real pairs as a picture: how often each track is shown, and what the dials do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .harness import Row
from .steering import POSITIONS

# Dial, the measure that it should move, and the panel's title.
PANELS: Final = (
    ("energy", "loudness_lufs", "loudness, LUFS"),
    ("energy", "onsets_per_s", "onsets a second"),
    ("valence", "centroid_hz", "brightness of sound, Hz"),
    ("tension", "onsets_per_s", "onsets a second"),
    ("tempo", "tempo_bpm", "tempo, bpm"),
)


def picture(rows: Sequence[Row], path: Path) -> None:
    """A panel for the hubs and one for each dial that has rows, as a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = [panel for panel in PANELS if _means(rows, *panel[:2])]
    figure, axes = pyplot.subplots(1, 1 + len(panels), figsize=(4.5 + 2.2 * len(panels), 3.2), squeeze=False,
                                   width_ratios=[2.0, *(1.0 for _ in panels)])  # fmt: skip
    _hubs(axes[0][0], [row for row in rows if row.metric == "hub_count"])
    for panel_axes, (dial, measure, title) in zip(axes[0][1:], panels, strict=True):
        panel_axes.plot(POSITIONS, _means(rows, dial, measure), "o-", color="C0")
        panel_axes.set_xticks(POSITIONS)
        panel_axes.set_xlabel(f"{dial} dial")
        panel_axes.set_title(title, fontsize=9)
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
    """The mean at each position, in order; empty if a position is missing."""
    means = {
        row.labels["position"]: row.value
        for row in rows
        if row.metric == "steered_mean" and (row.labels["dial"], row.labels["measure"]) == (dial, measure)
    }
    return [means[at] for at in POSITIONS] if all(at in means for at in POSITIONS) else []
