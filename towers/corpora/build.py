"""``segue corpus build``: real videos with music -> a corpus.

    CORPUS/cache/<hash>.npz     one source, measured once: see ``measured``
    CORPUS/sources.csv          the outcome of every source, and why
    CORPUS/report.md            the same, as counts

First all sources are measured in parallel, each into a file of its own: a broken run continues with the missing ones,
and a longer list measures only the new ones. Then recordings with the same music are grouped, splits are drawn by
music, and shards are written. The cache may be deleted afterwards: only an extended build uses it again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import CorpusError
from .build_report import BuildOptions, SourceOutcome, write_report
from .columns import COLUMNS
from .corpus import MANIFEST, SPLITS, Pair, write_manifest, write_shard
from .fingerprint import group_recordings, music_mark
from .measured import MeasuredSource, SourceJob, measure, read_arrays, read_fingerprint
from .pool import Crashed, side_by_side
from .source import Source
from .splits import SplitSource, divide

PLAN: Final = "build.json"
CACHE: Final = "cache"
SHARD_PAIRS: Final = 25


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` sources are measured; ``outcome``: of the last source, None before the first and at the
    end."""

    done: int
    total: int
    outcome: SourceOutcome | None = None


def build(out: Path, sources: Sequence[Source], options: BuildOptions) -> Iterator[Progress]:
    """Write the corpus of ``sources``, whose ids differ, yielding after each measured source.

    Raises ``CorpusError`` for a folder that holds something else, and where too few sources can be used.
    """
    earlier = claim(out, options)
    jobs = {s.id: SourceJob(s, out / CACHE, options.windows, options.clips) for s in sources}
    results: dict[str, MeasuredSource] = {}
    yield Progress(0, len(jobs))
    for job, result in side_by_side(measure, jobs.values(), min(options.jobs, max(1, len(jobs)))):
        results[job.source.id] = MeasuredSource(result.reason) if isinstance(result, Crashed) else result
        yield Progress(len(results), len(jobs), SourceOutcome.of(job.source.id, results[job.source.id]))
    usable = [jobs[name] for name in sorted(results) if not results[name].reason]
    numbered = number_musics(usable, earlier)
    outcomes = {name: SourceOutcome.of(name, result) for name, result in results.items()}
    try:
        splits, left_out = divide(numbered, options.val, options.test)
        write_plan(out, options, {**earlier, **splits})
        outcomes |= {name: outcomes[name].left_out(reason) for name, reason in left_out.items()}
        music = {source.id: f"music-{source.music:06d}" for source in numbered}
        pairs = {split: list(pairs_of(split, splits, jobs, results, music)) for split in SPLITS}
        outcomes = {name: outcome.used_in(splits.get(name), options) for name, outcome in outcomes.items()}
    finally:
        write_report(out, [outcomes[name] for name in sorted(outcomes)])
    shards = {
        split: [write_pairs(out, split, at, chunk, jobs) for at, chunk in chunks(pairs[split])] for split in SPLITS
    }
    emotions = sorted({pair.emotion for part in pairs.values() for pair, _ in part if pair.emotion is not None})
    total = sum(map(len, pairs.values()))
    digest = hashlib.sha256(json.dumps(shards, sort_keys=True).encode()).hexdigest()[:8]
    write_manifest(out, f"built-{total}-{digest}", shards, COLUMNS, emotions, {"options": options.settings})
    remove_old_shards(out, {name for names in shards.values() for name in names})
    yield Progress(len(jobs), len(jobs))


def claim(out: Path, options: BuildOptions) -> dict[str, str]:
    """Write the plan into the folder; ``CorpusError`` for a folder that holds anything else. Returns the split of every
    source that earlier builds put into one."""
    path = out / PLAN
    if not path.is_file() and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out} exists and was not begun by `segue corpus build`; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    try:
        earlier = dict(json.loads(path.read_text(encoding="utf-8")).get("splits", {})) if path.is_file() else {}
    except (ValueError, AttributeError, TypeError) as error:
        raise CorpusError(f"{path} is damaged ({error}); delete it to draw the splits anew") from error
    write_plan(out, options, earlier)
    (out / MANIFEST).unlink(missing_ok=True)
    return earlier


