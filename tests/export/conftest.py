"""A small system of four graphs in torch, shaped like a trained run, and one real run of the towers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from features.spec import CLIP_IMAGE_SHAPE, CLIP_MEL_SHAPE, MAX_CLIPS, RHYTHM_FIELDS

CLIP_DIM, EMBEDDING_DIM = 6, 4


class VideoClip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(CLIP_IMAGE_SHAPE[1], CLIP_DIM)

    def forward(self, clip_image: Tensor) -> Tensor:
        return torch.tanh(self.out(clip_image.to(torch.float32).mean(dim=1) / 255))


class MusicClip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(CLIP_MEL_SHAPE[1], CLIP_DIM)

    def forward(self, mels: Tensor) -> Tensor:  # another name than the input's: the order counts
        return torch.tanh(self.out(mels.mean(dim=1)))


class Sequence(nn.Module):
    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra
        self.out = nn.Linear(CLIP_DIM + extra, EMBEDDING_DIM)

    def forward(self, clips: Tensor, mask: Tensor, companion: Tensor) -> Tensor:
        companion = companion.unsqueeze(-1) if self.extra == 1 else companion
        weights = mask.to(clips.dtype).unsqueeze(-1)
        pooled = (torch.cat([clips, companion], dim=-1) * weights).sum(dim=1) / weights.sum(dim=1)
        return nn.functional.normalize(self.out(pooled), dim=-1)


@dataclass
class Graph:
    """The shape of ``towers.system.GraphModule``."""

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...] = ("embedding",)
    features: tuple[str, ...] = ()
    of: str | None = None
    takes: dict[str, str] | None = None


@dataclass
class SmallRun:
    music_dim: int = CLIP_DIM
    embedding_dim: int = EMBEDDING_DIM
    training: dict[str, Any] = field(default_factory=lambda: {"corpus": "none", "pairs": 0, "seed": 0})
    changes: dict[str, Graph | None] = field(default_factory=dict)

    @property
    def widths(self) -> dict[str, int]:
        windows = dict.fromkeys(("video_sequence", "music_sequence"), self.embedding_dim)
        return {"video_clip": CLIP_DIM, "music_clip": self.music_dim, **windows}

    def graphs(self) -> dict[str, Graph]:
        return {name: graph for name, graph in (small_graphs() | self.changes).items() if graph is not None}


def small_graphs() -> dict[str, Graph]:
    torch.manual_seed(0)
    clips = torch.randn(3, MAX_CLIPS, CLIP_DIM)
    mask = torch.arange(MAX_CLIPS) < torch.tensor([[MAX_CLIPS], [3], [1]])
    displacement, rhythm = torch.rand(3, MAX_CLIPS), torch.rand(3, MAX_CLIPS, len(RHYTHM_FIELDS)) * 8
    image = torch.randint(0, 256, (3, *CLIP_IMAGE_SHAPE), dtype=torch.uint8)
    mel = torch.rand(3, *CLIP_MEL_SHAPE) * 18 - 13
    graphs = {
        "video_clip": Graph(VideoClip(), {"clip_image": image}, features=("clip_image",)),
        "music_clip": Graph(MusicClip(), {"clip_mel": mel}, features=("clip_mel",)),
        "video_sequence": Graph(
            Sequence(1), {"clips": clips, "mask": mask, "displacement": displacement}, features=("displacement",)
        ),
        "music_sequence": Graph(Sequence(3), {"clips": clips, "mask": mask, "rhythm": rhythm}, features=("rhythm",)),
    }
    for graph in graphs.values():
        graph.module.eval()
    return graphs


@pytest.fixture
def small_run() -> Callable[..., SmallRun]:
    """``small_run(music_dim=..., embedding_dim=..., training=..., changes={graph: Graph or None})``."""
    return SmallRun


@pytest.fixture
def graph_of() -> Callable[..., Graph]:
    """``graph_of(module, inputs, outputs, features)`` for a graph of one's own."""
    return Graph


@pytest.fixture(scope="session")
def tower_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as training leaves it: UT-CMVMR in its smallest size with rhythm and flow, fresh weights."""
    from towers.backbones.registry import make_backbone
    from towers.batch import Sizes
    from towers.run import save_run
    from towers.system import make

    torch.manual_seed(0)
    video, music = (make_backbone("conformer", side, "tiny") for side in ("video", "music"))
    system = make("ut-cmvmr", "se-r", Sizes(video.width, music.width, 5, 0), "tiny")
    folder = tmp_path_factory.mktemp("run") / "run"
    record = {"corpus": "studio", "pairs": 12, "seed": 3, "commit": "", "metrics": {"recall": 0.5}}
    save_run(folder, system, video, music, record)
    return folder
