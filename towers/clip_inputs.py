"""Clips of a corpus as the tensors that a backbone takes: pictures from any second, other features clip by clip."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from features import spec

from . import augment
from .backbones.backbone import Backbone
from .corpora.corpus import THUMBS, Split

IMAGE = "clip_image"


def clip_inputs(
    backbone: Backbone, split: Split, rows: Sequence[int], starts_s: Sequence[int], generator: Generator | None = None
) -> tuple[Tensor, ...]:
    """One clip per row, starting at ``starts_s`` whole seconds; with a ``generator``, changed by ``augment``.

    Only ``clip_image`` can start at any second. The other features are of clips end to end: here the clip that holds
    most of those 4 s counts.
    """
    return tuple(_input(name, split, rows, starts_s, generator) for name in backbone.inputs)


def _input(
    name: str, split: Split, rows: Sequence[int], starts_s: Sequence[int], generator: Generator | None
) -> Tensor:
    if name == IMAGE:
        thumbs = split.column(THUMBS)
        strips = [
            np.concatenate(list(thumbs.row(row)[start : start + spec.THUMBS_PER_CLIP]), axis=1)
            for row, start in zip(rows, starts_s, strict=True)
        ]
        images = torch.from_numpy(np.stack(strips))
        return images if generator is None else augment.pictures(images, generator)
    column = split.column(name)
    clips = [column.row(row)[place_of(start)] for row, start in zip(rows, starts_s, strict=True)]
    values = as_tensor(np.stack(clips))
    if generator is None:
        return values
    change = augment.CHANGES.get(name)
    return values if change is None else change(values, generator)


def place_of(start_s: int) -> int:
    """The clip, end to end, that holds most of the 4 s from ``start_s``."""
    return min(round(start_s / spec.CLIP_S), spec.MAX_CLIPS - 1)


def every_clip(backbone: Backbone, split: Split, rows: Sequence[int]) -> tuple[Tensor, ...]:
    """All K clips of each row, one after another: (rows * K, *shape) per input."""
    inputs = []
    for name in backbone.inputs:
        if name == IMAGE:
            inputs.append(clip_images(torch.from_numpy(split.column(THUMBS)[rows])).flatten(0, 1))
        else:
            inputs.append(as_tensor(split.column(name)[rows]).flatten(0, 1))
    return tuple(inputs)


def clip_images(thumbs: Tensor) -> Tensor:
    """(B, 28, 64, 64) uint8 thumbnails -> (B, 7, 64, 256): clips end to end, thumbnails side by side."""
    clips = thumbs.view(-1, spec.MAX_CLIPS, spec.THUMBS_PER_CLIP, spec.THUMB_SIZE, spec.THUMB_SIZE)
    return clips.permute(0, 1, 3, 2, 4).flatten(3)


def as_tensor(values: npt.NDArray[np.generic]) -> Tensor:
    """As a tensor; half precision, which only the disk uses, becomes float32."""
    return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float16 else values)
