"""Segue's matcher: two windows' words compared place by place, on top of the cosine of the index.

Its last layer starts at zero and the cosine's scale at that of the first stage, so an untrained second stage ranks like
the first, and training starts from there.
"""

import torch
from torch import Tensor, nn

START_SCALE = 10.0


class SecondStage(nn.Module):
    """``words``: width of ``Concepts.vector``."""

    def __init__(self, words: int, width: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(4 * words, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
        )
        self.out = nn.Linear(width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.scale = nn.Parameter(torch.tensor(START_SCALE))

    def forward(self, video: Tensor, music: Tensor, cosine: Tensor) -> Tensor:
        """Words (..., W) of both sides, cosine (...) -> logits (...)."""
        compared = torch.cat([video, music, video * music, (video - music).abs()], dim=-1)
        logit: Tensor = self.out(self.net(compared)).squeeze(-1) + self.scale * (cosine - 1.0)
        return logit
