"""The columns of a pair, from pictures and samples: every corpus's arrays are made here.

Live streams and catalogues use the same functions: ``FrameMeter`` and ``video_clip_features`` for the video,
``clip_features`` and ``track_features`` for the music. Every feature that any of our systems needs is stored.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from features import spec
from features.clip import keep_for, video_clip_features
from features.frame import FrameFeatures, FrameMeter
from features.held import filled
from features.music import PER_TRACK, clip_features, track_features

from ..errors import CorpusError
from .corpus import THUMBS, THUMBS_COLUMN, ColumnSpec, column_of

VIDEO_COLUMNS = ("displacement", "colour", "motion", "pulse", "clip_frames", "key_frames")
# Features of imported networks, which come trained, are left out.
MUSIC_COLUMNS = ("clip_mel", "low_level", "content_mfcc", "emotion_mfcc")
COLUMNS: Mapping[str, ColumnSpec] = {
    THUMBS: THUMBS_COLUMN,
    **{name: column_of(name) for name in (*VIDEO_COLUMNS, *MUSIC_COLUMNS, *PER_TRACK)},
}


def watch(pictures: Mapping[int, npt.NDArray[np.uint8]], clips: int = spec.MAX_CLIPS) -> dict[str, npt.NDArray[Any]]:
    """Motion slot -> picture (90, 160, 3) of ``clips`` clips -> the video columns of one pair, zeros behind them.

    Slots may be missing; pictures are held as in a live stream. Raises ``CorpusError`` for a clip without any picture.
    """
    meter = FrameMeter(small=keep_for(VIDEO_COLUMNS))
    frames: list[FrameFeatures | None] = [None] * (clips * spec.MOTION_PER_CLIP)
    for slot in sorted(pictures):
        frames[slot] = meter.push(pictures[slot], slot / spec.MOTION_FPS)
    frames = filled(frames)
    cut = [frames[start : start + spec.MOTION_PER_CLIP] for start in range(0, len(frames), spec.MOTION_PER_CLIP)]
    if any(all(frame is None for frame in clip) for clip in cut):
        raise CorpusError("has 4 s without a picture")
    features = [video_clip_features(clip, ("clip_image", *VIDEO_COLUMNS)) for clip in cut]
    strips = [np.stack(np.split(clip["clip_image"], spec.THUMBS_PER_CLIP, axis=1)) for clip in features]
    columns = {name: np.stack([clip[name] for clip in features]) for name in VIDEO_COLUMNS}
    return {
        name: pad_clips(values, COLUMNS[name]) for name, values in {THUMBS: np.concatenate(strips), **columns}.items()
    }


def listen(samples: npt.NDArray[np.float32], lufs: float | None = None) -> dict[str, npt.NDArray[Any]]:
    """Mono samples (n,) at 16 kHz, whole clips -> the music columns of one pair, zeros behind them.

    ``lufs``: the loudness of the whole recording, if ``samples`` are a part of it, as in a catalogue.
    """
    clips = list(clip_features(samples, MUSIC_COLUMNS, lufs))
    whole = track_features(samples, PER_TRACK).arrays
    columns = {**{name: np.stack([clip[name] for clip in clips]) for name in MUSIC_COLUMNS}, **whole}
    return {name: pad_clips(values, COLUMNS[name]) for name, values in columns.items()}


def pad_clips(values: npt.NDArray[Any], column: ColumnSpec) -> npt.NDArray[Any]:
    missing = column.shape[0] - len(values)
    if not missing:
        return values
    return np.concatenate([values, np.zeros((missing, *values.shape[1:]), values.dtype)])
