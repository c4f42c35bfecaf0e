"""Backbones without anything to learn: VM-NET's low-level audio unchanged, and vectors that somebody else computed."""

from math import prod
from typing import Any

import torch
from torch import Tensor

from features import spec

from .backbone import Backbone


class LowLevel(Backbone):
    """``low_level`` float32 (B, 3, 380) -> (B, 1140): the statistics end to end. VM-NET scales them itself."""

    kind = "low-level"
    inputs = ("low_level",)
    width = len(spec.LOW_LEVEL_STATISTICS) * spec.LOW_LEVEL_VALUES
    learned = False

    def configuration(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": "music", "scale": "small"}

    def forward(self, low_level: Tensor) -> Tensor:
        return low_level.flatten(1)


class Stored(Backbone):
    """A column of the corpus that already holds vectors, (B, *shape) -> (B, width).

    For networks that cannot run here, such as the public extractors of the papers. It serves training and benchmarks;
    no live stream has such a column, so a run that uses one makes no bundle.
    """

    learned = False

    def __init__(self, column: str, side: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.kind, self.column, self.side, self.shape = f"stored:{column}", column, side, shape
        self.inputs = (column,)
        self.width = prod(shape)

    def configuration(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": self.side, "scale": "small", "shape": list(self.shape)}

    def forward(self, stored: Tensor) -> Tensor:
        return stored.to(torch.float32).flatten(1)
