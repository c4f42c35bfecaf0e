"""``segue corpus build``: real videos with music -> a corpus.

    CORPUS/cache/<hash>.npz     one source, measured once: see ``measured``
    CORPUS/sources.csv          what became of every source, and why
    CORPUS/report.md            the same, counted

First every source is measured, side by side, each into a file of its own: a broken run goes on with the missing ones,
and a list that grew measures what is new. Then recordings with the same music are found, splits are drawn by music, and
shards are written. The cache may be deleted afterwards; the corpus does not need it, only a longer one does.
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
from .fingerprint import groups, mark
from .measured import Asked, MeasuredSource, measure, read_arrays, read_fingerprint
from .pool import Crashed, side_by_side
from .source import Source
from .splits import Known, divide

PLAN: Final = "build.json"
CACHE: Final = "cache"
SHARD_PAIRS: Final = 25


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` sources are measured; ``fate``: of the last one, None before the first and at the end."""

    done: int
    total: int
    fate: SourceOutcome | None = None


def build(out: Path, sources: Sequence[Source], options: BuildOptions) -> Iterator[Progress]:
    """Write the corpus of ``sources``, whose ids differ, yielding after each that is measured.

    Raises ``CorpusError`` for a folder that holds something else, and where too little can be used.
    """
    kept = claim(out, options)
    asked = {s.id: Asked(s, out / CACHE, options.windows, options.clips) for s in sources}
    told: dict[str, MeasuredSource] = {}
    yield Progress(0, len(asked))
    for one, made in side_by_side(measure, asked.values(), min(options.jobs, max(1, len(asked)))):
        told[one.source.id] = MeasuredSource(made.reason) if isinstance(made, Crashed) else made
        yield Progress(len(told), len(asked), SourceOutcome.of(one.source.id, told[one.source.id]))
    usable = [asked[name] for name in sorted(told) if not told[name].reason]
    known = musics(usable, kept)
    fates = {name: SourceOutcome.of(name, one) for name, one in told.items()}
    try:
        splits, left = divide(known, options.val, options.test)
        note(out, options, {**kept, **splits})
        fates |= {name: fates[name].left_out(reason) for name, reason in left.items()}
        music = {one.id: f"music-{one.music:06d}" for one in known}
        pairs = {split: list(pairs_of(split, splits, asked, told, music)) for split in SPLITS}
        fates = {name: fate.used_in(splits.get(name), options) for name, fate in fates.items()}
    finally:
        write_report(out, [fates[name] for name in sorted(fates)])
    shards = {
        split: [write_pairs(out, split, at, chunk, asked) for at, chunk in chunked(pairs[split])] for split in SPLITS
    }
    emotions = sorted({pair.emotion for part in pairs.values() for pair, _ in part if pair.emotion is not None})
    total = sum(map(len, pairs.values()))
    digest = hashlib.sha256(json.dumps(shards, sort_keys=True).encode()).hexdigest()[:8]
    write_manifest(out, f"built-{total}-{digest}", shards, COLUMNS, emotions, {"options": options.noted})
    forget(out, {name for names in shards.values() for name in names})
    yield Progress(len(asked), len(asked))


def claim(out: Path, options: BuildOptions) -> dict[str, str]:
    """Note in the folder what is being made; refuse a folder that anything else is in. Returns the split of every
    source that earlier builds put into one."""
    path = out / PLAN
    if not path.is_file() and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out} exists and was not begun by `segue corpus build`; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    try:
        kept = dict(json.loads(path.read_text(encoding="utf-8")).get("splits", {})) if path.is_file() else {}
    except (ValueError, AttributeError, TypeError) as error:
        raise CorpusError(f"{path} is damaged ({error}); delete it to draw the splits anew") from error
    note(out, options, kept)
    (out / MANIFEST).unlink(missing_ok=True)
    return kept


def note(out: Path, options: BuildOptions, splits: dict[str, str]) -> None:
    """What the corpus depends on, and every split that was drawn: a pair stays where it is when others come."""
    pending = out / f".{PLAN}.part"
    pending.write_text(json.dumps({**options.noted, "splits": splits}, sort_keys=True) + "\n", encoding="utf-8")
    pending.replace(out / PLAN)


def musics(usable: Sequence[Asked], kept: dict[str, str]) -> list[Known]:
    """Numbers of the musics: equal where lists name them alike, and where the recordings sound alike."""
    prints = [read_fingerprint(one.path) for one in usable]
    numbers = groups(prints)
    parent = {int(number): int(number) for number in numbers}

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    first: dict[str, int] = {}
    for one, number in zip(usable, numbers, strict=True):
        if one.source.music_id:
            low, high = sorted((root(first.setdefault(one.source.music_id, int(number))), root(int(number))))
            parent[high] = low
    return [
        Known(one.source.id, root(int(number)), one.source.split, mark(its), kept.get(one.source.id))
        for one, number, its in zip(usable, numbers, prints, strict=True)
    ]


def pairs_of(
    split: str, splits: dict[str, str], asked: dict[str, Asked], told: dict[str, MeasuredSource], music: dict[str, str]
) -> Iterator[tuple[Pair, int]]:
    """The pairs of a split with their rows in their source's measures; outside training one window a source."""
    for name in sorted(name for name, chosen in splits.items() if chosen == split):
        source = asked[name].source
        for row, cut in enumerate(told[name].cuts[: None if split == "train" else 1]):
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


def chunked(pairs: list[tuple[Pair, int]]) -> Iterable[tuple[int, list[tuple[Pair, int]]]]:
    return ((at, pairs[at : at + SHARD_PAIRS]) for at in range(0, len(pairs), SHARD_PAIRS))


def write_pairs(out: Path, split: str, at: int, chunk: list[tuple[Pair, int]], asked: dict[str, Asked]) -> str:
    """Write a shard unless it is there; its name holds a hash of all that it is made of."""
    made_of = [[asdict(pair), asked[pair.id.rpartition("#")[0]].path.name] for pair, _ in chunk]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
    folder = out / f"{split}-{at:06d}-{at + len(chunk):06d}-{digest}"
    if not folder.is_dir():
        rows = []
        for pair, row in chunk:
            arrays = read_arrays(asked[pair.id.rpartition("#")[0]].path, *COLUMNS)
            rows.append({name: values[row] for name, values in arrays.items()})
        stacked = {name: np.stack([row[name] for row in rows]) for name in COLUMNS}
        write_shard(folder, [pair for pair, _ in chunk], stacked, COLUMNS)
    return folder.name


def forget(out: Path, shards: set[str]) -> None:
    """Shards of an earlier list, which no manifest names any more."""
    for folder in out.iterdir():
        if folder.is_dir() and folder.name.partition("-")[0] in SPLITS and folder.name not in shards:
            shutil.rmtree(folder)
