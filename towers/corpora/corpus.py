"""A training corpus on disk: features of pairs, cut into shards, and a manifest.

    CORPUS/manifest.json             format, name, the feature descriptions, columns, emotions, the shards of each split
    CORPUS/<split>-<from>-<to>/      one shard, the pairs from (included) to (not); it never mixes splits
        pairs.jsonl                  one pair a line, in row order: see ``Pair``
        <column>.npy                 (n, ...) one array per column

Row i of every array and line i of ``pairs.jsonl`` are one video with its music. A column is a feature of
``features.spec``, (7, ...) clip by clip, under its own name; or ``thumbs``, (28, 64, 64) uint8, one a second, from
which the ``clip_image`` at any second is made; or somebody else's array, such as the output of a public network, whose
shape stands in the manifest. The manifest is written last; a shard is complete once its folder has its final name.
Arrays are memory-mapped, so a corpus may be larger than memory.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from features import spec

from ..errors import CorpusError

FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
PAIRS: Final = "pairs.jsonl"
SPLITS: Final = ("train", "val", "test")
THUMBS: Final = "thumbs"
# Stored at half precision: their values span a few tens, and they are the bulk of a corpus.
HALVED: Final = frozenset({"clip_mel", "content_mfcc", "emotion_mfcc"})


@dataclass(frozen=True)
class ColumnSpec:
    """Shape of a row, and its type."""

    shape: tuple[int, ...]
    dtype: str


def column_of(feature: str, clips: int = spec.MAX_CLIPS) -> ColumnSpec:
    """The column of a feature of ``features.spec``: a row is ``clips`` clips."""
    description = spec.FEATURES[feature]
    shape: Any = description["shape"]
    return ColumnSpec((clips, *shape), "float16" if feature in HALVED else str(description["dtype"]))


THUMBS_COLUMN: Final = ColumnSpec((spec.WINDOW_S * spec.APPEARANCE_FPS, spec.THUMB_SIZE, spec.THUMB_SIZE), "uint8")


@dataclass(frozen=True)
class Pair:
    """The labels and origin of a pair.

    ``music``: equal for pairs that share their music; it is never in two splits. ``mood``: the axes of ``MOOD_AXES``,
    in [0, 1]. ``polarity``: how pleasant, -1 to 1. ``start_s``: where in its track the music begins. ``match``: false
    for a pair that was mismatched on purpose. ``clips``: the number of valid clips in the window, the first ones;
    behind them columns hold zeros. ``latent``: for a corpus from the studio, the parameters of the pair, of which
    training reads only the course of energy; otherwise the file and the stretch of it.
    """

    id: str
    tags: tuple[str, ...] = ()
    mood: tuple[float, float, float] | None = None
    emotion: str | None = None
    polarity: float | None = None
    music: str = ""
    start_s: float | None = None
    match: bool = True
    clips: int = spec.MAX_CLIPS
    latent: dict[str, Any] = field(default_factory=dict)


class Column:
    """One array of a split, over all its shards: ``column[rows]`` copies (len(rows), ...) out of the files."""

    def __init__(self, parts: Sequence[npt.NDArray[Any]]) -> None:
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: npt.NDArray[np.integer] | Sequence[int]) -> npt.NDArray[Any]:
        return np.stack([self.row(int(row)) for row in rows])

    def row(self, row: int) -> npt.NDArray[Any]:
        """One row, a view of the mapped file."""
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        return np.asarray(self._parts[part][row - self._starts[part]])

    def all(self) -> npt.NDArray[Any]:
        """Every row, copied."""
        return np.concatenate([np.asarray(part) for part in self._parts])


@dataclass(frozen=True)
class Split:
    """The pairs of one split with their columns; row i belongs to ``pairs[i]``."""

    name: str
    pairs: tuple[Pair, ...]
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.pairs)

    def column(self, name: str) -> Column:
        """``CorpusError`` where the corpus has no such column."""
        if name not in self.columns:
            raise CorpusError(f"this corpus has no column {name}; it has {', '.join(self.columns)}")
        return self.columns[name]

    def clips(self) -> npt.NDArray[np.int64]:
        """(n,) the number of valid clips of each row."""
        return np.array([pair.clips for pair in self.pairs], np.int64)

    def mask(self) -> npt.NDArray[np.bool_]:
        """(n, 7) whether a clip is valid."""
        return np.arange(spec.MAX_CLIPS) < self.clips()[:, None]

    def mood(self) -> npt.NDArray[np.float32]:
        """(n, 3) float32, the axes of ``MOOD_AXES``; NaN where unknown."""
        nothing = (np.nan,) * len(spec.MOOD_AXES)
        return np.array([nothing if pair.mood is None else pair.mood for pair in self.pairs], np.float32)

    def mood_by_second(self) -> npt.NDArray[np.float32]:
        """(n, 28, 3) float32: as ``mood``, but energy follows its course where the pair has one."""
        mood = self.mood()[:, None].repeat(spec.WINDOW_S, axis=1)
        middles = np.arange(spec.WINDOW_S) + 0.5
        for row, pair in enumerate(self.pairs):
            if course := pair.latent.get("energy"):
                mood[row, :, spec.MOOD_AXES.index("energy")] = np.interp(middles, *np.array(course).T)
        return mood


@dataclass(frozen=True)
class Corpus:
    """An opened corpus. ``identity`` is the SHA-256 of its manifest, which names every shard with its own hash;
    ``emotions``: the classes that a pair's ``emotion`` is one of."""

    folder: Path
    name: str
    identity: str
    shards: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, ColumnSpec]
    emotions: tuple[str, ...]

    def pairs(self, split: str) -> int:
        return len(self.split(split))

    def split(self, name: str) -> Split:
        """Raises ``CorpusError`` for a missing split, and for shards that differ from their description."""
        if not self.shards.get(name):
            known = ", ".join(split for split, shards in self.shards.items() if shards)
            raise CorpusError(f"{self.folder} has no pairs in split {name!r}; it has {known}")
        folders = [self.folder / shard for shard in self.shards[name]]
        pairs = tuple(pair for folder in folders for pair in read_pairs(folder))
        columns = {
            array: Column([read_array(folder, array, expected) for folder in folders])
            for array, expected in self.columns.items()
        }
        if any(len(column) != len(pairs) for column in columns.values()):
            raise CorpusError(f"{self.folder}: arrays and pairs of split {name!r} differ in length; make it again")
        return Split(name, pairs, columns)


