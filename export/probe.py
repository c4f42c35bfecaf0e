"""Real inputs of every graph from a training corpus, to calibrate a precision and to judge it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.graphs import Feature, Graph, Graphs, Kind, Mask, Source
from engines.parity import Answers
from features.spec import MAX_CLIPS
from towers.clip_inputs import as_tensor, every_clip
from towers.corpora.corpus import Split, open_corpus
from towers.run import Run

Arrays = Mapping[str, NDArray[Any]]

CALIBRATION_PAIRS: Final = 64
CALIBRATION_ROWS: Final = 160  # of those pairs' clips; three times as many made the default bundle's int8 no better
JUDGED_PAIRS: Final = 200  # 1400 clips; with fewer, the worst clip looks too good
ROWS: Final = 32  # at a time


@dataclass(frozen=True, eq=False)
class Probe:
    """``n`` pairs. ``video`` and ``music``: inputs of the clip graphs, (n K, ...), clips of a pair after each other.
    ``*_windows``: ``mask`` (n, K) bool and the features of each clip that the window graphs take, (n, K, ...)."""

    video: Arrays
    music: Arrays
    video_windows: Arrays
    music_windows: Arrays


def read_probe(run: Run, corpus: Path, split: str, pairs: int) -> Probe:
    """``pairs`` pairs of a split, evenly spaced, or all where it has fewer. Raises ``CorpusError``."""
    source = open_corpus(corpus).split(split)
    rows = [int(row) for row in np.unique(np.linspace(0, len(source) - 1, pairs).round())]

    def clips(backbone: Any) -> Arrays:
        values = every_clip(backbone, source, rows)
        return {name: value.numpy() for name, value in zip(backbone.inputs, values, strict=True)}

    return Probe(
        clips(run.video),
        clips(run.music),
        windows(source, rows, run.system.video_extras),
        windows(source, rows, run.system.music_extras),
    )


def windows(split: Split, rows: list[int], extras: tuple[str, ...]) -> Arrays:
    mask = split.mask()[rows]
    hidden = {name: as_tensor(split.column(name)[rows]).numpy() for name in extras}
    return {"mask": mask} | {name: hide(value, mask) for name, value in hidden.items()}


def hide(values: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Put zeros behind the valid clips, as in a live stream."""
    hidden: NDArray[Any] = values * mask.reshape(*mask.shape, *[1] * (values.ndim - 2)).astype(values.dtype)
    return hidden


def graph_inputs(probe: Probe, engine: Answers, graphs: Graphs) -> dict[str, Arrays]:
    """The inputs of each of ``graphs`` when the probe runs through ``engine``: real clips, windows and pairs.

    A pair's graph gets every pair, and every video with the music of the next pair.
    """
    return walk(probe, engine, graphs)[0]


def embeddings(probe: Probe, engine: Answers, graphs: Graphs, side: str) -> NDArray[np.float32]:
    """(n, E): the probe's windows of one side, all the way through ``engine``."""
    return walk(probe, engine, [graph for graph in graphs if graph.kind.side == side])[1][graphs.ends[side].name]


def walk(probe: Probe, engine: Answers, graphs: Iterable[Graph]) -> tuple[dict[str, Arrays], dict[str, NDArray[Any]]]:
    """The inputs of each graph, and the output of each that gives vectors; ``graphs`` in the order of running."""
    inputs: dict[str, Arrays] = {}
    vectors: dict[str, NDArray[Any]] = {}
    kinds: dict[str, Kind] = {}
    for graph in graphs:
        kinds[graph.name] = graph.kind
        inputs[graph.name] = {
            name: one_input(probe, graph, vectors, kinds, source) for name, source in graph.inputs.items()
        }
        if graph.width:
            vectors[graph.name] = run_rows(engine, graph.name, inputs[graph.name])[graph.output]
    return inputs, vectors


def one_input(
    probe: Probe, graph: Graph, vectors: Mapping[str, NDArray[Any]], kinds: Mapping[str, Kind], source: Source
) -> NDArray[Any]:
    """The rows of one input; of a pair's graph every pair, then every video with the music of the next."""
    if isinstance(source, Feature):
        video, music = (probe.video, probe.music) if graph.kind.is_clip else (probe.video_windows, probe.music_windows)
        side = "video" if source.name in video else "music"
        value = (video if side == "video" else music)[source.name]
    elif isinstance(source, Mask):
        side = source.window.side
        value = (probe.video_windows if side == "video" else probe.music_windows)["mask"]
    else:
        side = kinds[source.graph].side
        value = vectors[source.graph]
        if source.many:
            mask = (probe.video_windows if side == "video" else probe.music_windows)["mask"]
            value = hide(value.reshape(-1, MAX_CLIPS, value.shape[-1]), mask)
    if graph.kind is not Kind.PAIR:
        return value
    return np.concatenate([value, value if side == "video" else np.roll(value, 1, axis=0)])


def thin_rows(inputs: Arrays, rows: int) -> Arrays:
    """At most ``rows`` rows, evenly spaced."""
    count = len(next(iter(inputs.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(rows, count)).round().astype(int))
    return {name: value[chosen] for name, value in inputs.items()}


def run_rows(engine: Answers, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Any number of rows, ``ROWS`` at a time."""
    count = len(next(iter(inputs.values())))
    parts = [
        engine.run(graph, {name: value[start : start + ROWS] for name, value in inputs.items()})
        for start in range(0, count, ROWS)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
