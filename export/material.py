"""Reads media files as inputs of a bundle's graphs: clips end to end, with the features of the given names."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import spec
from features.clip import keep_for, video_clip_features
from features.decode.sound import decode
from features.decode.video import VideoFile
from features.frame import FrameFeatures, FrameMeter
from features.held import filled
from features.music import PER_CLIP, PER_TRACK, clip_features, track_features

Clip = dict[str, NDArray[Any]]


def clips_of_video(path: Path, names: Collection[str], most_s: int) -> list[Clip]:
    """The whole clips of the first ``most_s`` seconds; those without a picture are left out.

    Raises ``FeatureError`` for a file that is no video.
    """
    with VideoFile(path) as video:
        seconds = min(most_s, int(video.duration_s or most_s))
        pictures = video.slots(0.0, seconds)
    meter = FrameMeter(small=keep_for(names))
    slots: list[FrameFeatures | None] = [None] * (seconds * spec.MOTION_FPS)
    for slot in sorted(pictures):
        slots[slot] = meter.push(pictures[slot], slot / spec.MOTION_FPS)
    slots = filled(slots)
    size = spec.MOTION_PER_CLIP
    cut = [slots[start : start + size] for start in range(0, len(slots) - size + 1, size)]
    return [video_clip_features(clip, names) for clip in cut if any(frame is not None for frame in clip)]


def clips_of_music(path: Path, names: Collection[str], most_s: int) -> list[Clip]:
    """The clips of the first ``most_s`` seconds of a file's sound, all levelled by one gain.

    Raises ``AudioError`` for a file without sound.
    """
    samples = decode(path).samples[: most_s * spec.MUSIC_RATE_HZ]
    clips = [dict(clip) for clip in clip_features(samples, [name for name in names if name in PER_CLIP])]
    whole = [name for name in names if name in PER_TRACK]
    if whole:
        arrays = track_features(samples, whole).arrays
        for at, clip in enumerate(clips):
            clip |= {name: arrays[name][at] for name in whole}
    return clips


def stack_features(clips: Sequence[Clip], names: Collection[str]) -> dict[str, NDArray[Any]]:
    """(n, *shape) of each feature."""
    return {name: np.stack([clip[name] for clip in clips]) for name in names}


def windows(vectors: NDArray[np.float32], clips: Sequence[Clip], names: Collection[str]) -> dict[str, NDArray[Any]]:
    """A row for each window of up to 7 clips: ``clips``, ``mask`` and the features. Each window has four new clips; the
    last one has fewer and ends with the last clip."""
    starts = list(range(0, max(1, len(vectors) - spec.MAX_CLIPS + 1), spec.MAX_CLIPS // 2 + 1))
    if starts[-1] + spec.MAX_CLIPS < len(vectors):
        starts.append(len(vectors) - spec.MAX_CLIPS)
    out: dict[str, NDArray[Any]] = {
        "clips": np.zeros((len(starts), spec.MAX_CLIPS, vectors.shape[1]), np.float32),
        "mask": np.zeros((len(starts), spec.MAX_CLIPS), np.bool_),
    }
    for name in names:
        out[name] = np.zeros((len(starts), spec.MAX_CLIPS, *clips[0][name].shape), clips[0][name].dtype)
    for row, start in enumerate(starts):
        stop = min(start + spec.MAX_CLIPS, len(vectors))
        out["clips"][row, : stop - start] = vectors[start:stop]
        out["mask"][row, : stop - start] = True
        for name in names:
            out[name][row, : stop - start] = [clip[name] for clip in clips[start:stop]]
    return out
