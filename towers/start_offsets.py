"""Start offsets: which 28 s of a whole track was the video made for?

Tracks are three windows long; the video fits one window of each, at a clip's start. A run predicts the segment that is
nearest to the video's embedding, as a catalogue does, and the prediction is compared with the truth by intersection
over union (as in MGSV, ICCV 2025). The figure of a random start is computed exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from features import spec
from features.clip import video_clip_features
from features.frame import FrameMeter
from features.music import PER_CLIP, PER_TRACK, clip_features, track_features
from studio.takes import moment

from .backbones.backbone import Backbone
from .batch import Side
from .run import Run

WINDOWS = 3
TRACK_S = WINDOWS * spec.WINDOW_S
STARTS = (TRACK_S - spec.WINDOW_S) // spec.CLIP_S + 1  # a segment may start with any clip: 15
HIT = 0.5  # a moment is found from this intersection over union on
STREAM = 77  # draws other numbers than a corpus of the same seed
Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Moments:
    """Of n videos: ``truth`` and ``predicted`` (n,), the clip that the window starts with."""

    truth: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]


def moments(run: Run, count: int, seed: int, report: Callable[[int], None] = lambda done: None) -> Moments:
    """Let ``run`` predict the starts of ``count`` videos in their tracks, rendered from ``seed``."""
    truth, predicted = [], []
    for number in range(count):
        rng = np.random.default_rng([seed, STREAM, number])
        start, video, track = make_moment(rng, run)
        truth.append(start)
        predicted.append(best_segment(run, video, track))
        report(number + 1)
    return Moments(np.array(truth), np.array(predicted))


def make_moment(rng: np.random.Generator, run: Run) -> tuple[int, Arrays, Arrays]:
    """The true start in clips, the video's features (7, ...) and the track's (21, ...), those that ``run`` needs."""
    start = int(rng.integers(STARTS))
    example = moment(rng, float(start * spec.CLIP_S), float(TRACK_S))
    samples = example.sound(spec.MUSIC_RATE_HZ).mean(axis=1, dtype=np.float32)
    return (
        start,
        video_features(example.pictures(spec.MOTION_FPS), (*run.video.inputs, *run.system.video_extras)),
        music_features(samples, (*run.music.inputs, *run.system.music_extras)),
    )


def video_features(pictures: npt.NDArray[np.uint8], names: Sequence[str]) -> Arrays:
    meter = FrameMeter(small=True)
    frames = [meter.push(picture, index / spec.MOTION_FPS) for index, picture in enumerate(pictures)]
    size = spec.MOTION_PER_CLIP
    clips = [video_clip_features(frames[at : at + size], set(names)) for at in range(0, len(frames), size)]
    return {name: np.stack([clip[name] for clip in clips]) for name in clips[0]}


def music_features(samples: npt.NDArray[np.float32], names: Sequence[str]) -> Arrays:
    clips = list(clip_features(samples, [name for name in set(names) if name in PER_CLIP]))
    whole = track_features(samples, [name for name in set(names) if name in PER_TRACK]).arrays
    return {**{name: np.stack([clip[name] for clip in clips]) for name in clips[0]}, **whole}


@torch.inference_mode()
def best_segment(run: Run, video: Arrays, track: Arrays) -> int:
    """The clip that the nearest segment starts with."""
    query = run.system.video(side_of(run.video, run.system.video_extras, video, [0]))
    segments = run.system.music(side_of(run.music, run.system.music_extras, track, range(STARTS)))
    return int((segments @ query[0]).argmax())


def side_of(backbone: Backbone, extras: Sequence[str], arrays: Arrays, starts: Sequence[int]) -> Side:
    """Windows of seven clips from each of ``starts``."""
    clips = backbone(*(torch.from_numpy(arrays[name]) for name in backbone.inputs))
    places = torch.tensor(list(starts)).unsqueeze(1) + torch.arange(spec.MAX_CLIPS)

    def windows(values: Tensor) -> Tensor:
        return values[places]

    mask = torch.ones(places.shape, dtype=torch.bool)
    return Side(windows(clips), mask, {name: windows(torch.from_numpy(arrays[name])) for name in extras})


def overlap(truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Intersection over union of windows that start with these clips, (n,)."""
    shared = np.maximum(0, spec.MAX_CLIPS - np.abs(truth - predicted))
    return np.asarray(shared / (2 * spec.MAX_CLIPS - shared), np.float64)


def figures(result: Moments) -> dict[str, float]:
    """``moment_r1`` in percent and ``miou``, of the run and of a start drawn at random."""
    ours = overlap(result.truth, result.predicted)
    random = overlap(result.truth[:, None], np.arange(STARTS)[None])
    return {
        "moment_r1": 100.0 * float((ours >= HIT).mean()),
        "miou": float(ours.mean()),
        "random_moment_r1": 100.0 * float((random >= HIT).mean()),
        "random_miou": float(random.mean()),
    }
