"""A system's functions of windows, as graphs whose inputs are plain tensors by name."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from features import spec

from .batch import Side, masked
from .examples import example
from .system import GraphModule, Reranking, System

ROWS = 3  # batch of the example inputs


class SideGraph(nn.Module):
    """``clips``, ``mask`` and one tensor per extra -> the window's embedding by ``embed``."""

    def __init__(self, embed: Callable[[Side], Tensor], holder: nn.Module, extras: Sequence[str]) -> None:
        super().__init__()
        self.holder, self.embed, self.extras = holder, embed, tuple(extras)

    def forward(self, clips: Tensor, mask: Tensor, *extras: Tensor) -> Tensor:
        return self.embed(Side(clips, mask, dict(zip(self.extras, extras, strict=True))))

    @classmethod
    def export(cls, embed: Callable[[Side], Tensor], holder: nn.Module, side: Side) -> GraphModule:
        """The graph ``video_sequence`` or ``music_sequence``; ``holder`` owns the weights that ``embed`` reads."""
        inputs = {"clips": side.clips, "mask": side.mask, **side.extras}
        return GraphModule(cls(embed, holder, list(side.extras)).eval(), inputs, ("embedding",), tuple(side.extras))


class PairGraph(nn.Module):
    """Both windows -> the score of each pair."""

    def __init__(
        self,
        score: Callable[[Side, Side], Tensor],
        holder: nn.Module,
        video_extras: Sequence[str],
        music_extras: Sequence[str],
    ) -> None:
        super().__init__()
        self.holder, self.score = holder, score
        self.video_extras, self.music_extras = tuple(video_extras), tuple(music_extras)

    def forward(self, video_clips: Tensor, video_mask: Tensor, *rest: Tensor) -> Tensor:
        count = len(self.video_extras)
        music_clips, music_mask = rest[count], rest[count + 1]
        video = Side(video_clips, video_mask, dict(zip(self.video_extras, rest[:count], strict=True)))
        music = Side(music_clips, music_mask, dict(zip(self.music_extras, rest[count + 2 :], strict=True)))
        return self.score(video, music)

    @classmethod
    def export(cls, score: Callable[[Side, Side], Tensor], holder: nn.Module, video: Side, music: Side) -> GraphModule:
        """The graph ``matcher``."""
        inputs = {"video_clips": video.clips, "video_mask": video.mask, **video.extras}
        inputs |= {"music_clips": music.clips, "music_mask": music.mask, **music.extras}
        module = cls(score, holder, list(video.extras), list(music.extras)).eval()
        return GraphModule(module, inputs, ("score",), (*video.extras, *music.extras))


def dual_graphs(system: System, video_dim: int, music_dim: int) -> dict[str, GraphModule]:
    """``video_sequence`` and ``music_sequence`` of a system; where it has a second stage ready, ``matcher`` as well."""
    module = system.module().eval()
    video = example_side(video_dim, system.video_extras)
    music = example_side(music_dim, system.music_extras, flipped=True)
    graphs = {
        "video_sequence": SideGraph.export(system.video, module, video),
        "music_sequence": SideGraph.export(system.music, module, music),
    }
    if isinstance(system, Reranking) and system.reranks:
        graphs["matcher"] = PairGraph.export(system.score, module, video, music)
    return graphs


def example_side(clip_dim: int, extras: Sequence[str], flipped: bool = False) -> Side:
    """Three windows of seven, three and one clips (``flipped``: one, three and seven), zeros behind them."""
    generator = torch.Generator().manual_seed(1 if flipped else 0)
    lengths = torch.tensor([[spec.MAX_CLIPS], [3], [1]])
    mask = torch.arange(spec.MAX_CLIPS) < (lengths.flip(0) if flipped else lengths)
    clips = torch.randn(ROWS, spec.MAX_CLIPS, clip_dim, generator=generator)
    values = {name: example(name, ROWS * spec.MAX_CLIPS).view(ROWS, spec.MAX_CLIPS, *shape_of(name)) for name in extras}
    return Side(masked(clips, mask), mask, {name: masked(value, mask) for name, value in values.items()})


def shape_of(feature: str) -> tuple[int, ...]:
    """Of one clip's feature, as ``features.spec`` describes it."""
    return tuple(spec.FEATURES[feature]["shape"])  # type: ignore[arg-type]
