"""A track -> what the catalogue and the training corpus need of it.

A track is cut into clips of 4 s end to end. The last, partial one is kept, zero-padded, if it lasts at least 1 s or is
the only one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .beats import BeatTrack, clip_rhythm, track_beats
from .errors import FeatureError
from .mel import MelMeter, check_samples
from .spec import CLIP_MEL_SHAPE, CLIP_S, CLIP_SAMPLES, MUSIC_RATE_HZ

MIN_TRACK_S = 0.25
MIN_LAST_CLIP_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class MusicOutline:
    """A track without its mels: ``rhythm`` (n, 3) float32, the beats, ``loudness`` (n,) float32, RMS of each clip."""

    rhythm: NDArray[np.float32]
    beats: BeatTrack
    loudness: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MusicFeatures:
    """A track in n clips: ``mels`` (n, 398, 80) float32, ``rhythm`` (n, 3) float32, the beats, ``loudness`` (n,)
    float32, RMS of each clip's samples, full scale 1, padding not counted.
    """

    mels: NDArray[np.float32]
    rhythm: NDArray[np.float32]
    beats: BeatTrack
    loudness: NDArray[np.float32]


def clip_count(samples: int) -> int:
    """How many clips a track of that many 16 kHz samples has; raises ``FeatureError`` below 0.25 s."""
    if samples < MIN_TRACK_S * MUSIC_RATE_HZ:
        raise FeatureError(f"{samples / MUSIC_RATE_HZ:.3f} s of sound: a track needs at least {MIN_TRACK_S} s")
    whole, rest = divmod(samples, CLIP_SAMPLES)
    return whole + (whole == 0 or rest >= MIN_LAST_CLIP_S * MUSIC_RATE_HZ)


def clip_mels(samples: NDArray[np.floating]) -> Iterator[NDArray[np.float32]]:
    """The ``(398, 80)`` float32 log-mel of each clip of a mono 16 kHz track, one after another.

    For long tracks: one clip's mel takes 127 kB. Raises ``FeatureError`` as ``analyse`` does, at the call.
    """
    checked = check_samples(samples)
    return _clip_mels(checked, clip_count(len(checked)))


def outline(samples: NDArray[np.floating]) -> MusicOutline:
    """All of ``analyse`` but the mels."""
    samples = check_samples(samples)
    count = clip_count(len(samples))
    beats = track_beats(samples)
    return MusicOutline(
        rhythm=np.stack([clip_rhythm(beats, float(clip * CLIP_S)) for clip in range(count)]),
        beats=beats,
        loudness=np.array([_rms(_clip(samples, clip)) for clip in range(count)], dtype=np.float32),
    )


def analyse(samples: NDArray[np.floating]) -> MusicFeatures:
    """Features of a mono 16 kHz track, ``(n,)`` floats of full scale 1. Silence is allowed and has no beats.

    All mels at once: 32 kB a second of track, so prefer ``outline`` and ``clip_mels`` for long ones. Raises
    ``FeatureError`` for samples that are not finite floats in one dimension and for less than 0.25 s of them.
    """
    mels = np.stack(list(clip_mels(samples)))
    rest = outline(samples)
    return MusicFeatures(mels=mels, rhythm=rest.rhythm, beats=rest.beats, loudness=rest.loudness)


def _clip_mels(samples: NDArray[np.float32], count: int) -> Iterator[NDArray[np.float32]]:
    meter = MelMeter()
    for clip in range(count):
        piece = _clip(samples, clip)
        frames = meter.push(np.pad(piece, (0, CLIP_SAMPLES - len(piece))))
        meter.flush()
        yield frames.reshape(CLIP_MEL_SHAPE)


def _clip(samples: NDArray[np.float32], clip: int) -> NDArray[np.float32]:
    return samples[clip * CLIP_SAMPLES : (clip + 1) * CLIP_SAMPLES]


def _rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
