"""A training corpus on disk: features of pairs, cut into shards, and a manifest.

    CORPUS/manifest.json             format, name, seed, the feature descriptions, the shards of each split
    CORPUS/<split>-<from>-<to>/      one shard, the pairs from (included) to (not); it never mixes splits
        pairs.jsonl                  one pair a line, in row order: id, tags, mood, latent
        thumbs.npy                   (n, 28, 64, 64) uint8, one a second
        displacement.npy             (n, 7) float32, frame widths per second
        mels.npy                     (n, 7, 398, 80) float16
        rhythm.npy                   (n, 7, 3) float32

Row i of every array and line i of ``pairs.jsonl`` are one video with its music, 28 s of both. The manifest is written
last; a shard is complete as soon as its folder has its final name. Arrays are memory-mapped, so a corpus may be larger
than memory.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features import spec

from ..errors import CorpusError

FORMAT = 1
MANIFEST = "manifest.json"
PAIRS = "pairs.jsonl"
SPLITS = ("train", "val", "test")
ARRAYS: dict[str, tuple[tuple[int, ...], str]] = {
    "thumbs": ((spec.WINDOW_S * spec.APPEARANCE_FPS, spec.THUMB_SIZE, spec.THUMB_SIZE), "uint8"),
    "displacement": ((spec.MAX_CLIPS,), "float32"),
    "mels": ((spec.MAX_CLIPS, *spec.CLIP_MEL_SHAPE), "float16"),
    "rhythm": ((spec.MAX_CLIPS, len(spec.RHYTHM_FIELDS)), "float32"),
}


@dataclass(frozen=True)
class Pair:
    """What is known of a pair beside its features. Of ``latent``, training reads the course of energy and no more."""

    id: str
    tags: tuple[str, ...]
    mood: tuple[float, float, float]
    latent: dict[str, Any]


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


@dataclass(frozen=True)
class Split:
    """The pairs of one split with their columns; row i belongs to ``pairs[i]``."""

    name: str
    pairs: tuple[Pair, ...]
    thumbs: Column
    displacement: Column
    mels: Column
    rhythm: Column

    def __len__(self) -> int:
        return len(self.pairs)

    def mood(self) -> npt.NDArray[np.float32]:
        """(n, 3) float32, the axes of ``MOOD_AXES``."""
        return np.array([pair.mood for pair in self.pairs], np.float32)

    def mood_by_second(self) -> npt.NDArray[np.float32]:
        """(n, 28, 3) float32: as ``mood``, but energy follows its course where the pair tells one."""
        mood = self.mood()[:, None].repeat(spec.WINDOW_S, axis=1)
        middles = np.arange(spec.WINDOW_S) + 0.5
        for row, pair in enumerate(self.pairs):
            if course := pair.latent.get("energy"):
                mood[row, :, spec.MOOD_AXES.index("energy")] = np.interp(middles, *np.array(course).T)
        return mood


@dataclass(frozen=True)
class Corpus:
    """An opened corpus. ``identity`` is the SHA-256 of its manifest, which names every shard with its own hash."""

    folder: Path
    name: str
    identity: str
    shards: dict[str, tuple[str, ...]]

    def pairs(self, split: str) -> int:
        return len(self.split(split))

    def split(self, name: str) -> Split:
        """Raises ``CorpusError`` for a split that the corpus has not, and for shards unlike their description."""
        if not self.shards.get(name):
            known = ", ".join(split for split, shards in self.shards.items() if shards)
            raise CorpusError(f"{self.folder} has no pairs in split {name!r}; it has {known}")
        folders = [self.folder / shard for shard in self.shards[name]]
        pairs = tuple(pair for folder in folders for pair in read_pairs(folder))
        columns = {array: Column([read_array(folder, array) for folder in folders]) for array in ARRAYS}
        if any(len(column) != len(pairs) for column in columns.values()):
            raise CorpusError(
                f"{self.folder}: arrays and pairs of split {name!r} differ in length; synthesise it again"
            )
        return Split(name, pairs, **columns)


def open_corpus(folder: Path | str) -> Corpus:
    """Raises ``CorpusError`` for a folder that is no finished corpus or whose features are computed otherwise here."""
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise CorpusError(f"{folder} is no finished corpus ({MANIFEST} is missing); run `segue corpus synth {folder}`")
    raw = path.read_bytes()
    try:
        manifest = json.loads(raw)
        if manifest["format"] != FORMAT:
            raise CorpusError(f"{path} has format {manifest['format']}, this code reads {FORMAT}; synthesise it again")
        for feature, description in manifest["features"].items():
            ours = spec.FEATURES.get(feature)
            if ours is None or dict(ours) != description:
                raise CorpusError(
                    f"{path}: {feature} was computed as {description}, here it is {ours}; synthesise again"
                )
        shards = {split: tuple(names) for split, names in manifest["shards"].items()}
        return Corpus(folder, str(manifest["name"]), hashlib.sha256(raw).hexdigest(), shards)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise CorpusError(f"{path} is damaged ({error!r}); synthesise it again") from error


def read_pairs(shard: Path) -> list[Pair]:
    try:
        lines = (shard / PAIRS).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [Pair(row["id"], tuple(row["tags"]), tuple(row["mood"]), row["latent"]) for row in rows]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise CorpusError(
            f"{shard / PAIRS} cannot be read ({error!r}); delete the shard and synthesise again"
        ) from error


def read_array(shard: Path, name: str) -> npt.NDArray[Any]:
    shape, dtype = ARRAYS[name]
    path = shard / f"{name}.npy"
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} cannot be read ({error}); delete the shard and synthesise again") from error
    if array.shape[1:] != shape or array.dtype != dtype:
        raise CorpusError(f"{path} is {array.dtype} {array.shape}, not {dtype} (n, {str(shape)[1:]}; synthesise again")
    return array


def write_shard(folder: Path, pairs: Sequence[Pair], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write a shard under its final name at once: what bears the name is whole."""
    pending = folder.with_name(f".{folder.name}.part")
    pending.mkdir(parents=True, exist_ok=True)
    for name, (_, dtype) in ARRAYS.items():
        np.save(pending / f"{name}.npy", arrays[name].astype(dtype, copy=False))
    lines = [
        json.dumps({"id": pair.id, "tags": pair.tags, "mood": pair.mood, "latent": pair.latent}, sort_keys=True)
        for pair in pairs
    ]
    (pending / PAIRS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    pending.replace(folder)


def write_manifest(folder: Path, name: str, seed: int, shards: dict[str, list[str]]) -> None:
    """Close a corpus. The hash of each shard's pairs stands in for the shard: arrays follow from the same recipes."""
    manifest = {
        "format": FORMAT,
        "name": name,
        "seed": seed,
        "features": {feature: dict(description) for feature, description in spec.FEATURES.items()},
        "shards": shards,
        "pairs": {
            split: {shard: hashlib.sha256((folder / shard / PAIRS).read_bytes()).hexdigest() for shard in names}
            for split, names in shards.items()
        },
    }
    pending = folder / (MANIFEST + ".part")
    pending.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    pending.replace(folder / MANIFEST)
