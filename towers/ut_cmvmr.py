"""UT-CMVMR (Mao et al.): the network that a bundle carries. What only training needs stands in ``objective.py``.

Retrieval must be able to index, so theta of either side is a function of that side alone; the paper's cross-attention,
which makes each side depend on the other, serves in the matcher, a second stage on the shortlist.

Settings (paper, table 1): SE&R sequence encoders with rhythm and flow embeddings; SE without them; A-SE the mean of the
learned clip embeddings; AE the mean of plain clip statistics, no learned extractor.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .backbones.clips import MusicClipTower, VideoClipTower
from .presets import Configuration
from .sequence import CrossAttention, FlowEmbedding, RhythmEmbedding, SequenceEncoder, masked_mean
from .system import GraphModule

NAME = "ut-cmvmr"


class Branch(nn.Module):
    """One modality's sequence stage: clips, mask and their quantised companions -> tokens, rho and theta.

    ``encode`` gives tokens (B, n, width), their mask (B, n) and rho (B, width); ``project`` turns rho into theta (B, E)
    of unit norm.

    Ours beside the paper: rho is the mean of the tokens plus what a few numbers of each, laid out by place, say. A mean
    alone keeps little of *when* something happens, and when energy rises and falls is what the two sides share most.
    """

    def __init__(self, config: Configuration, companion: nn.Module | None) -> None:
        super().__init__()
        preset, width = config.preset, config.preset.sequence_width
        self.companion = companion
        self.average = config.setting in ("a-se", "ae")
        self.encoder: nn.Module
        if self.average:
            self.encoder = nn.Sequential(nn.Linear(preset.clip_dim, width), nn.GELU(), nn.LayerNorm(width))
        else:
            self.encoder = SequenceEncoder(
                preset.clip_dim, width, preset.sequence_layers, preset.sequence_heads, preset.sequence_dropout
            )
            self.level = nn.Linear(width, preset.course_width)
            self.course = nn.Linear(spec.MAX_CLIPS * (preset.course_width + 1), width)
        self.projection = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(preset.sequence_dropout),
            nn.Linear(2 * width, preset.embedding_dim),
        )

    def encode(self, clips: Tensor, mask: Tensor, quantised: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.average:
            rho = self.encoder(masked_mean(clips, mask))
            return rho.unsqueeze(1), mask.any(dim=1, keepdim=True), rho
        extra = None if self.companion is None else self.companion(quantised)
        tokens = self.encoder(clips, mask, extra)
        levels = torch.where(mask.unsqueeze(-1), self.level(tokens), 0.0)
        course = self.course(torch.cat([levels.flatten(1), mask.to(levels.dtype)], dim=-1))
        return tokens, mask, masked_mean(tokens, mask) + course

    def project(self, rho: Tensor) -> Tensor:
        return functional.normalize(self.projection(rho), dim=-1)

    def forward(self, clips: Tensor, mask: Tensor, quantised: Tensor) -> Tensor:
        return self.project(self.encode(clips, mask, quantised)[2])


class Matcher(nn.Module):
    """Matched or not, of both sides' tokens after cross-attention, and of the cosine of their thetas.

    The cosine enters with a learned scale, so that the second stage starts from what the first knows.
    """

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        preset, width = config.preset, config.preset.sequence_width
        self.cross = CrossAttention(width, preset.sequence_heads)
        self.classifier = nn.Sequential(
            nn.LayerNorm(4 * width),
            nn.Linear(4 * width, width),
            nn.GELU(),
            nn.Dropout(preset.sequence_dropout),
            nn.Linear(width, 1),
        )
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, video: Tensor, video_mask: Tensor, music: Tensor, music_mask: Tensor, cosine: Tensor) -> Tensor:
        """Tokens (B, n, width), masks (B, n), cosine (B,) -> logit (B,)."""
        video, music = self.cross(video, video_mask, music, music_mask)
        v, m = masked_mean(video, video_mask), masked_mean(music, music_mask)
        pair = torch.cat([v, m, v * m, (v - m).abs()], dim=-1)
        logit: Tensor = self.classifier(pair).squeeze(-1) + self.scale * cosine
        return logit


class UtCmvmr(nn.Module):
    """The whole network; a ``System``."""

    name = NAME

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        preset = config.preset
        learned, with_rhythm = config.setting != "ae", config.setting == "se-r"
        self.config = config
        self.clip_dim, self.embedding_dim = preset.clip_dim, preset.embedding_dim
        self.video_clip = VideoClipTower(preset.clip_dim, preset.video if learned else None)
        self.music_clip = MusicClipTower(preset.clip_dim, preset.music if learned else None)
        width = preset.sequence_width
        self.video = Branch(config, FlowEmbedding(config.flow_edges, width) if with_rhythm else None)
        self.music = Branch(config, RhythmEmbedding(config.rhythm_edges, width) if with_rhythm else None)
        self.matcher = Matcher(config)
        self.mood = nn.Sequential(
            nn.Linear(preset.embedding_dim, 64), nn.GELU(), nn.Linear(64, len(spec.MOOD_AXES)), nn.Sigmoid()
        )

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, object]:
        return self.config.to_json()

    def graphs(self) -> dict[str, GraphModule]:
        """The bundle's graphs in eval mode, as docs/ARCHITECTURE.md lays them down."""
        self.eval()
        clips = torch.randn(3, spec.MAX_CLIPS, self.clip_dim, generator=torch.Generator().manual_seed(0))
        mask = torch.arange(spec.MAX_CLIPS) < torch.tensor([[spec.MAX_CLIPS], [3], [1]])
        clips = clips * mask.unsqueeze(-1)
        displacement = torch.linspace(0.0, 0.5, spec.MAX_CLIPS).expand(3, -1).contiguous() * mask
        rhythm = torch.tensor([8.0, 1.0, 0.5]).expand(3, spec.MAX_CLIPS, -1) * mask.unsqueeze(-1)
        image = torch.arange(3, dtype=torch.uint8).view(3, 1, 1).expand(3, *spec.CLIP_IMAGE_SHAPE).contiguous() * 100
        mel = torch.linspace(-13.0, 5.0, spec.MEL_BANDS).expand(3, *spec.CLIP_MEL_SHAPE).contiguous()
        theta = functional.normalize(
            torch.randn(3, self.embedding_dim, generator=torch.Generator().manual_seed(1)), dim=-1
        )
        pair = {
            "video_clips": clips,
            "video_mask": mask,
            "displacement": displacement,
            "music_clips": clips.flip(0).contiguous(),
            "music_mask": mask.flip(0).contiguous(),
            "rhythm": rhythm.flip(0).contiguous(),
        }
        graphs = {
            "video_clip": GraphModule(self.video_clip, {"clip_image": image}, ("embedding",), ("clip_image",)),
            "music_clip": GraphModule(self.music_clip, {"clip_mel": mel}, ("embedding",), ("clip_mel",)),
            "video_sequence": GraphModule(
                self.video,
                {"clips": clips, "mask": mask, "displacement": displacement},
                ("embedding",),
                ("displacement",),
            ),
            "music_sequence": GraphModule(
                self.music, {"clips": clips, "mask": mask, "rhythm": rhythm}, ("embedding",), ("rhythm",)
            ),
            "matcher": GraphModule(Score(self), pair, ("score",), ("displacement", "rhythm")),
            "mood": GraphModule(self.mood, {"embedding": theta}, ("mood",), ()),
        }
        for graph in graphs.values():
            graph.module.eval()
        return graphs


class Score(nn.Module):
    """The matcher as one graph: both sides' sequence stages, then the matcher, (B,) in [0, 1]."""

    def __init__(self, system: UtCmvmr) -> None:
        super().__init__()
        self.video, self.music, self.matcher = system.video, system.music, system.matcher

    def forward(
        self,
        video_clips: Tensor,
        video_mask: Tensor,
        displacement: Tensor,
        music_clips: Tensor,
        music_mask: Tensor,
        rhythm: Tensor,
    ) -> Tensor:
        video_tokens, video_valid, video_rho = self.video.encode(video_clips, video_mask, displacement)
        music_tokens, music_valid, music_rho = self.music.encode(music_clips, music_mask, rhythm)
        cosine = (self.video.project(video_rho) * self.music.project(music_rho)).sum(dim=-1)
        logit: Tensor = self.matcher(video_tokens, video_valid, music_tokens, music_valid, cosine)
        return torch.sigmoid(logit)


def build(configuration: Mapping[str, Any]) -> UtCmvmr:
    """From what a run stores; fresh weights."""
    return UtCmvmr(Configuration.from_json(dict(configuration)))
