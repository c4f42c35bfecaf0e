"""One source -> its part of a corpus, stored in a file until all sources are measured.

The file's name is a hash of the source, the size and time of its files and the columns, so a changed video is measured
again and an unchanged one is not. For a source that cannot be used, the file holds the reason.
"""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from features import spec
from features.decode.sound import decode
from features.decode.video import VideoFile
from features.errors import AudioError, FeatureError
from features.loudness import loudness

from ..errors import CorpusError
from .columns import COLUMNS, listen, watch
from .corpus import THUMBS
from .cut import Cut, cuts
from .fingerprint import Fingerprint, fingerprint
from .source import Source

STILL: Final = "still picture"
DAMAGED: Final = "damaged picture"
STILL_LEVELS: Final = 2.0  # grey levels, deviation over a window; coding alone stays below
STILL_PERCENT: Final = 99.5  # of a thumbnail's pixels that vary less
FINGERPRINT_S: Final = 600  # of a recording


@dataclass(frozen=True, slots=True)
class SourceJob:
    """A source, the folder of its file, and how it is cut: at most ``windows`` of at least ``clips`` clips each."""

    source: Source
    folder: Path
    windows: int
    clips: int

    @property
    def path(self) -> Path:
        """Named after everything that the arrays depend on. Raises ``OSError`` for a file that no longer exists."""
        stamps = [[path.stat().st_size, path.stat().st_mtime_ns] for path in self.source.files]
        columns = {name: [list(column.shape), column.dtype] for name, column in COLUMNS.items()}
        features = {name: dict(spec.FEATURES[name]) for name in COLUMNS if name in spec.FEATURES}
        # Labels and splits are not measured: they may change without the source being measured again.
        stretch = replace(self.source, music_id="", split=None, tags=(), mood=None, emotion=None, polarity=None)
        whole = [asdict(stretch), stamps, self.windows, self.clips, columns, features]
        return self.folder / f"{hashlib.sha256(json.dumps(whole, default=str).encode()).hexdigest()[:24]}.npz"


@dataclass(frozen=True, slots=True)
class MeasuredSource:
    """The result for a source. ``reason``: why nothing of it is used, or empty. ``note``: which part of it was lost.

    ``cuts``: its windows, ``music_s`` where each begins in its music; ``passed``: stretches passed over, by reason.
    """

    reason: str = ""
    note: str = ""
    duration_s: float = 0.0
    cuts: tuple[Cut, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)


def measure(job: SourceJob) -> MeasuredSource:
    """Measure a source unless that is done already. Never raises for a source: one bad file must not end a corpus."""
    try:
        path = job.path
    except OSError as error:
        return MeasuredSource(f"cannot be read: {error.strerror or error}")
    if path.is_file():
        return read_result(path)
    try:
        with threadpool_limits(1):  # as in synth: sums in another order change the last bits
            result, columns, prints = measure_source(job)
    except (FeatureError, CorpusError) as error:
        result, columns, prints = MeasuredSource(str(error)), {}, fingerprint(np.empty(0, np.float32))
    except MemoryError:
        return MeasuredSource("needs more memory than there is; cut it into shorter files")
    except Exception as error:  # noqa: BLE001 - the report has it with its type, so it is not lost
        return MeasuredSource(f"failed unexpectedly: {type(error).__name__}: {error}")
    write(path, result, columns, prints)
    return result


