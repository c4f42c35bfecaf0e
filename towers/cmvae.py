"""CMVAE (Yi et al. 2021): one variational auto-encoder for each modality, which also decodes the other's features.

Video and music are the means of their clip vectors, standardised. The latents of a pair serve four reconstructions, two
of them crossed, so they keep what both sides share; a hinge on the posterior means pulls pairs together. The embedding
is the posterior mean, at unit length: a query draws nothing.

The original also reads text that comes with a video; a query here has none, so the video's posterior stands alone.
Depth, the form of the matching and the weights are ours.

Settings: ``full``; ``plain`` without the crossed reconstructions.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batch import Batch, Side, Sizes
from .levels import Standard
from .losses.cmvae import divergence, draw, matching, reconstruction
from .sequence import masked_mean
from .system import GraphModule
from .windows import dual_graphs

NAME = "cmvae"
SETTINGS = ("full", "plain")


@dataclass(frozen=True)
class Scale:
    hidden: int
    embedding: int
    dropout: float


SCALES = {
    "small": Scale(hidden=256, embedding=128, dropout=0.1),
    "paper": Scale(hidden=512, embedding=256, dropout=0.1),
    "tiny": Scale(hidden=16, embedding=8, dropout=0.0),
}


@dataclass(frozen=True)
class Weights:
    """``divergence`` and ``reconstruction`` are per dimension decoded, so that they do not outweigh the matching."""

    reconstruction: float = 0.2
    crossed: float = 0.2
    divergence: float = 0.01
    matching: float = 10.0
    margin: float = 0.2


@dataclass(frozen=True)
class Configuration:
    """Everything that shapes the network."""

    setting: str
    scale: Scale
    video_dim: int
    music_dim: int
    weights: Weights = field(default_factory=Weights)


class Coder(nn.Module):
    """One modality: (B, D) to its posterior and back."""

    def __init__(self, width: int, scale: Scale) -> None:
        super().__init__()
        self.standard = Standard(width)
        self.encoder = nn.Sequential(nn.Linear(width, scale.hidden), nn.ReLU(), nn.Dropout(scale.dropout))
        self.mean = nn.Linear(scale.hidden, scale.embedding)
        self.log_variance = nn.Linear(scale.hidden, scale.embedding)
        self.decoder = nn.Sequential(
            nn.Linear(scale.embedding, scale.hidden), nn.ReLU(), nn.Linear(scale.hidden, width)
        )

    def level(self, side: Side) -> Tensor:
        level: Tensor = self.standard(masked_mean(side.clips, side.mask))
        return level

    def posterior(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, (B, E) each; the variance stays within e^-8 to e^8."""
        hidden = self.encoder(level)
        return self.mean(hidden), 8.0 * torch.tanh(self.log_variance(hidden) / 8.0)

    def forward(self, side: Side) -> Tensor:
        """(B, E), unit norm."""
        return functional.normalize(self.posterior(self.level(side))[0], dim=-1)


class Cmvae(nn.Module):
    """A ``System``, ``Prepared`` by the scales of its inputs."""

    name = NAME
    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.config, self.setting, self.embedding_dim = config, config.setting, config.scale.embedding
        self.video_coder, self.music_coder = (
            Coder(config.video_dim, config.scale),
            Coder(config.music_dim, config.scale),
        )

    def prepare(self, train: Batch) -> None:
        for coder, side in ((self.video_coder, train.video), (self.music_coder, train.music)):
            coder.standard.prepare(masked_mean(side.clips, side.mask))

    def video(self, side: Side) -> Tensor:
        embedding: Tensor = self.video_coder(side)
        return embedding

    def music(self, side: Side) -> Tensor:
        embedding: Tensor = self.music_coder(side)
        return embedding

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Minus the evidence bounds, own and crossed, and the matching of the means."""
        weights = self.config.weights
        coders = (self.video_coder, self.music_coder)
        levels = [coder.level(side) for coder, side in zip(coders, (batch.video, batch.music), strict=True)]
        posteriors = [coder.posterior(level) for coder, level in zip(coders, levels, strict=True)]
        latents = [draw(*posterior) for posterior in posteriors]
        video, music = (functional.normalize(mean, dim=-1) for mean, _ in posteriors)

        def decode_loss(latent: Tensor, side: int) -> Tensor:
            return reconstruction(coders[side].decoder(latent), levels[side]) / levels[side].shape[1]

        parts = {
            "reconstruction": weights.reconstruction * (decode_loss(latents[0], 0) + decode_loss(latents[1], 1)),
            "divergence": weights.divergence
            * torch.stack([divergence(*posterior) for posterior in posteriors]).sum()
            / self.embedding_dim,
            "matching": weights.matching * matching(video @ music.T, batch.false_pairs(), weights.margin),
        }
        if self.setting == "full":
            parts["crossed"] = weights.crossed * (decode_loss(latents[0], 1) + decode_loss(latents[1], 0))
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


def make(setting: str, sizes: Sizes, scale: str) -> Cmvae:
    """Fresh weights for a corpus."""
    return Cmvae(Configuration(setting, SCALES[scale], sizes.video, sizes.music))


def build(configuration: Mapping[str, Any]) -> Cmvae:
    """From a stored configuration, with fresh weights."""
    stored = dict(configuration)
    return Cmvae(
        Configuration(**{**stored, "scale": Scale(**stored["scale"]), "weights": Weights(**stored["weights"])})
    )
