"""The same music from another master: do the towers embed it the same, in a catalogue and in a corpus?

Louder, softer, equalised, in mono, coded, or a little faster or slower, like a tape. An ``ffmpeg`` program makes
each variant of a track in floating point, so that nothing is clipped, and the plain track too. ``side``
*catalogue*: the embeddings of its segments as `segue index` makes them; *corpus*: those of windows as the features of
a corpus are made for training. Figures are cosines of variant and reference, over all segments of all tracks: the
least and the median. Segments are compared by their number, so at another speed they begin up to 2.4 s apart at the
end of two minutes.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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

FLOAT: Final = ("-c:a", "pcm_f32le")


@dataclass(frozen=True)
class Master:
    """FFmpeg's filters, and the coding of their output."""

    filters: str
    coding: tuple[str, ...] = FLOAT
    suffix: str = ".wav"


def _louder(gain_db: float) -> Master:
    return Master(f"volume={gain_db}dB:precision=float")


def _faster(ratio: float) -> Master:
    return Master(f"aresample=48000,asetrate={48_000 * ratio:.0f},aresample=48000")


PLAIN: Final = _louder(0.0)
MASTERS: Final = {
    "-6 dB": _louder(-6.0),
    "-12 dB": _louder(-12.0),
    "-18 dB": _louder(-18.0),
    "+6 dB": _louder(6.0),
    "bright master": Master("treble=g=6:f=3000,bass=g=-3:f=150"),
    "dark master": Master("treble=g=-6:f=3000,bass=g=3:f=150"),
    "mono": Master("aformat=channel_layouts=mono"),
    "MP3, 96 kbit/s": Master("anull", ("-c:a", "libmp3lame", "-b:a", "96k"), ".mp3"),
    "2% faster": _faster(1.02),
    "2% slower": _faster(0.98),
}
TRACK_S: Final = 120.0  # of each track


def master_rows(
    tracks: Sequence[Track],
    names: Sequence[str],
    engine: Engine,
    program: str,
    folder: Path,
    say: Callable[[str], None],
) -> Iterator[Row]:
    """Rows of the variants ``names`` (of `MASTERS`). Raises BenchError if ffmpeg cannot make one, or if its
    sound cannot be used."""
    cosines_of: dict[tuple[str, str], list[Floats]] = {}
    for track in tracks if names else ():
        say(f"{', '.join(names)}: {track.path.name}")
        plain = _embed(_render(program, track, PLAIN, folder), engine, track)
        for name in names:
            variant = _embed(_render(program, track, MASTERS[name], folder), engine, track)
            for side, vectors in variant.items():
                cosines_of.setdefault((name, side), []).append(_cosines(vectors, plain[side]))
    for (name, side), cosines in cosines_of.items():
        values = np.concatenate(cosines)
        labels = {"variant": name, "side": side}
        yield Row("cosine_least", float(values.min()), len(values), "cosine", labels)
        yield Row("cosine_median", float(np.median(values)), len(values), "cosine", labels)


def _render(program: str, track: Track, master: Master, folder: Path) -> Floats:
    """A track's samples from another master, made as a file."""
    path = folder / f"master{master.suffix}"
    length_s = min(TRACK_S, track.duration_s)
    input_words = ["-ss", f"{track.begin_s:.6f}", "-t", f"{length_s:.6f}", "-i", str(track.path), "-map", "0:a:0"]
    output_words = ["-map_metadata", "-1", "-af", master.filters, *master.coding, str(path)]
    process = subprocess.run(
        [program, "-v", "error", "-y", "-nostdin", *input_words, *output_words], capture_output=True, text=True
    )
    if process.returncode:
        raise BenchError(
            f"{track.path}: ffmpeg cannot read it ({process.stderr.strip()[-300:]}); index the folder again"
        )
    try:
        return decode(path).samples
    except AudioError as error:
        raise BenchError(f"{track.path}, {master.filters}: {error}; leave that variant out") from error


def _embed(samples: Floats, engine: Engine, track: Track) -> dict[str, Floats]:
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
    """(E,): the embedding of a pair's music."""
    measured, needs, count = listen(samples, lufs), needs_of(engine.bundle), clip_count(len(samples))
    clips = engine.run("music_clip", {name: measured[name][:count] for name in needs.clip})["embedding"]
    padded = np.zeros((1, MAX_CLIPS, clips.shape[1]), np.float32)
    padded[0, :count] = clips
    features = {name: measured[name][None] for name in needs.sequence}
    mask = np.arange(MAX_CLIPS)[None] < count
    return np.asarray(
        engine.run("music_sequence", {"clips": padded, "mask": mask, **features})["embedding"][0], np.float32
    )


def _cosines(variant: Floats, reference: Floats) -> Floats:
    """(k,), of rows of unit norm."""
    count = min(len(variant), len(reference))
    return np.asarray((variant[:count] * reference[:count]).sum(axis=1), np.float32)
