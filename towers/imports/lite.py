"""The imported networks as parts of a bundle: pictures to groups, music to tags, both to the axes of the match.

A clip's part of its vector is its groups or tags, each as its standard score over a background of real material
(``Background``): a network is sure of some words and unsure of others, and only unusual scores carry information.

A window's part of its embedding is its place on ``vocabulary.AXES``: the clips' words, squashed to (-1, 1) by a
logistic curve, averaged, taken through the association by hand, standardised over the background again. Two more places
hold the doubt, ``DOUBT`` on a place of its own for each side, before all is brought to unit length: an ordinary window
is near to nothing, not to whatever happens to point in its direction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .efficientnet_lite import CENTRE, SCALE, EfficientNetLite
from .errors import ImportedError
from .musicnn import Musicnn
from .part import Modules
from .vocabulary import AXES, GROUPS, MSD_TAGS, MTT_TAGS, SCENES, SUNG, TAGS, UNSUNG, kinds_of

INPUT: Final = (224, 224)  # rows and columns that a picture is resized to, as in training
DOUBT: Final = 1.5  # against axes of unit deviation
GROUP_NAMES: Final = tuple(GROUPS)
TAG_NAMES: Final = tuple(f"mtt:{tag}" for tag in MTT_TAGS) + tuple(f"msd:{tag}" for tag in MSD_TAGS)
WIDTH: Final = len(AXES) + 2  # of a window's part
LEAST: Final = 1e-3  # the least deviation to divide by


@dataclass(frozen=True)
class Side:
    """Mean and deviation of a side's words, and of its axes, over the background."""

    words_mean: tuple[float, ...]
    words_deviation: tuple[float, ...]
    axes_mean: tuple[float, ...]
    axes_deviation: tuple[float, ...]


@dataclass(frozen=True)
class Background:
    """Both sides, and the number of clips that each was measured on."""

    video: Side
    music: Side
    video_clips: int
    music_clips: int

    def text(self) -> str:
        """JSON, to four digits."""
        rows: dict[str, object] = {
            side: {name: [round(value, 4) for value in row] for name, row in asdict(getattr(self, side)).items()}
            for side in ("video", "music")
        }
        rows |= {"video_clips": self.video_clips, "music_clips": self.music_clips}
        return json.dumps(rows) + "\n"


