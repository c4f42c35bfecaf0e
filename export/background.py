"""What the imported networks say of ordinary material: the means and deviations that a clip is compared with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from features.errors import FeatureError
from towers.imports.efficientnet_lite import EfficientNetLite
from towers.imports.lite import Background, MusicWords, SceneWords, Side, build_lite
from towers.imports.musicnn import Musicnn
from towers.imports.vocabulary import AXES

from .errors import ExportError
from .material import clips_of_music, clips_of_video

MOST_S: Final = 120  # of a file
FEWEST: Final = 20  # clips of a side


def measure_background(
    pictures: EfficientNetLite,
    music: Sequence[Musicnn],
    videos: Sequence[Path],
    tracks: Sequence[Path],
    progress: Callable[[str], None] = lambda step: None,
) -> Background:
    """Over every clip of the files; each file counts as much as its clips. Axes are measured of windows of one clip.

    Files that cannot be used are left out, ``progress`` hears why. Raises ``ExportError`` for fewer than 20 clips.
    """
    scenes = [clip["scene"] for path in videos for clip in clips_of(clips_of_video, path, "scene", progress)]
    mels = [clip["tag_mel"] for path in tracks for clip in clips_of(clips_of_music, path, "tag_mel", progress)]
    for name, found in (("video", scenes), ("music", mels)):
        if len(found) < FEWEST:
            raise ExportError(
                f"background: {len(found)} clips of {name}, at least {FEWEST} are needed; give more files"
            )
    seen, heard = told(SceneWords(pictures).eval(), scenes), told(MusicWords(music).eval(), mels)
    flat = tuple([0.0] * len(AXES)), tuple([1.0] * len(AXES))
    words = [(values.mean(axis=0), np.maximum(values.std(axis=0), 1e-3)) for values in (seen, heard)]
    sides = [Side(tuple(mean.tolist()), tuple(deviation.tolist()), *flat) for mean, deviation in words]
    first = Background(sides[0], sides[1], len(scenes), len(mels))
    lite = build_lite(pictures, music, first)
    whole = []
    for side, place, values, (mean, deviation) in zip(
        sides, (lite.video_place, lite.music_place), (seen, heard), words, strict=True
    ):
        scores = torch.from_numpy(((values - mean) / deviation).astype(np.float32)).unsqueeze(1)
        with torch.inference_mode():
            axes = place.axes.raw(scores, torch.ones(scores.shape[:2], dtype=torch.bool)).numpy()
        axes_mean, axes_deviation = tuple(axes.mean(axis=0).tolist()), tuple(axes.std(axis=0).tolist())
        whole.append(Side(side.words_mean, side.words_deviation, axes_mean, axes_deviation))
    return Background(whole[0], whole[1], len(scenes), len(mels))


def clips_of(
    read: Callable[[Path, Sequence[str], int], list[dict[str, NDArray[np.generic]]]],
    path: Path,
    name: str,
    progress: Callable[[str], None],
) -> list[dict[str, NDArray[np.generic]]]:
    """What ``read`` gives of a file's beginning; nothing for one that cannot be used, ``progress`` hears why."""
    progress(f"looking at {path.name}" if name == "scene" else f"listening to {path.name}")
    try:
        return read(path, (name,), MOST_S)
    except FeatureError as error:
        progress(f"{path.name} is left out: {error}")
        return []


def told(words: torch.nn.Module, features: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """(n, words), one clip at a time, so that memory does not grow with the material."""
    with torch.inference_mode():
        rows = [words(torch.from_numpy(feature[None])) for feature in features]
    return torch.cat(rows).numpy().astype(np.float64)
