"""Whether engines find the same tracks: scenes of the studio, embedded by each, searched in one catalogue.

Apart from the rest since it needs the whole program, while engines are also measured where little else is installed.
"""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Row
from catalog.catalog import Catalog
from engines.base import Arrays, Engine
from engines.bundle import Bundle
from engines.graphs import Kind
from features.frame import FrameFeatures, FrameMeter
from features.spec import MOTION_FPS, WINDOW_S
from stream.core.hop import Hop
from stream.core.model import Model
from stream.core.window import Window
from stream.driver.runtime import model_of, needs_small
from studio.pairs import draw_latent, video_recipe
from studio.video.render import frames

from .contenders import Contender
from .timing import OwnLabels

TOP: Final = 10

Run = Callable[[str, Arrays], dict[str, NDArray[Any]]]


def overlap_rows(field: Sequence[Contender], reference: Engine, folder: Path, scenes: int) -> list[Row]:
    """``top10_overlap``: of the ten tracks that the reference finds in the catalogue for a scene of the studio, how
    many each other engine finds as well; the lowest of all scenes and the mean. Raises the errors of catalogues."""
    windows = draw_scenes(reference.bundle, scenes)
    rows: list[Row] = []
    with Catalog.open(folder, reference.bundle) as catalog:
        expected = [top_tracks(catalog, vector) for vector in embeddings(reference, windows)]
        for contender in field:
            vectors = embeddings(contender.ready, windows)
            shares = [len(top_tracks(catalog, vector) & ids) for vector, ids in zip(vectors, expected, strict=True)]
            labels: OwnLabels = {"engine": contender.name, "precision": contender.precision, "tracks": len(catalog)}
            rows += [
                Row("top10_overlap_lowest", float(min(shares)), scenes, f"of {TOP}", labels),
                Row("top10_overlap_mean", float(np.mean(shares)), scenes, f"of {TOP}", labels),
            ]
    return rows


def top_tracks(catalog: Catalog, vector: NDArray[np.float32]) -> set[str]:
    return {candidate.track.id for candidate in catalog.search(vector, TOP)}


def draw_scenes(bundle: Bundle, scenes: int, seed: int = 0) -> list[list[FrameFeatures]]:
    """``scenes`` studio scenes, measured as in a live session: a window's features, one a motion slot."""
    keep = needs_small(model_of(bundle))
    windows = []
    for number in range(scenes):
        rng = np.random.default_rng((seed, number))
        recipe = video_recipe(draw_latent(rng), rng)
        meter, pictures = FrameMeter(small=keep), frames(recipe, WINDOW_S, MOTION_FPS)
        windows.append([meter.push(picture, at / MOTION_FPS) for at, picture in enumerate(pictures)])
    return windows


def embeddings(engine: Engine, scenes: Sequence[Sequence[FrameFeatures]]) -> NDArray[np.float32]:
    """(scenes, E): each scene's window embedded by ``engine``."""
    model, vectors = model_of(engine.bundle), []
    for scene in scenes:
        window = model.window()
        for slot, features in enumerate(scene):
            window.push(slot, features)
        vectors.append(embed(model, engine.run, window, WINDOW_S))
    return np.stack(vectors)


def embed(model: Model, run: Run, window: Window, end: int) -> NDArray[np.float32]:
    """(E,): the window that ends at second ``end``, by the graphs of one hop; clips that it knows are not run again."""
    ids = count(1)
    hop = Hop(end, float(end), 0, model.graphs.of(Kind.VIDEO_CLIP, Kind.VIDEO_WINDOW))
    while questions := hop.ready(window, ids):
        for question in questions:
            hop.take(model.graphs[question.graph], run(question.graph, question.inputs), window)
    vector: NDArray[np.float32] = hop.vectors[model.graphs.query.name][0]
    return vector
