"""``segue corpus synth``: synthetic pairs, rendered by ``studio``, measured by ``features``, written as a corpus.

A pair depends only on the corpus seed, its split and its number, so any number of jobs in any order writes the same
bytes, and a broken run continues where it stopped.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from features import spec
from studio import pairs
from studio.takes import NAME, take

from ..errors import CorpusError
from .columns import COLUMNS, listen, watch
from .corpus import MANIFEST, SPLITS, Pair, write_manifest, write_shard
from .pool import Crashed, side_by_side

PLAN = "plan.json"
SHARD_PAIRS = 25
EMOTIONS = ("calm", "excited", "gloomy", "angry", "tense")
TENSE = 2 / 3
PairArrays = tuple[Pair, dict[str, npt.NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Shard:
    """Pairs ``start`` to ``stop`` (not included) of a split, which are written together."""

    folder: Path
    split: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class PairJob:
    """One unit of work: a pair of a shard."""

    shard: Shard
    seed: int
    number: int


def synthesise(
    out: Path, counts: Mapping[str, int], seed: int, jobs: int, anew: bool = False
) -> Iterator[tuple[int, int]]:
    """Write the corpus, yielding (pairs done, pairs in all) at first and after each pair.

    Resumes an earlier call, and extends a finished corpus of the same seed and studio; both write only the missing
    shards. ``anew``: another corpus of ours in ``out`` is deleted first, except for shards that this one shares.
    Otherwise raises ``CorpusError`` if ``out`` holds a corpus of another seed or studio, or pairs that this one lacks;
    and always if it holds something else.
    """
    shards = [
        shard(out, split, start, min(start + SHARD_PAIRS, counts[split]))
        for split in SPLITS
        for start in range(0, counts.get(split, 0), SHARD_PAIRS)
    ]
    claim(out, seed, counts, anew)
    remove_other_shards(out, {shard.folder.name for shard in shards})
    total = sum(shard.stop - shard.start for shard in shards)
    todo = [shard for shard in shards if not shard.folder.is_dir()]
    done = total - sum(shard.stop - shard.start for shard in todo)
    yield done, total
    for _ in write_all(todo, seed, jobs):
        done += 1
        yield done, total
    names = {split: [shard.folder.name for shard in shards if shard.split == split] for split in SPLITS}
    write_manifest(out, f"{NAME}-{total}-s{seed}", names, COLUMNS, EMOTIONS, {"seed": seed, "studio": NAME})


def shard(out: Path, split: str, start: int, stop: int) -> Shard:
    """The name holds the range: a corpus that grows past a short last shard replaces it."""
    return Shard(out / f"{split}-{start:06d}-{stop:06d}", split, start, stop)


def claim(out: Path, seed: int, counts: Mapping[str, int], anew: bool) -> None:
    """Write the plan into the folder; ``CorpusError`` for a folder that holds another corpus, or anything else."""
    plan = {"seed": seed, "shard_pairs": SHARD_PAIRS, "studio": NAME}
    path = out / PLAN
    if not path.is_file() and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out} exists and is no corpus of ours; give another folder")
    if path.is_file() and not anew:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        if earlier != plan:
            raise CorpusError(
                f"{out} holds a corpus made as {earlier}, not {plan}; give another folder, or --replace it"
            )
        check_larger(out, counts)
    elif path.is_file() and json.loads(path.read_text(encoding="utf-8")) != plan:
        remove_other_shards(out, set())
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plan, sort_keys=True) + "\n", encoding="utf-8")
    (out / MANIFEST).unlink(missing_ok=True)


def check_larger(out: Path, counts: Mapping[str, int]) -> None:
    """``CorpusError`` instead of making a corpus smaller: runs trained on it would no longer fit."""
    existing = dict.fromkeys(SPLITS, 0)
    for folder in out.glob("[a-z]*-*-*"):
        split, _, stop = folder.name.split("-")
        existing[split] = max(existing.get(split, 0), int(stop))
    if any(counts.get(split, 0) < count for split, count in existing.items()):
        existing_text, requested_text = (
            ", ".join(f"{numbers.get(name, 0)} {name}" for name in SPLITS) for numbers in (existing, counts)
        )
        raise CorpusError(
            f"{out} holds pairs up to {existing_text}, and {requested_text} are asked for; ask for as many, give "
            "another folder, or --replace it"
        )


def remove_other_shards(out: Path, names: set[str]) -> None:
    """Delete shards that are not of this corpus."""
    for folder in out.iterdir():
        if folder.is_dir() and folder.name.partition("-")[0] in SPLITS and folder.name not in names:
            shutil.rmtree(folder)


def write_all(shards: list[Shard], seed: int, jobs: int) -> Iterator[PairJob]:
    """Make every pair of the shards, write each shard with its last pair, and yield each pair's job."""
    numbers = [PairJob(shard, seed, number) for shard in shards for number in range(shard.start, shard.stop)]
    finished: dict[Shard, dict[int, PairArrays]] = {}
    for item, done in side_by_side(make, numbers, jobs if len(numbers) > 1 else 1):
        shard = item.shard
        if isinstance(done, Crashed):
            raise CorpusError(f"{shard.folder.name}: making it {done.reason}; give fewer --jobs")
        rows = finished.setdefault(shard, {})
        rows[item.number] = done
        if len(rows) == shard.stop - shard.start:
            write(shard, [rows[number] for number in range(shard.start, shard.stop)])
            del finished[shard]
        yield item


def write(shard: Shard, rows: list[PairArrays]) -> None:
    arrays = {name: np.stack([features[name] for _, features in rows]) for name in rows[0][1]}
    write_shard(shard.folder, [pair for pair, _ in rows], arrays, COLUMNS)


def make(item: PairJob) -> PairArrays:
    with threadpool_limits(1):  # a matrix product on several threads sums in another order and changes the last bits
        return make_pair(item.seed, item.shard.split, item.number)


def make_pair(seed: int, split: str, number: int) -> PairArrays:
    """One pair and its rows of the corpus arrays."""
    example = take(np.random.default_rng([seed, SPLITS.index(split), number]))
    latent = example.latent
    samples, pictures = example.sound(spec.MUSIC_RATE_HZ), example.pictures(spec.MOTION_FPS)
    energy, valence, tension = map(float, pairs.mood(latent))
    name = f"{split}-{number:06d}"
    pair = Pair(
        id=name,
        tags=example.tags,
        mood=(energy, valence, tension),
        emotion=emotion(energy, valence, tension),
        polarity=2.0 * valence - 1.0,
        music=name,
        start_s=0.0,
        latent=plain(asdict(latent)),
    )
    return pair, {**watch(dict(enumerate(pictures))), **listen(samples.mean(axis=1, dtype=np.float32))}


def emotion(energy: float, valence: float, tension: float) -> str:
    """The class of a mood: its quadrant of energy and valence (Russell 1980), or ``tense`` whatever the quadrant."""
    if tension > TENSE:
        return "tense"
    if valence >= 0.5:
        return "excited" if energy >= 0.5 else "calm"
    return "angry" if energy >= 0.5 else "gloomy"


def plain(value: Any) -> Any:
    """A latent as JSON values."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
