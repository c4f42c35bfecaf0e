"""The last 28 s of a stream, as the arrays that the graphs take.

Everything is kept under its place in media time (second or motion slot), so a missing frame leaves a hole where it was
and nothing shifts. A clip is named by the second at which it ends: clip ``k`` covers ``[k - 4, k)``, and the window at
``k`` is made of the clips ``k, k - 4, k - 8, ...``. The clips at 1, 2 and 3 are shorter than 4 s: their pictures are
padded with the last, so that something can be said after one second.

Bounds: 28 thumbnails, 28 clip embeddings and 224 motion samples; older ones are forgotten.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.appearance import clip_image
from features.motion import VisualTempo, mean_displacement, visual_tempo
from features.spec import CLIP_IMAGE_SHAPE, CLIP_S, MAX_CLIPS, MOTION_FPS, WINDOW_S

if TYPE_CHECKING:
    from features.frame import FrameFeatures

Floats = NDArray[np.float32]
Value = TypeVar("Value")

TEMPO_COVER = 0.75  # with fewer of the slots filled, the frame rate itself would be heard as a pulse
TEMPO_MIN_S = 4


class Window:
    """``clip_dim`` is the width of a clip embedding."""

    def __init__(self, clip_dim: int) -> None:
        self._clip_dim = clip_dim
        self._thumbs: dict[int, NDArray[np.uint8]] = {}  # second -> its first thumbnail
        self._motion: dict[int, tuple[float, float]] = {}  # slot -> speed, onset
        self._colour: dict[int, tuple[float, float, float, float]] = {}  # second -> its first frame's statistics
        self._clips: dict[int, Floats] = {}  # end second -> embedding (C,)

    def push(self, slot: int, features: "FrameFeatures") -> None:
        """Keep one frame's features; ``slot`` counts eighths of a second from the start."""
        second = slot // MOTION_FPS
        if second not in self._thumbs:
            colour = features.colour
            self._thumbs[second] = features.thumb
            self._colour[second] = (colour.brightness, colour.contrast, colour.colourfulness, colour.warmth)
            _forget(self._thumbs, second - WINDOW_S)
            _forget(self._colour, second - WINDOW_S)
        self._motion[slot] = (features.speed, features.onset)
        _forget(self._motion, slot - WINDOW_S * MOTION_FPS)

    def clips_at(self, end: int) -> list[int]:
        """The clips of the window that ends at second ``end``, oldest first, without those that have no frame."""
        ends = range(end, max(0, end - WINDOW_S), -CLIP_S)
        return [k for k in reversed(ends) if any(s in self._thumbs for s in _seconds(k))]

    def missing(self, end: int) -> list[int]:
        """The clips of that window whose embedding is still to be computed: one a hop, more after a skipped hop."""
        return [k for k in self.clips_at(end) if k not in self._clips]

    def images(self, ends: Sequence[int]) -> NDArray[np.uint8]:
        """(n, 64, 256) uint8, the input of the clip tower. A second without a frame repeats its predecessor's."""
        images = np.empty((len(ends), *CLIP_IMAGE_SHAPE), np.uint8)
        for row, end in enumerate(ends):
            held: list[NDArray[np.uint8]] = []
            for second in _seconds(end):
                if second in self._thumbs:
                    held.append(self._thumbs[second])
                elif held:
                    held.append(held[-1])
            images[row] = clip_image(held)
        return images

    def store(self, ends: Sequence[int], embeddings: Floats) -> None:
        """Keep the embeddings (n, C) of the clips ``ends``."""
        for end, embedding in zip(ends, embeddings, strict=True):
            self._clips[end] = embedding
            _forget(self._clips, end - WINDOW_S)

    def arrays(self, end: int) -> dict[str, NDArray[np.generic]]:
        """``clips`` (1, 7, C) float32, ``mask`` (1, 7) bool, ``displacement`` (1, 7) float32; valid ones first."""
        clips = np.zeros((1, MAX_CLIPS, self._clip_dim), np.float32)
        mask = np.zeros((1, MAX_CLIPS), np.bool_)
        displacement = np.zeros((1, MAX_CLIPS), np.float32)
        for place, k in enumerate(k for k in self.clips_at(end) if k in self._clips):
            clips[0, place] = self._clips[k]
            mask[0, place] = True
            displacement[0, place] = mean_displacement(self._speeds(k))
        return {"clips": clips, "mask": mask, "displacement": displacement}

    def tempo(self, end: int) -> VisualTempo:
        """The pulse of the pictures over the window; confidence 0 below 4 s and where too many frames are missing."""
        first = max(0, end - WINDOW_S) * MOTION_FPS
        slots = range(first, end * MOTION_FPS)
        filled = [slot for slot in slots if slot in self._motion]
        if len(filled) < TEMPO_MIN_S * MOTION_FPS or len(filled) < TEMPO_COVER * len(slots):
            return VisualTempo(0.0, 0.0)
        onsets = np.zeros(len(slots), np.float32)
        for slot in filled:
            onsets[slot - first] = self._motion[slot][1]
        return visual_tempo(onsets)

    def speed(self, end: int) -> float:
        """Mean speed over the newest clip, in frame widths per second."""
        return float(mean_displacement(self._speeds(end)))

    def colour(self, end: int) -> tuple[float, float, float, float]:
        """Mean brightness, contrast, colourfulness and warmth over the newest clip, each in [0, 1]."""
        rows = [self._colour[second] for second in _seconds(end) if second in self._colour]
        brightness, contrast, colourfulness, warmth = np.mean(rows or [(0.0, 0.0, 0.0, 0.0)], axis=0).tolist()
        return brightness, contrast, colourfulness, warmth

    def _speeds(self, end: int) -> Floats:
        slots = range(max(0, end - CLIP_S) * MOTION_FPS, end * MOTION_FPS)
        return np.array([self._motion[slot][0] for slot in slots if slot in self._motion], np.float32)


def _seconds(end: int) -> range:
    return range(max(0, end - CLIP_S), end)


def _forget(ring: dict[int, Value], oldest: int) -> None:
    for key in [key for key in ring if key <= oldest]:
        del ring[key]
