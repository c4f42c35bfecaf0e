"""The second stage: matched or not, from two windows after cross-attention (UT-CMVMR, section 2.3.3)."""

import torch
from torch import Tensor, nn

from .sequence import CrossAttention, masked_mean


class Matcher(nn.Module):
    """Matched or not, from both sides' tokens after cross-attention and the cosine of their thetas.

    The cosine enters with a learned scale, so that the second stage starts from the first stage's result.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.cross = CrossAttention(width, heads)
        self.classifier = nn.Sequential(
            nn.LayerNorm(4 * width), nn.Linear(4 * width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, video: Tensor, video_mask: Tensor, music: Tensor, music_mask: Tensor, cosine: Tensor) -> Tensor:
        """Tokens (B, n, width), masks (B, n), cosine (B,) -> logit (B,)."""
        video, music = self.cross(video, video_mask, music, music_mask)
        v, m = masked_mean(video, video_mask), masked_mean(music, music_mask)
        pair = torch.cat([v, m, v * m, (v - m).abs()], dim=-1)
        logit: Tensor = self.classifier(pair).squeeze(-1) + self.scale * cosine
        return logit


def near(similarity: Tensor, false: Tensor, shortlist: int) -> Tensor:
    """Per row of (B, B) a random one of the ``shortlist`` most similar ``false`` columns; (B,) int64.

    The very hardest would mostly be pairs that fit as well as the true pair.
    """
    best = similarity.masked_fill(~false, -2.0).topk(max(1, min(shortlist, len(similarity) - 1)), dim=1).indices
    chosen = torch.randint(best.shape[1], (len(best), 1), device=best.device)
    return best.gather(1, chosen).squeeze(1)
