"""MGSV-EC's release (Xin et al., Music Grounding by Short Video, ICCV 2025), read as it is published.

    <csv>/train_data.csv, val_data.csv, test_data.csv
    <features>/vit_feature1/vit_feature/VIDEO.pt, vit_mask/VIDEO.pt      CLIP, one a second: (F, 512), (F,)
    <features>/ast_feature2p5/ast_feature/MUSIC.pt, ast_mask/MUSIC.pt    AST, one for each 2.5 s: (S, 768), (S,)

where <csv> is the folder or its ``dataset/MGSV-EC``, <features> the folder, its ``Kuai_feature`` or
``features/Kuai_feature``. A line of the lists is a video with the moment of a track that was chosen for it. The columns
read are ``video_id``, ``music_id``, ``video_start``, ``video_end``, ``music_start``, ``music_end`` and
``music_total_duration``, times in seconds. Rows where the mask is 0 are padding. The splits stay as published: a track
may have videos in several of them.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from .errors import BenchError

Floats = npt.NDArray[np.float32]

SPLITS: Final = ("train", "val", "test")
STRIDE_S: Final = 2.5  # of the music's features
CSV_PLACES: Final = (".", "dataset/MGSV-EC")
FEATURE_PLACES: Final = (".", "Kuai_feature", "features/Kuai_feature")
SIDES: Final = {"video": ("vit_feature1", "vit"), "music": ("ast_feature2p5", "ast")}
COLUMNS: Final = (
    "video_id", "music_id", "video_start", "video_end", "music_start", "music_end", "music_total_duration"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """A video of ``length_s``, and the part of a track of ``track_s`` that was chosen for it."""

    video: str
    music: str
    length_s: float
    begin_s: float
    end_s: float
    track_s: float


@dataclass(frozen=True, slots=True)
class Release:
    """The folders of the lists and of the features."""

    lists: Path
    features: Path

    def moments(self, split: str) -> list[Moment]:
        """The lines of a list, in order. Raises BenchError for a list that cannot be read."""
        path = self.lists / f"{split}_data.csv"
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"{path}: cannot be read ({error}); fetch MGSV-EC's lists anew") from error
        if not rows or not set(COLUMNS) <= set(rows[0]):
            raise BenchError(f"{path}: its first line must name the columns {', '.join(COLUMNS)}, with lines behind it")
        return [_moment(row, path, number) for number, row in enumerate(rows, 2)]

    def vectors(self, side: str, name: str) -> Floats:
        """(n, C) of a video or a track, without padding. Raises BenchError for missing or malformed files."""
        folder, net = SIDES[side]
        place = self.features / folder
        rows, mask = (_tensor(place / f"{net}_{kind}" / f"{name}.pt") for kind in ("feature", "mask"))
        rows = rows.reshape(-1, rows.shape[-1])
        valid = mask.reshape(-1) != 0
        if len(valid) != len(rows) or not valid.any() or not np.isfinite(rows[valid]).all():
            raise BenchError(
                f"{place / f'{net}_feature' / name}.pt: holds {rows.shape} beside a mask {mask.shape}, must be finite "
                "numbers with a mask of as many rows, not all 0; fetch the features anew"
            )
        return np.ascontiguousarray(rows[valid], np.float32)


def read_release(folder: Path) -> Release:
    """Find both folders. Raises BenchError if lists or features are missing."""
    lists = [place for name in CSV_PLACES if ((place := folder / name) / "test_data.csv").is_file()]
    inside = SIDES["video"][0]
    features = [place for name in FEATURE_PLACES if ((place := folder / name) / inside).is_dir()]
    if not lists:
        raise BenchError(f"{folder}: no test_data.csv in it or in dataset/MGSV-EC; fetch the lists of MGSV-EC")
    if not features:
        raise BenchError(f"{folder}: no {inside} in it or in {FEATURE_PLACES[-1]}; unpack MGSV_feature.zip there")
    return Release(lists[0], features[0])


def _moment(row: dict[str, Any], path: Path, number: int) -> Moment:
    try:
        start, end, begin, stop, whole = (float(row[name]) for name in COLUMNS[2:])
    except (TypeError, ValueError) as error:
        raise BenchError(f"{path}, line {number}: {error}; columns {', '.join(COLUMNS[2:])} must be seconds") from error
    if not (end > start and stop > begin >= 0 and whole > 0):
        raise BenchError(f"{path}, line {number}: a moment must end behind its begin; fetch the list anew")
    return Moment(str(row["video_id"]), str(row["music_id"]), end - start, begin, stop, whole)


def _tensor(path: Path) -> npt.NDArray[Any]:
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of errors for a foreign file
        raise BenchError(f"{path}: cannot be read ({error}); unpack MGSV_feature.zip anew") from error
    if not isinstance(value, torch.Tensor) or not value.dim():
        raise BenchError(f"{path}: holds no tensor; unpack MGSV_feature.zip anew")
    return np.asarray(value.detach().float().numpy())