def open_corpus(folder: Path | str) -> Corpus:
    """Raises ``CorpusError`` for a folder that is no finished corpus, or whose features are computed otherwise here."""
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise CorpusError(f"{folder} is no finished corpus ({MANIFEST} is missing); run `segue corpus synth {folder}`")
    raw = path.read_bytes()
    try:
        manifest = json.loads(raw)
        if manifest["format"] != FORMAT:
            raise CorpusError(f"{path} has format {manifest['format']}, this code reads {FORMAT}; make it again")
        for feature, description in manifest["features"].items():
            ours = spec.FEATURES.get(feature)
            if ours is None or dict(ours) != description:
                raise CorpusError(f"{path}: {feature} was computed as {description}, here it is {ours}; make it again")
        return Corpus(
            folder,
            str(manifest["name"]),
            hashlib.sha256(raw).hexdigest(),
            {split: tuple(names) for split, names in manifest["shards"].items()},
            {name: ColumnSpec(tuple(entry["shape"]), entry["dtype"]) for name, entry in manifest["columns"].items()},
            tuple(manifest["emotions"]),
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise CorpusError(f"{path} is damaged ({error!r}); make it again") from error


def read_pairs(shard: Path) -> list[Pair]:
    try:
        lines = (shard / PAIRS).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [
            Pair(**{**row, "tags": tuple(row["tags"]), "mood": None if row["mood"] is None else tuple(row["mood"])})
            for row in rows
        ]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise CorpusError(f"{shard / PAIRS} cannot be read ({error!r}); delete the shard and make it again") from error


def read_array(shard: Path, name: str, expected: ColumnSpec) -> npt.NDArray[Any]:
    path = shard / f"{name}.npy"
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} cannot be read ({error}); delete the shard and make it again") from error
    if array.shape[1:] != expected.shape or array.dtype != expected.dtype:
        raise CorpusError(
            f"{path} is {array.dtype} {array.shape}, not {expected.dtype} (n, {str(expected.shape)[1:]}; make it again"
        )
    return array


def write_shard(
    folder: Path, pairs: Sequence[Pair], arrays: Mapping[str, npt.NDArray[Any]], columns: Mapping[str, ColumnSpec]
) -> None:
    """Write a shard, then give it its final name: a folder with that name is complete."""
    pending = folder.with_name(f".{folder.name}.part")
    pending.mkdir(parents=True, exist_ok=True)
    for name, column in columns.items():
        np.save(pending / f"{name}.npy", arrays[name].astype(column.dtype, copy=False))
    lines = [json.dumps(asdict(pair), sort_keys=True) for pair in pairs]
    (pending / PAIRS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    pending.replace(folder)


def write_manifest(
    folder: Path,
    name: str,
    shards: Mapping[str, Sequence[str]],
    columns: Mapping[str, ColumnSpec],
    emotions: Sequence[str] = (),
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write the manifest, last. The hash of a shard's pairs stands for the whole shard: its arrays follow from them.

    ``notes``: further facts, such as the seed.
    """
    features = {"clip_image"} if THUMBS in columns else set()
    features |= {name for name in columns if name in spec.FEATURES}
    manifest = {
        "format": FORMAT,
        "name": name,
        "notes": dict(notes or {}),
        "features": {feature: dict(spec.FEATURES[feature]) for feature in sorted(features)},
        "columns": {name: {"shape": list(column.shape), "dtype": column.dtype} for name, column in columns.items()},
        "emotions": list(emotions),
        "shards": {split: list(names) for split, names in shards.items()},
        "pairs": {
            split: {shard: hashlib.sha256((folder / shard / PAIRS).read_bytes()).hexdigest() for shard in names}
            for split, names in shards.items()
        },
    }
    pending = folder / (MANIFEST + ".part")
    pending.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    pending.replace(folder / MANIFEST)
