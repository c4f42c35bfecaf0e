"""What a session needs to know of a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.graphs import Graphs, Kind
from features.spec import MUSIC_FEATURES

from .window import Window

GRAPH_STAGES: Final[Mapping[Kind, str]] = {  # what a live session runs, by its name in reports
    Kind.VIDEO_CLIP: "clip tower",
    Kind.VIDEO_WINDOW: "sequence tower",
    Kind.EMBEDDING: "mood",
    Kind.PAIR: "re-rank",
}


@dataclass(frozen=True)
class Model:
    """``graphs``: those of the bundle; ``moods``: of the bank's footage, rising, for each axis; none without a bank."""

    graphs: Graphs
    moods: tuple[tuple[float, ...], ...] = ()

    def window(self) -> Window:
        """An empty window that measures what the graphs take."""
        widths = {tower.name: tower.width for tower in self.graphs.video_towers}
        return Window(widths, tuple(name for name in self._on_windows() if name not in MUSIC_FEATURES))

    @property
    def features(self) -> tuple[str, ...]:
        """All that the graphs take of the video."""
        clip = [name for tower in self.graphs.video_towers for name in tower.features]
        return tuple(dict.fromkeys((*clip, *(name for name in self._on_windows() if name not in MUSIC_FEATURES))))

    @cached_property
    def stages(self) -> dict[str, str]:
        """Graph -> the name of its part of a hop in reports."""
        return {graph.name: GRAPH_STAGES[graph.kind] for graph in self.graphs.live}

    def mood_places(self, mood: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """(3,): the share of the bank's footage whose mood is lower than ``mood`` (3,), axis by axis; None where either
        is not known."""
        if mood is None or not self.moods:
            return None
        shares, axes = self._footage
        return np.array([np.interp(at, axis, shares) for at, axis in zip(mood, axes, strict=True)])

    @cached_property
    def _footage(self) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """``moods`` as arrays, and the share of the footage below each of them."""
        axes = [np.array(axis) for axis in self.moods]
        return np.linspace(0.0, 1.0, len(axes[0])), axes

    def _on_windows(self) -> dict[str, None]:
        graphs = self.graphs.of(Kind.VIDEO_WINDOW, Kind.PAIR)
        return dict.fromkeys(name for graph in graphs for name in graph.features)
