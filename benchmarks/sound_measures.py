"""How a suggestion sounds from its start: loudness, onsets, brightness, tempo and the moods of its tags.

*Loudness* is the file's (LUFS, from the catalogue's outline), before any gain that levels tracks. *Onset rate*:
librosa's onset detector on the spectral flux of the mono sound at 16 kHz. *Centroid*: of the magnitude spectrum, in Hz,
each frame weighted by its size. All over ``EXCERPT_S`` from the start. Onsets and centroids are measured once a track,
by the second, and cached in a folder.
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.catalog import Catalog
from catalog.records import Track
from features.decode.sound import decode
from features.spec import BEAT_FFT, BEAT_HOP, MUSIC_RATE_HZ, WINDOW_S

Floats = NDArray[np.float32]

EXCERPT_S: Final = float(WINDOW_S)
SILENT_LUFS: Final = -70.0
# Words that tags use for the two ends of each axis.
TAG_WORDS: Final = {
    "energy": (
        "energetic powerful driving fast aggressive intense epic upbeat dance party action",
        "calm relaxing soft slow quiet gentle ambient peaceful meditative sleep mellow",
    ),
    "valence": (
        "happy cheerful joyful bright uplifting fun funny playful positive hopeful romantic upbeat",
        "sad dark melancholic melancholy gloomy depressing angry scary tragic mournful sorrow",
    ),
    "tension": (
        "tense suspense suspenseful dramatic scary horror ominous nervous aggressive action dark",
        "calm relaxing peaceful soft gentle happy mellow meditative easygoing",
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """By the second, (n,) each: how many onsets; the sum of magnitudes, and that of magnitudes times frequencies."""

    onsets: Floats
    size: Floats
    weighted: Floats


class SoundMeter:
    """``measures(track, start_s)``; state: the courses of tracks measured so far, also in ``folder``."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder
        self._courses: dict[str, Course] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def measures(self, track: str, start_s: float) -> dict[str, float]:
        """Name -> figure; as far as the track has them (no tempo without a pulse, no moods without tags)."""
        record = self._catalog.track(track)
        course = self._course(record)
        begin = int(start_s)
        place = slice(begin, begin + round(EXCERPT_S))
        seconds = max(1, len(course.onsets[place]))
        figures = {"onsets_per_s": float(course.onsets[place].sum()) / seconds}
        size = float(course.size[place].sum())
        if size > 0:
            figures["centroid_hz"] = float(course.weighted[place].sum()) / size
        outline = self._catalog.outline(track)
        if outline is not None and len(outline.loudness[place]):
            loud = np.maximum(outline.loudness[place].astype(np.float64), SILENT_LUFS)
            figures["loudness_lufs"] = float(10.0 * np.log10(np.mean(10.0 ** (loud / 10.0))))
        if record.tempo_bpm > 0:
            figures["tempo_bpm"] = record.tempo_bpm
        return figures | {f"tagged_{axis}": value for axis, value in tag_moods(record.tags).items()}

    def _course(self, track: Track) -> Course:
        if track.id not in self._courses:
            path = self._folder / f"{track.id}.npz"
            course = _read_course(path)
            if course is None:
                course = course_of(_samples(track))
                partial = path.with_suffix(".part.npz")
                np.savez(partial, onsets=course.onsets, size=course.size, weighted=course.weighted)
                partial.replace(path)
            self._courses[track.id] = course
        return self._courses[track.id]


def _read_course(path: Path) -> Course | None:
    """The cached course; None if there is no whole one."""
    try:
        with np.load(path) as arrays:
            return Course(arrays["onsets"], arrays["size"], arrays["weighted"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def course_of(samples: Floats) -> Course:
    """Of mono 16 kHz samples (n,)."""
    from librosa import power_to_db, stft
    from librosa.feature import melspectrogram
    from librosa.onset import onset_detect, onset_strength

    size = np.abs(stft(samples, n_fft=BEAT_FFT, hop_length=BEAT_HOP))
    frequencies = np.linspace(0.0, MUSIC_RATE_HZ / 2, len(size))
    envelope = onset_strength(S=power_to_db(melspectrogram(S=size**2, sr=MUSIC_RATE_HZ)), sr=MUSIC_RATE_HZ)
    onsets = onset_detect(onset_envelope=envelope, sr=MUSIC_RATE_HZ, hop_length=BEAT_HOP, units="time")
    seconds = max(1, int(np.ceil(len(samples) / MUSIC_RATE_HZ)))
    frames = np.minimum(np.arange(size.shape[1]) * BEAT_HOP // MUSIC_RATE_HZ, seconds - 1)
    return Course(
        np.bincount(np.minimum(onsets.astype(np.int64), seconds - 1), minlength=seconds).astype(np.float32),
        np.bincount(frames, size.sum(axis=0), seconds).astype(np.float32),
        np.bincount(frames, frequencies @ size, seconds).astype(np.float32),
    )


def tag_moods(tags: Iterable[str]) -> dict[str, float]:
    """Axis -> [-1, 1], the mean over the words of ``tags`` for one of its ends; an axis without any is left out."""
    words = {word for tag in tags for word in tag.casefold().replace("-", " ").replace("/", " ").split()}
    moods = {}
    for axis, (high, low) in TAG_WORDS.items():
        up, down = len(words & set(high.split())), len(words & set(low.split()))
        if up + down:
            moods[axis] = (up - down) / (up + down)
    return moods


def _samples(track: Track) -> Floats:
    samples = decode(Path(track.path)).samples
    end = None if track.end_s is None else round(track.end_s * MUSIC_RATE_HZ)
    return samples[round(track.begin_s * MUSIC_RATE_HZ) : end]
