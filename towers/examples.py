"""Example tensors of every feature, for tracing graphs and for parity: right shape, right type, plausible values."""

import torch
from torch import Tensor

from features import spec

# Lowest and highest value of the examples; images use all of a byte.
RANGES = {
    "clip_mel": (-13.0, 5.0),
    "displacement": (0.0, 0.5),
    "rhythm": (0.0, 8.0),
    "low_level": (-3.0, 3.0),
    "content_mfcc": (-20.0, 20.0),
    "emotion_mfcc": (-20.0, 20.0),
}


def example(feature: str, batch: int = 3, seed: int = 0) -> Tensor:
    """``(batch, *shape)`` of a feature of ``features.spec.FEATURES``."""
    description = spec.FEATURES[feature]
    shape: list[int] = [batch, *description["shape"]]  # type: ignore[misc]
    generator = torch.Generator().manual_seed(seed)
    if description["dtype"] == "uint8":
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    low, high = RANGES.get(feature, (0.0, 1.0))
    return low + (high - low) * torch.rand(shape, generator=generator)
