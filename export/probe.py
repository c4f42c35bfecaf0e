"""Real inputs of every graph, out of a training corpus: to calibrate a precision with, and to judge it by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.parity import Answers
from features.spec import MAX_CLIPS
from towers.clip_inputs import as_tensor, every_clip
from towers.corpora.corpus import Split, open_corpus
from towers.run import Run

Arrays = Mapping[str, NDArray[Any]]

CALIBRATION_PAIRS: Final = 64
CALIBRATION_ROWS: Final = 160  # of those pairs' clips; three times as many made the default bundle's int8 no better
JUDGED_PAIRS: Final = 200  # 1400 clips; the worst clip of fewer flatters
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
    found = open_corpus(corpus).split(split)
    rows = [int(row) for row in np.unique(np.linspace(0, len(found) - 1, pairs).round())]

    def clips(backbone: Any) -> Arrays:
        values = every_clip(backbone, found, rows)
        return {name: value.numpy() for name, value in zip(backbone.inputs, values, strict=True)}

    return Probe(
        clips(run.video),
        clips(run.music),
        windows(found, rows, run.system.video_extras),
        windows(found, rows, run.system.music_extras),
    )


def windows(split: Split, rows: list[int], extras: tuple[str, ...]) -> Arrays:
    mask = split.mask()[rows]
    hidden = {name: as_tensor(split.column(name)[rows]).numpy() for name in extras}
    return {"mask": mask} | {name: hide(value, mask) for name, value in hidden.items()}


def hide(values: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Zeros behind the valid clips, as a stream leaves them."""
    hidden: NDArray[Any] = values * mask.reshape(*mask.shape, *[1] * (values.ndim - 2)).astype(values.dtype)
    return hidden


def graph_inputs(probe: Probe, engine: Answers, graphs: tuple[str, ...]) -> dict[str, Arrays]:
    """What each of ``graphs`` is given on the way of the probe through ``engine``: real clips, windows and pairs.

    The matcher gets every pair, and every video with the music of the next.
    """
    video, music = (side_inputs(probe, engine, side) for side in ("video", "music"))
    made = {"video_clip": probe.video, "music_clip": probe.music, "video_sequence": video, "music_sequence": music}
    if "mood" in graphs:
        made["mood"] = {"embedding": run_rows(engine, "video_sequence", video)["embedding"]}
    if "matcher" in graphs:
        made["matcher"] = {
            name: np.concatenate([value, value if side == "video" else np.roll(value, 1, axis=0)])
            for side, inputs in (("video", video), ("music", music))
            for name, value in renamed(inputs, side).items()
        }
    return {graph: made[graph] for graph in graphs}


def thinned(inputs: Arrays, rows: int) -> Arrays:
    """At most ``rows`` rows, evenly spaced."""
    count = len(next(iter(inputs.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(rows, count)).round().astype(int))
    return {name: value[chosen] for name, value in inputs.items()}


def renamed(inputs: Arrays, side: str) -> Arrays:
    return {f"{side}_{name}" if name in ("clips", "mask") else name: value for name, value in inputs.items()}


def side_inputs(probe: Probe, engine: Answers, side: str) -> Arrays:
    """Inputs of ``video_sequence`` or ``music_sequence``."""
    clips, rest = (probe.video, probe.video_windows) if side == "video" else (probe.music, probe.music_windows)
    vectors = run_rows(engine, f"{side}_clip", clips)["embedding"]
    return {"clips": hide(vectors.reshape(-1, MAX_CLIPS, vectors.shape[-1]), rest["mask"]), **rest}


def embeddings(probe: Probe, engine: Answers, side: str) -> NDArray[np.float32]:
    """(n, E): the probe's windows of one side, all the way through ``engine``."""
    return run_rows(engine, f"{side}_sequence", side_inputs(probe, engine, side))["embedding"]


def run_rows(engine: Answers, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Any number of rows, ``ROWS`` at a time."""
    count = len(next(iter(inputs.values())))
    parts = [
        engine.run(graph, {name: value[start : start + ROWS] for name, value in inputs.items()})
        for start in range(0, count, ROWS)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
