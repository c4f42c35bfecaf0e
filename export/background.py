"""The imported networks' outputs on ordinary material: the means and deviations that a clip is compared with."""

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
    """Over every clip of the files, so a longer file counts more. Axes are measured on windows of one clip.

    A file that cannot be used is left out, and ``progress`` gets the reason. Raises ``ExportError`` for fewer than 20
    clips.
    """
    scenes = [clip["scene"] for path in videos for clip in clips_of(clips_of_video, path, "scene", progress)]
    mels = [clip["tag_mel"] for path in tracks for clip in clips_of(clips_of_music, path, "tag_mel", progress)]
    for name, clips in (("video", scenes), ("music", mels)):
        if len(clips) < FEWEST:
            raise ExportError(
                f"background: {len(clips)} clips of {name}, at least {FEWEST} are needed; give more files"
            )
    video_words, music_words = run_words(SceneWords(pictures).eval(), scenes), run_words(MusicWords(music).eval(), mels)
    flat = tuple([0.0] * len(AXES)), tuple([1.0] * len(AXES))
    words = [(values.mean(axis=0), np.maximum(values.std(axis=0), 1e-3)) for values in (video_words, music_words)]
    sides = [Side(tuple(mean.tolist()), tuple(deviation.tolist()), *flat) for mean, deviation in words]
    first = Background(sides[0], sides[1], len(scenes), len(mels))
    lite = build_lite(pictures, music, first)
    whole = []
    for side, place, values, (mean, deviation) in zip(
        sides, (lite.video_place, lite.music_place), (video_words, music_words), words, strict=True
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
    """The clips of a file's first ``MOST_S`` seconds. None for a file that cannot be used; ``progress`` gets the
    reason."""
    progress(f"looking at {path.name}" if name == "scene" else f"listening to {path.name}")
    try:
        return read(path, (name,), MOST_S)
    except FeatureError as error:
        progress(f"{path.name} is left out: {error}")
        return []


def run_words(words: torch.nn.Module, features: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Run the network on one clip at a time, so that memory does not grow with the material: (n, words)."""
    with torch.inference_mode():
        rows = [words(torch.from_numpy(feature[None])) for feature in features]
    return torch.cat(rows).numpy().astype(np.float64)
