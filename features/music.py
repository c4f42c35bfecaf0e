"""A track -> the features that towers, the catalogue and the training corpus request, and no others.

A track is cut into clips of 4 s end to end. The last, partial one counts, zero-padded, if it lasts at least 1 s or is
the only one. The loudness of a track makes no difference: every track is brought to one loudness first.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .beats import NOTHING, BeatTrack, Course, clip_rhythm, course_of, find_pulse, place_beats
from .clap_mel import clap_mel
from .errors import FeatureError
from .harmony import FFT, chroma, shares_of
from .key import Key, KeyMeter
from .loudness import level_gain, loudness
from .low_level import low_level
from .mapped import let_go, pieces
from .mel import MelMeter, check_samples
from .mfcc import content_mfcc, emotion_mfcc
from .spec import CLIP_MEL_SHAPE, CLIP_S, CLIP_SAMPLES, MUSIC_RATE_HZ
from .tag_mel import tag_mel
from .vggish_mel import vggish_mel

Floats = NDArray[np.float32]

MIN_TRACK_S = 0.25
MIN_LAST_CLIP_S = 1.0
_SOME: Final = 32  # clips after which samples that lie in a file are let go of


@dataclass(frozen=True, slots=True, eq=False)
class TrackFeatures:
    """Features that need the whole track. ``arrays``: feature name -> (n, ...) float32, a row a clip; ``loudness`` (n,)
    float32, RMS of each clip's samples, full scale 1, padding not counted; ``lufs``: integrated loudness of the track
    (``features.loudness``), -inf for silence. ``course``: onsets and bands; ``chroma`` (n, 30, 24)
    float32, by pitch class, of the whole range and of the bass, every 128 ms of each clip (``features.harmony``);
    ``key``: None where nothing has a pitch.
    """

    arrays: Mapping[str, Floats]
    beats: BeatTrack
    loudness: Floats
    lufs: float
    course: Course
    chroma: Floats
    key: Key | None = None


def clip_count(samples: int) -> int:
    """How many clips a track of that many 16 kHz samples has; raises ``FeatureError`` below 0.25 s."""
    if samples < MIN_TRACK_S * MUSIC_RATE_HZ:
        raise FeatureError(f"{samples / MUSIC_RATE_HZ:.3f} s of sound: a track needs at least {MIN_TRACK_S} s")
    whole, rest = divmod(samples, CLIP_SAMPLES)
    return whole + (whole == 0 or rest >= MIN_LAST_CLIP_S * MUSIC_RATE_HZ)


def clip_features(
    samples: NDArray[np.floating], names: Collection[str], lufs: float | None = None
) -> Iterator[dict[str, Floats]]:
    """The features ``names`` (of ``PER_CLIP``) of each clip of a mono 16 kHz track, one clip after another.

    ``lufs``: the loudness of the track, where it is known already or ``samples`` are only a part of it.

    Raises ``FeatureError``, at the call, for samples that are not finite floats in one dimension, for less than 0.25 s
    of them, and for a name that is no such feature.
    """
    if unknown := [name for name in names if name not in PER_CLIP]:
        raise FeatureError(
            f"no feature of a clip of music is called {', '.join(unknown)}; there are {', '.join(PER_CLIP)}"
        )
    checked = check_samples(samples)
    return _clips(checked, clip_count(len(checked)), tuple(names), level_gain(checked, lufs))


def track_features(samples: NDArray[np.floating], names: Collection[str], tagged_bpm: float = 0.0) -> TrackFeatures:
    """Beats, loudness and the features ``names`` (of ``PER_TRACK``) of a mono 16 kHz track.

    ``tagged_bpm``: as for ``track_beats``. It decides what the beats are, but no feature: the towers' input must not
    depend on tags.

    Silence is allowed and has no beats. Raises ``FeatureError`` as ``clip_features`` does.
    """
    if unknown := [name for name in names if name not in PER_TRACK]:
        raise FeatureError(f"no feature of a track is called {', '.join(unknown)}; there are {', '.join(PER_TRACK)}")
    samples = check_samples(samples)
    count = clip_count(len(samples))
    course = course_of(samples)
    pulse = find_pulse(samples, course.envelope)
    untagged = NOTHING if pulse is None else place_beats(samples, pulse)
    beats = untagged if pulse is None or not tagged_bpm else place_beats(samples, pulse, tagged_bpm)
    meter = KeyMeter(FFT)
    whole = _Whole(untagged, count, *chroma(samples, count, meter))
    return TrackFeatures(
        arrays={name: PER_TRACK[name](whole) for name in names},
        beats=beats,
        course=course,
        chroma=np.concatenate([whole.chroma, whole.bass], axis=2).astype(np.float32),
        loudness=np.array([_rms(clip) for clip in islice(pieces(samples, CLIP_SAMPLES), count)], dtype=np.float32),
        lufs=loudness(samples),
        key=meter.finish(),
    )


def track_key(samples: NDArray[np.floating]) -> Key | None:
    """The ``key`` that ``track_features`` measures, alone."""
    samples, meter = check_samples(samples), KeyMeter(FFT)
    chroma(samples, clip_count(len(samples)), meter)
    return meter.finish()


def _clips(samples: Floats, count: int, names: tuple[str, ...], gain: np.float32) -> Iterator[dict[str, Floats]]:
    for clip in range(count):
        piece = gain * _clip(samples, clip)
        padded = np.pad(piece, (0, CLIP_SAMPLES - len(piece)))
        yield {name: PER_CLIP[name](padded) for name in names}
        if clip % _SOME == 0:
            let_go(samples)


def _mel(padded: Floats) -> Floats:
    return MelMeter().push(padded).reshape(CLIP_MEL_SHAPE)


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """What the features of a track are made of: its beats, the number of its clips, and both arrays of ``chroma``."""

    beats: BeatTrack
    clips: int
    chroma: NDArray[np.float64]
    bass: NDArray[np.float64]


def _rhythm(whole: _Whole) -> Floats:
    return np.stack([clip_rhythm(whole.beats, float(clip * CLIP_S)) for clip in range(whole.clips)])


def _harmony(whole: _Whole) -> Floats:
    return shares_of(whole.chroma, whole.bass)


def _clip(samples: Floats, clip: int) -> Floats:
    return samples[clip * CLIP_SAMPLES : (clip + 1) * CLIP_SAMPLES]


def _rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


PER_CLIP: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "clip_mel": _mel,
    "low_level": low_level,
    "content_mfcc": content_mfcc,
    "emotion_mfcc": emotion_mfcc,
    "tag_mel": tag_mel,
    "clap_mel": clap_mel,
    "vggish_mel": vggish_mel,
}
PER_TRACK: Final[Mapping[str, Callable[[_Whole], Floats]]] = {"rhythm": _rhythm, "harmony": _harmony}