def write_plan(out: Path, options: BuildOptions, splits: dict[str, str]) -> None:
    """Store the settings of the corpus and every drawn split, so that a pair keeps its split when sources are added."""
    pending = out / f".{PLAN}.part"
    pending.write_text(json.dumps({**options.settings, "splits": splits}, sort_keys=True) + "\n", encoding="utf-8")
    pending.replace(out / PLAN)


def number_musics(usable: Sequence[SourceJob], earlier: dict[str, str]) -> list[SplitSource]:
    """Number the musics: equal where lists give one ``music_id``, and where the recordings sound alike."""
    prints = [read_fingerprint(job.path) for job in usable]
    numbers = group_recordings(prints)
    parent = {int(number): int(number) for number in numbers}

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    first: dict[str, int] = {}
    for job, number in zip(usable, numbers, strict=True):
        if job.source.music_id:
            low, high = sorted((root(first.setdefault(job.source.music_id, int(number))), root(int(number))))
            parent[high] = low
    return [
        SplitSource(job.source.id, root(int(number)), job.source.split, music_mark(its), earlier.get(job.source.id))
        for job, number, its in zip(usable, numbers, prints, strict=True)
    ]


def pairs_of(
    split: str,
    splits: dict[str, str],
    jobs: dict[str, SourceJob],
    results: dict[str, MeasuredSource],
    music: dict[str, str],
) -> Iterator[tuple[Pair, int]]:
    """The pairs of a split, each with its row in its source's arrays; outside training one window a source."""
    for name in sorted(name for name, chosen in splits.items() if chosen == split):
        source = jobs[name].source
        for row, cut in enumerate(results[name].cuts[: None if split == "train" else 1]):
            yield (
                Pair(
                    id=f"{name}#{row}",
                    tags=source.tags,
                    mood=source.mood,
                    emotion=source.emotion,
                    polarity=source.polarity,
                    music=music[name],
                    start_s=None if source.music is None else source.music_from_s + cut.start_s,
                    match=source.match,
                    clips=cut.clips,
                    latent={"file": str(source.video), "start_s": cut.start_s, "speech": cut.speech},
                ),
                row,
            )


def chunks(pairs: list[tuple[Pair, int]]) -> Iterable[tuple[int, list[tuple[Pair, int]]]]:
    return ((at, pairs[at : at + SHARD_PAIRS]) for at in range(0, len(pairs), SHARD_PAIRS))


def write_pairs(out: Path, split: str, at: int, chunk: list[tuple[Pair, int]], jobs: dict[str, SourceJob]) -> str:
    """Write a shard unless it exists; its name holds a hash of all its content."""
    content = [[asdict(pair), jobs[pair.id.rpartition("#")[0]].path.name] for pair, _ in chunk]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    folder = out / f"{split}-{at:06d}-{at + len(chunk):06d}-{digest}"
    if not folder.is_dir():
        rows = []
        for pair, row in chunk:
            measures = read_arrays(jobs[pair.id.rpartition("#")[0]].path, *COLUMNS)
            rows.append({name: values[row] for name, values in measures.items()})
        arrays = {name: np.stack([row[name] for row in rows]) for name in COLUMNS}
        write_shard(folder, [pair for pair, _ in chunk], arrays, COLUMNS)
    return folder.name


def remove_old_shards(out: Path, shards: set[str]) -> None:
    """Delete shards of an earlier list, which no manifest names any more."""
    for folder in out.iterdir():
        if folder.is_dir() and folder.name.partition("-")[0] in SPLITS and folder.name not in shards:
            shutil.rmtree(folder)
