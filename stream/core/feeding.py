"""The inputs of a graph, each from the source that the bundle names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.records import Candidate
from engines.graphs import Feature, Graph, Kind, Mask, Source
from engines.shared_rows import share
from features.spec import MUSIC_FEATURES

from .window import View, Window

Floats = NDArray[np.float32]
Inputs = dict[str, NDArray[Any]]


def clip_inputs(graph: Graph, window: Window, ends: Sequence[int], start: int) -> Inputs:
    """Of a clip's graph: (n, ...) for the clips ``ends``, seen from ``start``."""
    features = window.measured(graph.features, ends, start)
    return {
        name: features[name] if isinstance(source, Feature) else window.vectors(_graph(source), ends, start)
        for name, source in graph.inputs.items()
    }


def window_inputs(graph: Graph, view: View, vectors: Mapping[str, Floats]) -> Inputs:
    """Of a window's or an embedding's graph: (1, ...). ``vectors``: outputs of the windows' graphs, (1, W) by graph."""
    return {name: _of_video(source, view, vectors) for name, source in graph.inputs.items()}


def pair_inputs(graph: Graph, view: View, vectors: Mapping[str, Floats], candidates: Sequence[Candidate]) -> Inputs:
    """The window against each candidate, a row each; what is of the window is one row for all, shared."""
    return {
        name: _of_music(source, candidates)
        if _is_music(source, view, vectors)
        else share(_of_video(source, view, vectors), len(candidates))
        for name, source in graph.inputs.items()
    }


def _of_video(source: Source, view: View, vectors: Mapping[str, Floats]) -> NDArray[Any]:
    if isinstance(source, Mask):
        return view.mask
    if isinstance(source, Feature):
        return view.features[source.name]
    return view.vectors[source.graph] if source.many else vectors[source.graph]


def _is_music(source: Source, view: View, vectors: Mapping[str, Floats]) -> bool:
    if isinstance(source, Mask):
        return source.window is Kind.MUSIC_WINDOW
    if isinstance(source, Feature):
        return source.name in MUSIC_FEATURES
    return source.graph not in view.vectors and source.graph not in vectors


def _of_music(source: Source, candidates: Sequence[Candidate]) -> NDArray[Any]:
    if isinstance(source, Mask):
        return _stacked([candidate.mask for candidate in candidates])
    if not isinstance(source, Feature):
        values = [candidate.clips for candidate in candidates]
    elif source.name == "rhythm":
        values = [candidate.rhythm for candidate in candidates]
    else:
        values = [candidate.extras[source.name] for candidate in candidates]
    return _stacked(values).astype(np.float32, copy=False)


def _stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(n, 7, ...) of n arrays (7, ...); joined end to end, it takes a third of what ``np.stack`` does."""
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def _graph(source: Source) -> str:
    assert not isinstance(source, Feature | Mask)
    return source.graph
