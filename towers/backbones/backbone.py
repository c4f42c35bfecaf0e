"""What a backbone is: one clip's features in, one vector out; the graphs ``video_clip`` and ``music_clip`` of a bundle.

The papers use extractors here that others trained.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """``forward`` takes the features ``inputs``, (B, *shape) each, and gives (B, width) float32.

    ``kind`` names it in the registry; ``inputs`` are features of ``features.spec``, in order; ``parts``: name -> [from,
    to) of the vector, where a system uses them apart; ``learned``: whether there is anything to train.
    """

    kind: str
    inputs: tuple[str, ...]
    width: int
    parts: Mapping[str, tuple[int, int]] = {}
    learned: bool = True

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """JSON that ``registry.build_backbone`` turns into the same backbone with fresh weights."""


@runtime_checkable
class Normalised(Protocol):
    """A backbone with constants of its inputs, measured on the training split."""

    def normalise(self, *samples: Tensor) -> None:
        """(n, *shape) clips of each input, in the order of ``inputs``."""
