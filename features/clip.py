"""The pictures of one clip -> every feature that a tower may take of its video side.

A clip is the motion slots of 4 s. A slot without a picture is None: means leave it out, pictures repeat the one before,
or the first one. Live streams, corpora and files all use this module.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .appearance import clip_image
from .cuts import HARD_CUT
from .errors import FeatureError
from .keep import Keep
from .keyframes import colour_emotion, colour_histogram, key_frames
from .motion import mean_displacement
from .per_picture import PerPicture
from .scene import scene_picture
from .spec import (
    CLIP_S,
    FRAMES_FPS,
    KEY_FRAMES_PER_CLIP,
    MOTION_FPS,
    MOTION_PER_APPEARANCE,
    MOTION_PER_CLIP,
    PULSE_BINS,
)

if TYPE_CHECKING:  # callers need not import what measures frames
    from .frame import FrameFeatures

Slots = Sequence["FrameFeatures | None"]
NEEDS_SMALL: Final = frozenset({"clip_frames", "key_frames", "scene"})
_histogram: Final = PerPicture(colour_histogram)  # of 16 pictures of a clip, 12 come again a second later
_emotion: Final = PerPicture(colour_emotion)


def video_clip_features(frames: Slots, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The features ``names`` (of ``spec.VIDEO_FEATURES``) of the 32 slots of a clip, shapes as in ``spec.FEATURES``.

    Fewer slots are a clip that has just begun, as its first ones. Raises ``FeatureError`` for a clip without
    any picture, for more slots than a clip has and for names that no video feature has.
    """
    if len(frames) > MOTION_PER_CLIP or all(frame is None for frame in frames):
        raise FeatureError(
            f"a clip of {len(frames)} slots without a picture in it or above {MOTION_PER_CLIP}: nothing to measure"
        )
    if unknown := [name for name in names if name not in _MEASURES]:
        raise FeatureError(f"no video feature is called {', '.join(unknown)}; there are {', '.join(_MEASURES)}")
    return {name: _MEASURES[name](frames) for name in names}


def keep_for(names: Collection[str]) -> Keep:
    """What a ``FrameMeter`` must keep of each picture for these features."""
    keep = Keep.NOTHING if NEEDS_SMALL.isdisjoint(names) else Keep.SMALL
    keep |= Keep.SCENE if "scene" in names else Keep.NOTHING
    return keep | (Keep.WHOLE if "clip_pictures" in names else Keep.NOTHING)


def _image(frames: Slots) -> NDArray[np.uint8]:
    """The first thumbnail of each second; a second without one repeats its predecessor's."""
    thumbs: list[NDArray[np.uint8]] = []
    for start in range(0, len(frames), MOTION_PER_APPEARANCE):
        second = [frame for frame in frames[start : start + MOTION_PER_APPEARANCE] if frame is not None]
        if second:
            thumbs.append(second[0].thumb)
        elif thumbs:
            thumbs.append(thumbs[-1])
    return clip_image(thumbs)


def _displacement(frames: Slots) -> NDArray[np.float32]:
    return np.array(mean_displacement([frame.speed for frame in frames if frame is not None]), np.float32)


def _colour(frames: Slots) -> NDArray[np.float32]:
    """Means, then deviations, of the four numbers of ``ColourStats``."""
    rows = [
        (frame.colour.brightness, frame.colour.contrast, frame.colour.colourfulness, frame.colour.warmth)
        for frame in frames
        if frame is not None
    ]
    values = np.array(rows, np.float64)
    means = np.add.reduce(values) / len(rows)  # as ``mean`` and ``std``, in a third of the time that these take
    values -= means
    values *= values
    return np.concatenate([means, np.sqrt(np.add.reduce(values) / len(rows))]).astype(np.float32)


def _motion(frames: Slots) -> NDArray[np.float32]:
    """As ``spec.MOTION_FIELDS``; ``pan`` is the length of the mean motion vector: high where the camera moves."""
    rows = [(f.speed, f.dx, f.dy, f.onset, f.cut) for f in frames if f is not None]
    series = np.ascontiguousarray(np.array(rows, np.float64).T)
    speed, dx, dy, onset, cut = (np.add.reduce(series, axis=1) / len(rows)).tolist()
    speed_varies, onset_varies = series[::3].std(axis=1).tolist()
    seconds = len(frames) / MOTION_FPS
    hard = float(np.count_nonzero(series[4] >= HARD_CUT))
    pan = float(np.hypot(dx, dy))
    fastest = max(row[0] for row in rows)
    return np.array([speed, speed_varies, fastest, pan, onset, onset_varies, cut, hard / seconds], np.float32)


def _pulse(frames: Slots) -> NDArray[np.float32]:
    """(2, 16): how strongly speed and onset swing at 0.25 to 4 Hz. Missing slots hold the value before them."""
    rows = np.array([(frame.speed, frame.onset) for frame in held(frames)], np.float64)
    series = np.zeros((MOTION_PER_CLIP, 2))
    series[: len(rows)] = rows - np.add.reduce(rows) / len(rows)
    spectrum = np.abs(np.fft.rfft(series, axis=0))[1 : PULSE_BINS + 1]
    energy = np.sqrt(np.square(series).sum(axis=0)) + 1e-3
    return np.asarray((spectrum / energy).T, np.float32)


def _frames(frames: Slots) -> NDArray[np.uint8]:
    return np.stack(_small_pictures(frames))


def _key_frames(frames: Slots) -> NDArray[np.uint8]:
    return key_frames(_small_pictures(frames), KEY_FRAMES_PER_CLIP, _emotion, _histogram)


def _small_pictures(frames: Slots) -> list[NDArray[np.uint8]]:
    """Every second slot's small picture; a clip that has just begun repeats its last."""
    pictures = [_small(frame) for frame in held(frames)[:: MOTION_FPS // FRAMES_FPS]]
    return pictures + [pictures[-1]] * (CLIP_S * FRAMES_FPS - len(pictures))


def _pictures(frames: Slots) -> NDArray[np.uint8]:
    """Every slot's whole picture; a clip that has just begun repeats its last."""
    pictures = [_whole(frame) for frame in held(frames)]
    return np.stack(pictures + [pictures[-1]] * (MOTION_PER_CLIP - len(pictures)))


def _whole(frame: "FrameFeatures") -> NDArray[np.uint8]:
    if frame.whole is None:
        raise FeatureError("clip_pictures needs a FrameMeter that keeps every whole picture")
    return frame.whole


def _small(frame: "FrameFeatures") -> NDArray[np.uint8]:
    if frame.small is None:
        raise FeatureError("clip_frames and key_frames need a FrameMeter that keeps small pictures")
    return frame.small


def held(frames: Slots) -> "list[FrameFeatures]":
    """The slots without holes: a hole repeats the frame before it, holes at the front the first frame."""
    current = next(frame for frame in frames if frame is not None)
    out = []
    for frame in frames:
        current = frame if frame is not None else current
        out.append(current)
    return out


_MEASURES: Final[Mapping[str, Callable[[Slots], NDArray[Any]]]] = {
    "clip_image": _image,
    "displacement": _displacement,
    "colour": _colour,
    "motion": _motion,
    "pulse": _pulse,
    "clip_frames": _frames,
    "key_frames": _key_frames,
    "scene": scene_picture,
    "clip_pictures": _pictures,
}
