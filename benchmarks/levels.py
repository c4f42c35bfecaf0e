"""The same music from a louder or softer master: is it the same to the towers, in a catalogue and in a corpus?

Each variant of a track is made by an ``ffmpeg`` program, in floating point, so that nothing is clipped, beside the
track as it is. ``side`` *catalogue*: the embeddings of its segments as `segue index` makes them; *corpus*: those of
windows as the features of a corpus are made for training. Figures are cosines of variant and reference, over all
segments of all tracks: the least and the median.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from catalog.analysis import analyse
from catalog.needs import needs_of
from catalog.records import Floats, Track
from engines.base import Engine
from features.decode.sound import decode
from features.errors import AudioError
from features.loudness import loudness
from features.music import clip_count
from features.spec import MAX_CLIPS, MUSIC_RATE_HZ, WINDOW_S
from towers.corpora.columns import listen

from .errors import BenchError
from .harness import Row

LEVELS_DB: Final = {"-6 dB": -6.0, "-12 dB": -12.0, "-18 dB": -18.0, "+6 dB": 6.0}
TRACK_S: Final = 120.0  # of each track


def level_rows(
    tracks: Sequence[Track],
    names: Sequence[str],
    engine: Engine,
    program: str,
    folder: Path,
    tell: Callable[[str], None],
) -> Iterator[Row]:
    """Rows of the variants ``names`` (of `LEVELS_DB`). Raises BenchError where ffmpeg cannot make one, or nothing is
    heard in it."""
    found: dict[tuple[str, str], list[Floats]] = {}
    for track in tracks if names else ():
        tell(f"{', '.join(names)}: {track.path.name}")
        plain = _embedded(_made(program, track, 0.0, folder), engine, track)
        for name in names:
            other = _embedded(_made(program, track, LEVELS_DB[name], folder), engine, track)
            for side, vectors in other.items():
                found.setdefault((name, side), []).append(_cosines(vectors, plain[side]))
    for (name, side), cosines in found.items():
        every = np.concatenate(cosines)
        labels = {"variant": name, "side": side}
        yield Row("cosine_least", float(every.min()), len(every), "cosine", labels)
        yield Row("cosine_median", float(np.median(every)), len(every), "cosine", labels)


def _made(program: str, track: Track, gain_db: float, folder: Path) -> Floats:
    """A track's samples at another level, by way of a file."""
    path = folder / "level.wav"
    length_s = min(TRACK_S, track.duration_s)
    given = ["-ss", f"{track.begin_s:.6f}", "-t", f"{length_s:.6f}", "-i", str(track.path), "-map", "0:a:0"]
    coded = ["-af", f"volume={gain_db}dB:precision=float", "-c:a", "pcm_f32le", str(path)]
    done = subprocess.run([program, "-v", "error", "-y", "-nostdin", *given, *coded], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{track.path}: ffmpeg cannot read it ({done.stderr.strip()[-300:]}); index the folder again")
    try:
        return decode(path).samples
    except AudioError as error:
        raise BenchError(f"{track.path}, {gain_db:+g} dB: {error}; leave that variant out") from error


def _embedded(samples: Floats, engine: Engine, track: Track) -> dict[str, Floats]:
    """Side -> (k, E), unit norm."""
    try:
        segments = analyse(samples, engine).vectors
    except AudioError as error:
        raise BenchError(f"{track.path}: {error}; index the folder again") from error
    lufs, size = loudness(samples), WINDOW_S * MUSIC_RATE_HZ
    starts = range(0, max(1, len(samples) - size + 1), size)
    windows = [_window(samples[start : start + size], lufs, engine) for start in starts]
    return {"catalogue": segments, "corpus": np.stack(windows)}


def _window(samples: Floats, lufs: float, engine: Engine) -> Floats:
    """(E,): what towers make of a pair's music."""
    columns, needs, count = listen(samples, lufs), needs_of(engine.bundle), clip_count(len(samples))
    clips = engine.run("music_clip", {name: columns[name][:count] for name in needs.clip})["embedding"]
    padded = np.zeros((1, MAX_CLIPS, clips.shape[1]), np.float32)
    padded[0, :count] = clips
    told = {name: columns[name][None] for name in needs.sequence}
    mask = np.arange(MAX_CLIPS)[None] < count
    return np.asarray(engine.run("music_sequence", {"clips": padded, "mask": mask, **told})["embedding"][0], np.float32)


def _cosines(one: Floats, other: Floats) -> Floats:
    """(k,), of rows of unit norm."""
    count = min(len(one), len(other))
    return np.asarray((one[:count] * other[:count]).sum(axis=1), np.float32)