def measure_source(job: SourceJob) -> tuple[MeasuredSource, dict[str, npt.NDArray[Any]], Fingerprint]:
    """The result, columns with one row a window, and the fingerprint of the source's whole music."""
    source = job.source
    with VideoFile(source.video) as video:
        sound = decode(source.music or source.video)
        # The video file itself has the start of its own sound.
        shift_s, lead = (video.sound_s, sound.lead) if source.music is None else (0.0, 0)
        begin_s, stretch = stretch_of(source, sound.samples[lead:], shift_s, video.duration_s)
        windows, passed = cuts(stretch, job.windows, job.clips)
        lufs = loudness(sound.samples)
        used: list[Cut] = []
        rows: list[dict[str, npt.NDArray[Any]]] = []
        for cut in windows:
            samples = stretch[cut.start_s * spec.MUSIC_RATE_HZ :][: cut.clips * spec.CLIP_S * spec.MUSIC_RATE_HZ]
            try:
                video_columns = watch(video.slots(begin_s + cut.start_s, cut.clips * spec.CLIP_S), cut.clips)
            except CorpusError:
                passed[DAMAGED] += 1
                continue
            if still(video_columns[THUMBS][: cut.clips * spec.THUMBS_PER_CLIP]):
                passed[STILL] += 1
                continue
            used.append(cut)
            rows.append({**video_columns, **listen(samples, lufs)})
    reason = "" if used else refusal(passed, len(stretch), job)
    duration_s = len(stretch) / spec.MUSIC_RATE_HZ
    result = MeasuredSource(reason, sound.note, duration_s, tuple(used), dict(passed))
    return result, stack_rows(rows), fingerprint(sound.samples[: FINGERPRINT_S * spec.MUSIC_RATE_HZ])


def still(thumbs: npt.NDArray[np.uint8]) -> bool:
    """Whether thumbnails (n, 64, 64) show one and the same picture."""
    return float(np.percentile(thumbs.std(axis=0), STILL_PERCENT)) < STILL_LEVELS


def stack_rows(rows: Sequence[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """The columns of all windows; no columns for no windows."""
    names = COLUMNS if rows else ()
    return {name: np.stack([row[name] for row in rows]).astype(COLUMNS[name].dtype) for name in names}


def stretch_of(
    source: Source, samples: npt.NDArray[np.float32], shift_s: float, video_s: float | None
) -> tuple[float, npt.NDArray[np.float32]]:
    """The start of the stretch in the video, and its samples: the time that both video and music have, at most that of
    the list. ``shift_s``: how much later than the picture a video's own sound begins."""
    if source.music is None:
        begin_s = max(source.video_from_s, shift_s)
        first = round((begin_s - shift_s) * spec.MUSIC_RATE_HZ)
    else:
        begin_s, first = source.video_from_s, round(source.music_from_s * spec.MUSIC_RATE_HZ)
        if source.music_to_s is not None:
            samples = samples[: round(source.music_to_s * spec.MUSIC_RATE_HZ)]
    ends = [end for end in (source.video_to_s, video_s) if end is not None]
    seconds = min(ends) - begin_s if ends else len(samples) / spec.MUSIC_RATE_HZ
    stretch = samples[first : first + max(0, round(seconds * spec.MUSIC_RATE_HZ))]
    if not len(stretch):
        raise AudioError(f"has no stretch from {begin_s:g} s in both its video and its music; check the list's times")
    return begin_s, stretch


def refusal(passed: Counter[str], samples: int, job: SourceJob) -> str:
    if not passed:
        return f"is {samples / spec.MUSIC_RATE_HZ:.1f} s long, at least {job.clips * spec.CLIP_S} s are needed"
    return f"has no window with music and moving pictures: {counts_text(passed)}"


def counts_text(passed: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in sorted(passed.items()))


def write(path: Path, result: MeasuredSource, columns: Mapping[str, npt.NDArray[Any]], prints: Fingerprint) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pending = path.with_suffix(".part")
    words = np.frombuffer(json.dumps(asdict(result)).encode(), np.uint8)
    with pending.open("wb") as file:
        arrays: dict[str, Any] = {"told": words, "hashes": prints.hashes, "frames": prints.frames, **columns}
        np.savez(file, **arrays)
    pending.replace(path)


def read_result(path: Path) -> MeasuredSource:
    """Raises ``CorpusError`` for a damaged file."""
    row = json.loads(read_arrays(path, "told")["told"].tobytes())
    return MeasuredSource(**{**row, "cuts": tuple(Cut(**cut) for cut in row["cuts"])})


def read_fingerprint(path: Path) -> Fingerprint:
    arrays = read_arrays(path, "hashes", "frames")
    return Fingerprint(arrays["hashes"], arrays["frames"])


def read_arrays(path: Path, *names: str) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorpusError(f"{path} is damaged ({error}); delete it and build again") from error
