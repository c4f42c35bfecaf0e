"""Our emotion path on features that others computed: the emotion of each side, and whether the two agree.

Each side gives the probabilities of its emotions, and points of unit length in common spaces. A pair is scored by the
probability that both sides have the same emotion plus the cosine of their points. Whole pairs draw the points together,
not emotion labels alone, and so the points separate matched from mismatched pairs better. Both are sums over
dimensions, so the score is one dot product of two vectors and can be indexed.

On a few hundred pairs a large network learns the noise. So emotions are linear in the inputs, points have one hidden
layer, and several members with other first weights are averaged. Inputs are non-negative with long tails, so their
roots are taken before they are standardised.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .levels import Standard
from .losses.emotion import agreement_loss, nearness_loss
from .losses.segue import known_class


@dataclass(frozen=True)
class EmotionScale:
    """``members``: networks averaged; ``hidden`` and ``embedding``: widths of the way to a point, ``dropout`` of the
    hidden layer; ``agreement`` and ``nearness``: weights beside the cross-entropies; ``temperature`` of nearness;
    ``kin``: weight of either side's own nearness beside that of both; ``cosine``: weight in the score, where agreement
    has 1."""

    members: int = 4
    hidden: int = 64
    embedding: int = 32
    dropout: float = 0.3
    agreement: float = 0.5
    nearness: float = 1.0
    temperature: float = 0.2
    kin: float = 0.25
    cosine: float = 1.0


class Members(nn.Module):
    """Linear maps side by side: (n, inputs) or (members, n, inputs) -> (members, n, outputs).

    The first outputs of inputs of variance 1 have a deviation of ``gain``.
    """

    def __init__(self, members: int, inputs: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, inputs, outputs) * gain / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class EmotionSide(nn.Module):
    """(n, inputs) -> vectors (n, emotions + members * embedding) whose dot products with the other side's score pairs;
    the first are the probabilities of the emotions."""

    def __init__(self, inputs: int, emotions: int, scale: EmotionScale) -> None:
        super().__init__()
        self.scale = scale
        self.standard = Standard(inputs)
        self.classes = Members(scale.members, inputs, emotions, gain=0.1)
        self.points = nn.Sequential(
            Members(scale.members, inputs, scale.hidden, gain=2.0**0.5),
            nn.ReLU(),
            nn.Dropout(scale.dropout),
            Members(scale.members, scale.hidden, scale.embedding, gain=1.0),
        )

    def prepare(self, vector: Tensor) -> None:
        """Scales of the inputs, (n, inputs)."""
        self.standard.prepare(roots(vector))

    def logits_and_points(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the emotions (members, n, emotions), points of unit length (members, n, embedding)."""
        standard = self.standard(roots(vector))
        return self.classes(standard), functional.normalize(self.points(standard), dim=-1)

    def emotions(self, vector: Tensor) -> Tensor:
        """Probabilities, (n, emotions)."""
        return average_members(self.logits_and_points(vector)[0])

    def forward(self, vector: Tensor) -> Tensor:
        logits, points = self.logits_and_points(vector)
        # The mean of the members' cosines, as a dot product of all their points.
        share = (self.scale.cosine / self.scale.members) ** 0.5
        return torch.cat([average_members(logits), share * points.transpose(0, 1).flatten(start_dim=1)], dim=-1)


class EmotionHead(nn.Module):
    """Both sides."""

    def __init__(self, video: int, music: int, emotions: int, scale: EmotionScale | None = None) -> None:
        super().__init__()
        self.scale = scale or EmotionScale()
        self.video = EmotionSide(video, emotions, self.scale)
        self.music = EmotionSide(music, emotions, self.scale)

    def prepare(self, video: Tensor, music: Tensor) -> None:
        """Scales of the inputs, (n, dim) each."""
        self.video.prepare(video)
        self.music.prepare(music)

    def loss(self, video: Tensor, music: Tensor, video_label: Tensor, music_label: Tensor) -> Tensor:
        """Of n rows; a row whose two emotions are the same is a video with its own music, as in EmoMV's lists."""
        (video_logits, video_points), (music_logits, music_points) = (
            self.video.logits_and_points(video),
            self.music.logits_and_points(music),
        )
        terms = [known_class(part, video_label) for part in video_logits] + [
            known_class(part, music_label) for part in music_logits
        ]
        agreements = [
            agreement_loss(video_part.softmax(dim=-1), music_part.softmax(dim=-1), video_label, music_label)
            for video_part, music_part in zip(video_logits, music_logits, strict=True)
        ]
        emotion = (torch.stack(terms).sum() + self.scale.agreement * torch.stack(agreements).sum()) / self.scale.members
        across = self.nearness(video_points, music_points, video_label, music_label, itself=True)
        within = self.nearness(video_points, video_points, video_label, video_label, itself=False)
        within = within + self.nearness(music_points, music_points, music_label, music_label, itself=False)
        return emotion + self.scale.nearness * (across + self.scale.kin * within)

    def nearness(self, points: Tensor, others: Tensor, label: Tensor, other_label: Tensor, itself: bool) -> Tensor:
        """Points of the same emotion should lie near; points (members, n, embedding), labels (n,), both twice.

        ``itself``: number k of the others is the partner of number k, and the two should also lie near by themselves;
        otherwise the two are the same item, and the pair is left out.
        """
        logits = points @ others.mT / self.scale.temperature
        same = label.unsqueeze(1) == other_label.unsqueeze(0)
        known = (label >= 0).unsqueeze(1) & (other_label >= 0).unsqueeze(0)
        own = torch.eye(len(same), dtype=torch.bool, device=same.device)
        alike, unlike = same & known, ~same & known
        if not itself:
            return nearness_loss(logits, alike & ~own, unlike)
        return nearness_loss(logits, alike, unlike) + nearness_loss(logits, alike & own, unlike)


def roots(vector: Tensor) -> Tensor:
    """Square roots that keep the sign."""
    return vector.sign() * vector.abs().sqrt()


def average_members(logits: Tensor) -> Tensor:
    """(members, n, emotions) -> probabilities (n, emotions)."""
    return logits.softmax(dim=-1).mean(dim=0)