def read_background(path: Path | None = None) -> Background:
    """The background that comes with the program, or that of another file.

    Raises ``ImportedError`` for a file without a background, or with another vocabulary's.
    """
    path = path or Path(__file__).with_name("background.json")
    sizes = {"video": len(GROUP_NAMES), "music": len(TAG_NAMES)}
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sides = {side: Side(**{name: tuple(map(float, row)) for name, row in data[side].items()}) for side in sizes}
        background = Background(sides["video"], sides["music"], int(data["video_clips"]), int(data["music_clips"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImportedError(f"background {path}: cannot be read ({error!r}); measure it again") from error
    for name, size in sizes.items():
        side = sides[name]
        lengths = [len(row) for row in (side.words_mean, side.words_deviation, side.axes_mean, side.axes_deviation)]
        if lengths != [size, size, len(AXES), len(AXES)]:
            raise ImportedError(
                f"background {path}: {name} has {lengths} numbers, another vocabulary's; measure it again"
            )
    return background


class SceneWords(nn.Module):
    """``scene`` (B, 90, 160, 3) uint8 -> (B, groups) log shares of the groups that the network sees."""

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.network = network
        members = torch.zeros(len(GROUP_NAMES), network.fc.out_features)
        for row, group in enumerate(GROUP_NAMES):
            members[row, list(kinds_of(group))] = 1.0
        self.register_buffer("members", members.T.contiguous())

    def forward(self, scene: Tensor) -> Tensor:
        pictures = scene.to(torch.float32).permute(0, 3, 1, 2)
        pictures = functional.interpolate(pictures, size=INPUT, mode="bilinear", align_corners=False)
        shares = functional.softmax(self.network((pictures - CENTRE) / SCALE), dim=1)
        members: Tensor = self.get_buffer("members")
        return torch.log(shares @ members + 1e-6)


class MusicWords(nn.Module):
    """``tag_mel`` (B, 187, 96) float32 -> (B, tags) logits of both vocabularies."""

    def __init__(self, networks: Sequence[Musicnn]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, tag_mel: Tensor) -> Tensor:
        return torch.cat([network(tag_mel) for network in self.networks], dim=1)


class Scored(nn.Module):
    """Words as standard scores over the background."""

    def __init__(self, words: nn.Module, side: Side) -> None:
        super().__init__()
        self.words = words
        self.register_buffer("mean", torch.tensor(side.words_mean))
        self.register_buffer("deviation", torch.tensor(side.words_deviation).clamp_min(LEAST))

    def forward(self, feature: Tensor) -> Tensor:
        scores: Tensor = (self.words(feature) - self.get_buffer("mean")) / self.get_buffer("deviation")
        return scores


class Axes(nn.Module):
    """Scores of a window's clips (B, 7, words) and which are valid (B, 7) -> its place on the axes (B, axes)."""

    def __init__(self, association: Tensor, side: Side) -> None:
        super().__init__()
        self.register_buffer("association", association)
        self.register_buffer("mean", torch.tensor(side.axes_mean))
        self.register_buffer("deviation", torch.tensor(side.axes_deviation).clamp_min(LEAST))

    def raw(self, clips: Tensor, mask: Tensor) -> Tensor:
        """The axes before they are standardised; the background is measured on them."""
        valid = mask.to(clips.dtype).unsqueeze(-1)
        pooled = (torch.tanh(clips / 2) * valid).sum(dim=1) / valid.sum(dim=1)
        placed: Tensor = pooled @ self.get_buffer("association")
        return placed

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        axes: Tensor = (self.raw(clips, mask) - self.get_buffer("mean")) / self.get_buffer("deviation")
        return axes


class Place(nn.Module):
    """The same as a unit vector (B, axes + 2); ``side``: 0 for pictures, 1 for music; it decides the place of the
    doubt."""

    def __init__(self, axes: Axes, side: int) -> None:
        super().__init__()
        self.axes, self.side = axes, side

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        axes = self.axes(clips, mask)
        doubt = torch.full_like(axes[:, :1], DOUBT)
        nothing = torch.zeros_like(doubt)
        ends = (nothing, doubt) if self.side else (doubt, nothing)
        return functional.normalize(torch.cat([axes, *ends], dim=1), dim=1)


class Match(nn.Module):
    """The cosine of two windows' places, (B,)."""

    def __init__(self, video: Place, music: Place) -> None:
        super().__init__()
        self.video, self.music = video, music

    def forward(self, video_clips: Tensor, video_mask: Tensor, music_clips: Tensor, music_mask: Tensor) -> Tensor:
        video, music = self.video(video_clips, video_mask), self.music(music_clips, music_mask)
        cosine: Tensor = (video * music).sum(dim=1)
        return cosine


class Mood(nn.Module):
    """A place of either side (B, meanings + 2), of any length, whose first are the moods -> energy, valence and tension
    (B, 3) in [0, 1]."""

    def __init__(self, meanings: int) -> None:
        super().__init__()
        self.meanings = meanings

    def forward(self, place: Tensor) -> Tensor:
        doubt = place[:, self.meanings :].sum(dim=1, keepdim=True).abs().clamp_min(1e-6)
        return torch.sigmoid(DOUBT * place[:, : len(spec.MOOD_AXES)] / doubt)


@dataclass(frozen=True)
class Lite(Modules):
    """Everything that joins a bundle (``part.Imported``)."""

    name: ClassVar[str] = "lite"
    video_features: ClassVar[tuple[str, ...]] = ("scene",)
    music_features: ClassVar[tuple[str, ...]] = ("tag_mel",)

    video_place: Place
    music_place: Place

    @property
    def facts(self) -> Mapping[str, Any]:
        words = {"axes": AXES, "groups": GROUP_NAMES, "tags": TAG_NAMES, "sung": SUNG, "unsung": UNSUNG}
        return {name: list(row) for name, row in words.items()}


def build_lite(pictures: EfficientNetLite, music: Sequence[Musicnn], background: Background) -> Lite:
    """``music``: the networks of MTT's and of MSD's tags, in this order."""
    scenes = Axes(torch.tensor([SCENES[group] for group in GROUP_NAMES]), background.video)
    nothing = (0.0,) * len(AXES)
    tags = Axes(torch.tensor([TAGS.get(tag.partition(":")[2], nothing) for tag in TAG_NAMES]), background.music)
    video_place, music_place = Place(scenes, 0), Place(tags, 1)
    return Lite(
        video_clip=Scored(SceneWords(pictures), background.video).eval(),
        music_clip=Scored(MusicWords(music), background.music).eval(),
        video_place=video_place.eval(),
        music_place=music_place.eval(),
        match=Match(video_place, music_place).eval(),
        mood=Mood(len(AXES)).eval(),
    )
