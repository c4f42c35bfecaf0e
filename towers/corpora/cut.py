"""Where in a recording the windows of a corpus lie: stretches with music in them, spread over its length.

A recording is divided into as many parts as there are windows to cut; in each part the first stretch counts that is
neither silent nor speech alone. Speech over music is accepted; the sound in the speaker's pauses shows which it is.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from features import spec
from features.speech import CHUNK, SpeechMeter

MUSIC, SILENCE, SPEECH = "music", "silence", "speech"
STEP_S: Final = spec.CLIP_S  # between the stretches that are tried
SILENT_DB: Final = -55.0  # RMS of a clip, of full scale
SILENT_SHARE: Final = 0.25  # of a stretch's clips
SPOKEN: Final = 0.5  # probability of a chunk
SPOKEN_SHARE: Final = 0.3  # of a stretch
BED_DB: Final = -14.0  # level in the pauses against the voice; without music it is -20 or less
SAMPLES: Final = spec.CLIP_S * spec.MUSIC_RATE_HZ


@dataclass(frozen=True, slots=True)
class Cut:
    """``start_s`` into the recording, ``clips`` of 4 s; ``speech``: share of its time with speech."""

    start_s: int
    clips: int
    speech: float


def cuts(samples: npt.NDArray[np.float32], most: int, fewest_clips: int) -> tuple[list[Cut], Counter[str]]:
    """At most ``most`` windows of mono 16 kHz ``samples``, in order, none overlapping; and the number of stretches
    passed over as silence and as speech. A recording of less than 28 s is one window of its whole clips."""
    clips = min(len(samples) // SAMPLES, spec.MAX_CLIPS)
    passed: Counter[str] = Counter()
    if clips < fewest_clips:
        return [], passed
    total_s = len(samples) // spec.MUSIC_RATE_HZ
    length_s = clips * spec.CLIP_S
    parts = min(most, total_s // length_s)
    windows = []
    for part in range(parts):
        first, last = part * total_s // parts, (part + 1) * total_s // parts - length_s
        for start_s in range(first, last + 1, STEP_S):
            begin = start_s * spec.MUSIC_RATE_HZ
            kind, speech = judge(samples[begin : begin + clips * SAMPLES])
            if kind == MUSIC:
                windows.append(Cut(start_s, clips, round(speech, 3)))
                break
            passed[kind] += 1
    return windows, passed


def judge(samples: npt.NDArray[np.float32]) -> tuple[str, float]:
    """The kind of a stretch of whole clips, and the share of it that is speech."""
    levels = decibels(samples.reshape(-1, SAMPLES))
    if (levels < SILENT_DB).mean() > SILENT_SHARE:
        return SILENCE, 0.0
    spoken = SpeechMeter().push(samples) >= SPOKEN
    share = float(spoken.mean())
    if share < SPOKEN_SHARE:
        return MUSIC, share
    return (SPEECH if is_speech_alone(decibels(samples.reshape(-1, CHUNK)), spoken) else MUSIC), share


def is_speech_alone(levels: npt.NDArray[np.float64], spoken: npt.NDArray[np.bool_]) -> bool:
    """Whether it is quiet in the pauses of the voice; true as well for a voice without pauses."""
    pauses = ~spoken
    return not pauses.any() or float(np.median(levels[pauses]) - np.median(levels[spoken])) < BED_DB


def decibels(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """RMS of each row, of full scale 1."""
    return np.asarray(10.0 * np.log10(np.square(rows, dtype=np.float64).mean(axis=1) + 1e-12))
