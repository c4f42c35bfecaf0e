"""The last 28 s of a stream, as the arrays that the graphs take.

Everything is kept under its place in media time (a motion slot), so a missing frame leaves a hole where it was and
nothing shifts. A clip is named by the second at which it ends: clip ``k`` covers ``[k - 4, k)``, and the window at
``k`` is made of the clips ``k, k - 4, k - 8, ...``. The clips at 1, 2 and 3 are shorter than 4 s: their pictures are
padded with the last, so that there is a list after one second. The same holds where a scene begins: seen from
``start``, a motion slot, nothing before it was ever there, and the clips that reach across it are short.

Bounds: the features of 224 frames, and the vectors of the clips that end in the last 28 s, one for each clip tower and
each ``start`` that they were requested for (scenes change every 4 s at most); older ones are forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.clip import video_clip_features
from features.motion import VisualTempo, mean_displacement, visual_tempo
from features.spec import CLIP_S, FEATURES, MAX_CLIPS, MOTION_FPS, WINDOW_S

if TYPE_CHECKING:
    from features.frame import FrameFeatures

Floats = NDArray[np.float32]

TEMPO_COVER = 0.75  # with fewer of the slots filled, the frame rate itself would look like a pulse
TEMPO_MIN_S = 4


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A window as graphs take it, valid clips first and zeros behind them: ``mask`` (1, 7) bool, ``vectors`` (1, 7, W)
    float32 by clip tower, ``features`` (1, 7, *shape) by name."""

    mask: NDArray[np.bool_]
    vectors: dict[str, Floats]
    features: dict[str, NDArray[Any]]


