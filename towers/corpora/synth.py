"""``segue corpus synth``: pairs out of nothing, rendered by ``studio``, measured by ``features``, written as a corpus.

A pair depends on the corpus seed, its split and its number alone, so any number of jobs in any order writes the same
bytes, and a broken run goes on where it stopped. The features come from the functions that serve live streams and
catalogues: ``FrameMeter`` and ``video_clip_features`` for the video, ``clip_features`` and ``track_features`` for the
music. Every feature is kept that any system asks for.
"""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from features import spec
from features.clip import video_clip_features
from features.frame import FrameMeter
from features.music import PER_CLIP, PER_TRACK, clip_features, track_features
from studio import pairs
from studio.music import render as music
from studio.video import render as video

from ..errors import CorpusError
from .corpus import (
    MANIFEST,
    SPLITS,
    THUMBS,
    THUMBS_COLUMN,
    ColumnSpec,
    Pair,
    column_of,
    write_manifest,
    write_shard,
)

PLAN = "plan.json"
SHARD_PAIRS = 25
VIDEO_COLUMNS = ("displacement", "colour", "motion", "pulse", "clip_frames", "key_frames")
COLUMNS: Mapping[str, ColumnSpec] = {
    THUMBS: THUMBS_COLUMN,
    **{name: column_of(name) for name in (*VIDEO_COLUMNS, *PER_CLIP, *PER_TRACK)},
}
EMOTIONS = ("calm", "excited", "gloomy", "angry", "tense")
TENSE = 2 / 3


@dataclass(frozen=True)
class Shard:
    """One unit of work: pairs ``start`` to ``stop`` of a split."""

    folder: Path
    seed: int
    split: str
    start: int
    stop: int


def synthesise(out: Path, counts: Mapping[str, int], seed: int, jobs: int) -> Iterator[tuple[int, int]]:
    """Write the corpus, yielding (pairs done, pairs in all) after each shard.

    Resumes what an earlier call began, and extends a finished corpus of the same seed; either writes only what is
    missing. Raises ``CorpusError`` if ``out`` holds a corpus of another seed, or something else.
    """
    claim(out, seed)
    shards = [
        shard(out, seed, split, start, min(start + SHARD_PAIRS, counts[split]))
        for split in SPLITS
        for start in range(0, counts.get(split, 0), SHARD_PAIRS)
    ]
    total = sum(shard.stop - shard.start for shard in shards)
    todo = [shard for shard in shards if not shard.folder.is_dir()]
    done = total - sum(shard.stop - shard.start for shard in todo)
    yield done, total
    for finished in write_all(todo, jobs):
        done += finished.stop - finished.start
        yield done, total
    names = {split: [shard.folder.name for shard in shards if shard.split == split] for split in SPLITS}
    write_manifest(out, f"studio-{total}-s{seed}", names, COLUMNS, EMOTIONS, {"seed": seed})


def shard(out: Path, seed: int, split: str, start: int, stop: int) -> Shard:
    """The name holds the range: a corpus that grows past a short last shard leaves that one out."""
    return Shard(out / f"{split}-{start:06d}-{stop:06d}", seed, split, start, stop)


def claim(out: Path, seed: int) -> None:
    """Note in the folder what is being made; refuse a folder that another corpus, or anything else, is in."""
    plan = {"seed": seed, "shard_pairs": SHARD_PAIRS}
    path = out / PLAN
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != plan:
            raise CorpusError(f"{out} holds a corpus made as {found}, not {plan}; give another folder")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out} exists and is no corpus of ours; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plan, sort_keys=True) + "\n", encoding="utf-8")
    (out / MANIFEST).unlink(missing_ok=True)


def write_all(shards: list[Shard], jobs: int) -> Iterator[Shard]:
    if jobs == 1 or len(shards) < 2:
        for shard in shards:
            yield make_shard(shard)
        return
    # Spawned, so that no worker inherits a thread pool; the variables hold numeric libraries to a thread each.
    with single_threaded(), ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=quiet) as pool:
        futures = [pool.submit(make_shard, shard) for shard in shards]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


class single_threaded:  # noqa: N801 - reads as a statement
    """Environment for child processes only; restored on leaving."""

    NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.NAMES}
        os.environ.update(dict.fromkeys(self.NAMES, "1"))

    def __exit__(self, *_: object) -> None:
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def quiet() -> None:
    """In a worker: one thread of its own."""
    cv2.setNumThreads(1)


def make_shard(shard: Shard) -> Shard:
    with threadpool_limits(1):  # a matrix product cut among threads sums in another order: other last bits
        made = [make_pair(shard.seed, shard.split, number) for number in range(shard.start, shard.stop)]
    arrays = {name: np.stack([features[name] for _, features in made]) for name in made[0][1]}
    write_shard(shard.folder, [pair for pair, _ in made], arrays, COLUMNS)
    return shard


def make_pair(seed: int, split: str, number: int) -> tuple[Pair, dict[str, npt.NDArray[Any]]]:
    """One pair and its rows of the corpus arrays."""
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    latent = pairs.draw_latent(rng)
    asked = pairs.music_recipe(latent, rng)
    heard = music.render(asked, spec.WINDOW_S, rate_hz=spec.MUSIC_RATE_HZ)
    beats_s = music.beat_times(asked, spec.WINDOW_S)
    seen = video.render(pairs.video_recipe(latent, rng, beats_s), spec.WINDOW_S, fps=spec.MOTION_FPS)
    words = pairs.tags(latent, rng)
    energy, valence, tension = map(float, pairs.mood(latent))
    name = f"{split}-{number:06d}"
    pair = Pair(
        id=name,
        tags=tuple(words),
        mood=(energy, valence, tension),
        emotion=emotion(energy, valence, tension),
        polarity=2.0 * valence - 1.0,
        music=name,
        start_s=0.0,
        latent=plain(asdict(latent)),
    )
    return pair, {**watch(seen), **listen(heard)}


def emotion(energy: float, valence: float, tension: float) -> str:
    """The class of a mood: its quadrant of energy and valence (Russell 1980), or ``tense`` whatever the quadrant."""
    if tension > TENSE:
        return "tense"
    if valence >= 0.5:
        return "excited" if energy >= 0.5 else "calm"
    return "angry" if energy >= 0.5 else "gloomy"


def watch(pictures: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
    """Pictures (224, 90, 160, 3) at the motion rate -> the video columns of one pair."""
    meter = FrameMeter(small=True)
    frames = [meter.push(picture, index / spec.MOTION_FPS) for index, picture in enumerate(pictures)]
    clips = [
        video_clip_features(frames[start : start + spec.MOTION_PER_CLIP], VIDEO_COLUMNS)
        for start in range(0, len(frames), spec.MOTION_PER_CLIP)
    ]
    thumbs = np.stack([frame.thumb for frame in frames[:: spec.MOTION_PER_APPEARANCE]])
    return {THUMBS: thumbs, **{name: np.stack([clip[name] for clip in clips]) for name in VIDEO_COLUMNS}}


def listen(samples: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    """Stereo samples (n, 2) at 16 kHz -> the music columns of one pair."""
    mono = samples.mean(axis=1, dtype=np.float32)
    clips = list(clip_features(mono, PER_CLIP))
    whole = track_features(mono, PER_TRACK).arrays
    return {**{name: np.stack([clip[name] for clip in clips]) for name in PER_CLIP}, **whole}


def plain(value: Any) -> Any:
    """A latent as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
