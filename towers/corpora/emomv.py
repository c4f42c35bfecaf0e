"""EmoMV's own release (Thao et al.): features of pairs in HDF5, labels in CSV.

    <net>_<set>_TRAIN_MATCH_MISMATCH.h5, <net>_<set>_VAL_MATCH_MISMATCH.h5, <net>_<set>_VAL_for_retrieval.h5
    <set>_TRAIN_MATCH_MISMATCH_labels.csv, ..., <set>_VAL_labels_for_retrieval.csv

with SlowFast (video, 2304) and VGGish (music, 128) for <net>, and DS1, DS2 or DS3 (EmoMV-A, -B, -C) for <set>. A row of
a list of pairs is: folder, name, 1 if matched, emotion of the video, of the music, and the numbers of both; of the
gallery: folder, name, emotion, its number. A mismatched pair's name holds both names, the video's first.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import CorpusError

VIDEO, MUSIC = "SlowFast", "VGGish"
WIDTHS: Final = {VIDEO: 2304, MUSIC: 128}
TRAIN, VAL, GALLERY = "TRAIN_MATCH_MISMATCH", "VAL_MATCH_MISMATCH", "VAL_for_retrieval"
LABELS: Final = {TRAIN: "{}_TRAIN_MATCH_MISMATCH_labels.csv", VAL: "{}_VAL_MATCH_MISMATCH_labels.csv"}
GALLERY_LABELS: Final = "{}_VAL_labels_for_retrieval.csv"
PAIR: Final = "_PAIR_"


@dataclass(frozen=True)
class EmoMvPairs:
    """n rows: ``video`` (n, 2304), ``music`` (n, 128) float32; ``match`` (n,) bool; emotions of either side (n,) int64,
    numbers into ``emotions`` of the release; ``source``: the video file that each video is cut from."""

    video: npt.NDArray[np.float32]
    music: npt.NDArray[np.float32]
    match: npt.NDArray[np.bool_]
    video_emotion: npt.NDArray[np.int64]
    music_emotion: npt.NDArray[np.int64]
    source: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.video)

    def rows(self, rows: npt.NDArray[Any]) -> "EmoMvPairs":
        """``rows``: indices or a mask."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return EmoMvPairs(
            self.video[chosen],
            self.music[chosen],
            self.match[chosen],
            self.video_emotion[chosen],
            self.music_emotion[chosen],
            tuple(self.source[row] for row in chosen),
        )


@dataclass(frozen=True)
class EmoMvRelease:
    """``train`` and ``val``: matched and mismatched pairs; ``gallery``: matched pairs only, for retrieval."""

    name: str
    train: EmoMvPairs
    val: EmoMvPairs
    gallery: EmoMvPairs
    emotions: tuple[str, ...]


def read_emomv(folder: Path, name: str = "DS3") -> EmoMvRelease:
    """Raises ``CorpusError`` for files that are missing, of other sizes than their labels, or of another format."""
    names: dict[int, str] = {}
    train, val = (read_pairs(folder, name, part, names) for part in (TRAIN, VAL))
    gallery = read_gallery(folder, name, names)
    emotions = tuple(names[number] for number in sorted(names))
    if sorted(names) != list(range(len(names))):
        raise CorpusError(f"{folder}: emotions are numbered {sorted(names)}, must be 0, 1, ...; fetch the labels again")
    return EmoMvRelease(name, train, val, gallery, emotions)


def read_pairs(folder: Path, name: str, part: str, names: dict[int, str]) -> EmoMvPairs:
    path = folder / LABELS[part].format(name)
    rows = read_rows(path, 7)
    try:
        match = np.array([bool(int(row[2])) for row in rows])
        video_emotion, music_emotion = (np.array([int(row[place]) for row in rows]) for place in (5, 6))
    except ValueError as error:
        raise CorpusError(f"{path}: {error}; columns 3, 6 and 7 must be numbers") from error
    for row in rows:
        add_emotion(names, int(row[5]), row[3], path)
        add_emotion(names, int(row[6]), row[4], path)
    source = tuple(clip_source(row[1].split(PAIR)[0]) for row in rows)
    video, music = (read_features(folder, net, name, part, len(rows)) for net in (VIDEO, MUSIC))
    return EmoMvPairs(video, music, match, video_emotion, music_emotion, source)


def read_gallery(folder: Path, name: str, names: dict[int, str]) -> EmoMvPairs:
    path = folder / GALLERY_LABELS.format(name)
    rows = read_rows(path, 4)
    try:
        emotion = np.array([int(row[3]) for row in rows])
    except ValueError as error:
        raise CorpusError(f"{path}: {error}; column 4 must be a number") from error
    for row in rows:
        add_emotion(names, int(row[3]), row[2], path)
    source = tuple(clip_source(row[1]) for row in rows)
    video, music = (read_features(folder, net, name, GALLERY, len(rows)) for net in (VIDEO, MUSIC))
    return EmoMvPairs(video, music, np.ones(len(rows), np.bool_), emotion, emotion, source)


def add_emotion(names: dict[int, str], number: int, emotion: str, path: Path) -> None:
    if names.setdefault(number, emotion) != emotion:
        raise CorpusError(f"{path}: number {number} is {emotion!r} here and {names[number]!r} before; fetch it again")


def clip_source(clip: str) -> str:
    """``yA9WhYnsD_4_06`` is the sixth piece of ``yA9WhYnsD_4``."""
    return clip.rpartition("_")[0]


def read_rows(path: Path, columns: int) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}); fetch EmoMV's labels into {path.parent}") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != columns:
            raise CorpusError(f"{path}, line {number}: has {len(row)} columns, must have {columns}")
    if not rows:
        raise CorpusError(f"{path}: is empty; fetch it again")
    return rows


def read_features(folder: Path, net: str, name: str, part: str, rows: int) -> npt.NDArray[np.float32]:
    """The one array of an HDF5 file, whatever it is called there."""
    import h5py

    path = folder / f"{net}_{name}_{part}.h5"
    try:
        with h5py.File(path) as file:
            arrays = [np.asarray(file[key]) for key in file]
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error}); fetch EmoMV's features into {folder}") from error
    if len(arrays) != 1 or arrays[0].shape != (rows, WIDTHS[net]) or not np.isfinite(arrays[0]).all():
        shapes = [array.shape for array in arrays]
        raise CorpusError(f"{path}: holds {shapes}, must hold one array ({rows}, {WIDTHS[net]}) of finite numbers")
    return arrays[0].astype(np.float32)
