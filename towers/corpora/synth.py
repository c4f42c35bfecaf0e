"""``segue corpus synth``: pairs out of nothing, rendered by ``studio``, measured by ``features``, written as a corpus.

A pair depends on the corpus seed, its split and its number alone, so any number of jobs in any order writes the same
bytes, and a broken run goes on where it stopped.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from features import spec
from studio import pairs
from studio.music import render as music
from studio.video import render as video

from ..errors import CorpusError
from .columns import COLUMNS, listen, watch
from .corpus import MANIFEST, SPLITS, Pair, write_manifest, write_shard
from .pool import Crashed, side_by_side

PLAN = "plan.json"
SHARD_PAIRS = 25
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
    for shard, done in side_by_side(make_shard, shards, jobs if len(shards) > 1 else 1):
        if isinstance(done, Crashed):
            raise CorpusError(f"{shard.folder.name}: making it {done.reason}; give fewer --jobs")
        yield shard


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
    return pair, {**watch(dict(enumerate(seen))), **listen(heard.mean(axis=1, dtype=np.float32))}


def emotion(energy: float, valence: float, tension: float) -> str:
    """The class of a mood: its quadrant of energy and valence (Russell 1980), or ``tense`` whatever the quadrant."""
    if tension > TENSE:
        return "tense"
    if valence >= 0.5:
        return "excited" if energy >= 0.5 else "calm"
    return "angry" if energy >= 0.5 else "gloomy"


def plain(value: Any) -> Any:
    """A latent as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