class Window:
    """``widths``: of the vectors of each clip tower, by its name; ``features``: what the graphs on windows take."""

    def __init__(self, widths: Mapping[str, int], features: Sequence[str]) -> None:
        self._widths, self._features = dict(widths), tuple(features)
        self._frames: dict[int, FrameFeatures] = {}  # slot -> its frame
        # of each tower: end second, first slot -> vector (W,)
        self._clips: dict[str, dict[tuple[int, int], Floats]] = {tower: {} for tower in widths}
        self._measured: dict[tuple[int, int], dict[str, NDArray[Any]]] = {}  # of the same clips, what graphs take

    def push(self, slot: int, features: "FrameFeatures") -> None:
        """Keep one frame's features; ``slot`` counts eighths of a second from the start."""
        self._frames[slot] = features
        while (oldest := next(iter(self._frames))) <= slot - WINDOW_S * MOTION_FPS:
            del self._frames[oldest]

    def clips_at(self, end: int, start: int = 0) -> list[int]:
        """The clips of the window that ends at second ``end``, oldest first, without those that have no frame."""
        ends = range(end, max(0, end - WINDOW_S), -CLIP_S)
        return [k for k in reversed(ends) if not self._frames.keys().isdisjoint(_slots(k, start))]

    def missing(self, tower: str, end: int, start: int = 0) -> list[int]:
        """The clips of that window whose vector is still to be computed by ``tower``: one a hop, more after a skipped
        hop and after a change of ``start``."""
        known = self._clips[tower]
        return [k for k in self.clips_at(end, start) if _key(k, start) not in known]

    def measured(self, features: Sequence[str], ends: Sequence[int], start: int = 0) -> dict[str, NDArray[Any]]:
        """Features of the clips ``ends``, (n, *shape) by name."""
        clips = [video_clip_features(self._clip_frames(end, start), features) for end in ends]
        return {name: np.stack([clip[name] for clip in clips]) for name in features}

    def vectors(self, tower: str, ends: Sequence[int], start: int = 0) -> Floats:
        """The vectors (n, W) of the clips ``ends``, zeros where there is none."""
        nothing = np.zeros(self._widths[tower], np.float32)
        return np.stack([self._clips[tower].get(_key(end, start), nothing) for end in ends])

    def store(self, tower: str, ends: Sequence[int], vectors: Floats, start: int = 0) -> None:
        """Keep the vectors (n, W) of the clips ``ends``."""
        clips = self._clips[tower]
        for end, vector in zip(ends, vectors, strict=True):
            clips[_key(end, start)] = vector
            for old in [key for key in clips if key[0] <= end - WINDOW_S]:
                del clips[old]
                self._measured.pop(old, None)

    def view(self, end: int, start: int = 0) -> View:
        """The clips of that window that every tower has embedded."""
        mask = np.zeros((1, MAX_CLIPS), np.bool_)
        vectors = {tower: np.zeros((1, MAX_CLIPS, width), np.float32) for tower, width in self._widths.items()}
        features: dict[str, NDArray[Any]] = {}
        for name in self._features:
            shape: Any = FEATURES[name]["shape"]
            features[name] = np.zeros((1, MAX_CLIPS, *shape), str(FEATURES[name]["dtype"]))
        ends = [k for k in self.clips_at(end, start) if all(_key(k, start) in of for of in self._clips.values())]
        for place, k in enumerate(ends):
            mask[0, place] = True
            for tower, clips in self._clips.items():
                vectors[tower][0, place] = clips[_key(k, start)]
            for name, value in self._features_of(k, start).items():
                features[name][0, place] = value
        return View(mask, vectors, features)

    def tempo(self, end: int, start: int = 0) -> VisualTempo:
        """The pulse of the pictures over the window; confidence 0 below 4 s and where too many frames are missing."""
        first = max(start, (end - WINDOW_S) * MOTION_FPS)
        slots = range(first, end * MOTION_FPS)
        onsets = [0.0 if frame is None else frame.onset for frame in map(self._frames.get, slots)]
        filled = sum(map(self._frames.__contains__, slots))
        if filled < TEMPO_MIN_S * MOTION_FPS or filled < TEMPO_COVER * len(slots):
            return VisualTempo(0.0, 0.0)
        return visual_tempo(np.array(onsets, np.float32))

    def speed(self, end: int, start: int = 0) -> float:
        """Mean speed over the newest clip, in frame widths per second."""
        frames = [frame for frame in self._clip_frames(end, start) if frame is not None]
        return float(mean_displacement([frame.speed for frame in frames]))

    def colour(self, end: int, start: int = 0) -> tuple[float, float, float, float]:
        """Mean brightness, contrast, colourfulness and warmth over the newest clip, each in [0, 1].

        Of each second its first frame counts.
        """
        rows = []
        for second in range(max(0, end - CLIP_S), end):
            slots = range(max(start, second * MOTION_FPS), (second + 1) * MOTION_FPS)
            first = next((self._frames[slot].colour for slot in slots if slot in self._frames), None)
            if first is not None:
                rows.append((first.brightness, first.contrast, first.colourfulness, first.warmth))
        rows = rows or [(0.0, 0.0, 0.0, 0.0)]
        brightness, contrast, colourfulness, warmth = (np.add.reduce(np.array(rows)) / len(rows)).tolist()
        return brightness, contrast, colourfulness, warmth

    def _features_of(self, end: int, start: int) -> dict[str, NDArray[Any]]:
        """Measured once a clip: it is over, so no frame of it comes any more."""
        key = _key(end, start)
        if key not in self._measured:
            self._measured[key] = video_clip_features(self._clip_frames(end, start), self._features)
        return self._measured[key]

    def _clip_frames(self, end: int, start: int) -> list["FrameFeatures | None"]:
        return [self._frames.get(slot) for slot in _slots(end, start)]


def _slots(end: int, start: int) -> range:
    return range(max(start, (end - CLIP_S) * MOTION_FPS), end * MOTION_FPS)


def _key(end: int, start: int) -> tuple[int, int]:
    """A clip that reaches across the start of a scene is another clip than the whole one."""
    return end, max(start, (end - CLIP_S) * MOTION_FPS)
