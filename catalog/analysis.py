"""One track's samples -> clips, segments, beats, outline and starts. Pure, given an engine.

A track of n clips has segments of up to seven clips, one starting at each clip. The last ones run over the track's end
and count if at least four of their clips are there; a track within one window has one segment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from engines.graphs import Feature, Mask
from features.errors import AudioError
from features.mapped import extremes
from features.music import clip_features, track_features
from features.r128 import Levels, levels_of
from features.spec import CLIP_S, MAX_CLIPS, MUSIC_RATE_HZ
from features.vocals import vocals_by_second

from .needs import RHYTHM, needs_of
from .outline import outline_of
from .records import Analysis, Floats
from .starts import starts_of

BATCH: Final = 32
MIN_VALID: Final = 4  # of a segment's seven clips
SILENCE: Final = 1e-3  # peak, -60 dB of full scale


def analyse(samples: Floats, engine: Engine, tagged_bpm: float = 0.0, levels: Levels | None = None) -> Analysis:
    """What the catalogue keeps of a mono 16 kHz track of at least 1 s; ``AudioError`` for silence.

    ``tagged_bpm``: the tempo in the file's tags, 0 for none; it decides between 85 and 170 beats a minute.
    ``levels``: of the file's own channels; None: of the samples.

    Mels are made and dropped in batches, so an hour takes little more memory than its samples.
    """
    low, high = extremes(samples)
    if max(high, -low) < SILENCE:
        raise AudioError("is silent: nothing in it is louder than -60 dB of full scale")
    duration_s = len(samples) / MUSIC_RATE_HZ
    needs = needs_of(engine.bundle)
    features = track_features(samples, needs.track, tagged_bpm)
    beats = features.beats.times_s.astype(np.float32)
    levels = levels_of(samples, MUSIC_RATE_HZ) if levels is None else levels
    course = outline_of(duration_s, levels, features)
    clips = _embed(clip_features(samples, needs.clip, features.lufs), engine)
    first_clips = segment_starts(len(clips))
    beside = {name: features.arrays[name] for name in needs.sequence}
    vectors, moods = _sequences(clips, beside, first_clips, engine)
    starts_s, borders = starts_of(
        (first_clips * CLIP_S).astype(np.float32), duration_s, levels, course.stretches, course.outline.sections_s,
        course.strengths, course.grid_s
    )  # fmt: skip
    outline = replace(course.outline, vocals=vocals_by_second(samples))
    tempo_bpm = features.beats.tempo_bpm
    extras = {name: features.arrays[name] for name in needs.kept}
    rhythm = features.arrays[RHYTHM]
    return Analysis(
        duration_s, tempo_bpm, beats, clips, rhythm, first_clips, starts_s, vectors, moods, extras, borders,
        outline
    )  # fmt: skip


def segment_starts(clips: int) -> NDArray[np.int64]:
    """(k,) int64, the first clip of each segment of a track of that many clips."""
    return np.arange(1 if clips <= MAX_CLIPS else clips - MIN_VALID + 1)


def windows(values: Floats, first_clips: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_]]:
    """Per-clip ``values`` (n, ...) -> (k, 7, ...), zeros behind the track's end, and the mask (k, 7)."""
    places = first_clips[:, None] + np.arange(MAX_CLIPS)
    mask = places < len(values)
    picked = values[np.minimum(places, len(values) - 1)]
    picked[~mask] = 0.0
    return picked, mask


def _embed(clips: Iterator[dict[str, Floats]], engine: Engine) -> Floats:
    tower = engine.bundle.graphs.music_tower
    parts: list[Floats] = []
    while batch := list(islice(clips, BATCH)):
        inputs = {name: np.stack([clip[name] for clip in batch]) for name in batch[0]}
        parts.append(engine.run(tower.name, inputs)[tower.output])
    return np.concatenate(parts)


def _sequences(
    clips: Floats, features: Mapping[str, Floats], first_clips: NDArray[np.int64], engine: Engine
) -> tuple[Floats, Floats | None]:
    segment, mood = engine.bundle.graphs.segment, engine.bundle.graphs.mood
    vectors: list[Floats] = []
    moods: list[Floats] = []
    for at in range(0, len(first_clips), BATCH):
        firsts = first_clips[at : at + BATCH]
        clip_windows, mask = windows(clips, firsts)
        extras = {name: windows(values, firsts)[0] for name, values in features.items()}
        inputs = {
            name: extras[source.name]
            if isinstance(source, Feature)
            else mask
            if isinstance(source, Mask)
            else clip_windows
            for name, source in segment.inputs.items()
        }
        vectors.append(engine.run(segment.name, inputs)[segment.output])
        if mood is not None:
            moods.append(engine.run(mood.name, dict.fromkeys(mood.inputs, vectors[-1]))[mood.output])
    return np.concatenate(vectors), np.concatenate(moods) if mood is not None else None
