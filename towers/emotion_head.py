"""Our emotion path on features that others computed: what does either side feel like, and do the two agree?

Each side names the probabilities of its emotions; a pair matches with the probability that both feel the same; music is
ranked for a video by that. A sum over classes, so it can be indexed: the embeddings are the probabilities, brought to
unit length for an index that compares by cosine. Linear behind standardised and reduced inputs, several times over with
inputs left out at random, averaged: a few hundred pairs teach anything larger their noise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .levels import Standard
from .losses.emotion import agreement_loss
from .losses.segue import known_class


@dataclass(frozen=True)
class EmotionScale:
    """``members``: linear maps averaged; ``dropout`` of inputs; ``agreement``: weight beside the cross-entropies."""

    members: int = 8
    dropout: float = 0.6
    agreement: float = 0.5


class EmotionSide(nn.Module):
    """(n, inputs) -> probabilities (n, emotions)."""

    def __init__(self, inputs: int, emotions: int, scale: EmotionScale) -> None:
        super().__init__()
        self.standard = Standard(inputs)
        self.dropout = nn.Dropout(scale.dropout)
        self.members = nn.ModuleList(nn.Linear(inputs, emotions) for _ in range(scale.members))
        for member in self.members:
            assert isinstance(member, nn.Linear)
            nn.init.normal_(member.weight, std=0.01)
            nn.init.zeros_(member.bias)

    def logits(self, vector: Tensor) -> Tensor:
        """(members, n, emotions); each member sees other inputs while training."""
        standard = self.standard(vector)
        return torch.stack([member(self.dropout(standard)) for member in self.members])

    def forward(self, vector: Tensor) -> Tensor:
        return self.logits(vector).softmax(dim=-1).mean(dim=0)


class EmotionHead(nn.Module):
    """Both sides."""

    def __init__(self, video: int, music: int, emotions: int, scale: EmotionScale | None = None) -> None:
        super().__init__()
        self.scale = scale or EmotionScale()
        self.video = EmotionSide(video, emotions, self.scale)
        self.music = EmotionSide(music, emotions, self.scale)

    def prepare(self, video: Tensor, music: Tensor) -> None:
        """Scales of the inputs, (n, dim) each."""
        self.video.standard.prepare(video)
        self.music.standard.prepare(music)

    def loss(self, video: Tensor, music: Tensor, video_label: Tensor, music_label: Tensor) -> Tensor:
        seen, heard = self.video.logits(video), self.music.logits(music)
        terms = [known_class(part, video_label) for part in seen] + [known_class(part, music_label) for part in heard]
        apart = [
            agreement_loss(one.softmax(dim=-1), other.softmax(dim=-1), video_label, music_label)
            for one, other in zip(seen, heard, strict=True)
        ]
        return (torch.stack(terms).sum() + self.scale.agreement * torch.stack(apart).sum()) / len(seen)
