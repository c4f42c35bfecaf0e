"""EmoMV's system as parts of a bundle: SlowFast and VGGish, and heads trained on the features of EmoMV's release.

A clip's words are the networks' own numbers, 2304 and 128; a window's are their mean over its clips, as the release
averages its pieces. The heads (``towers.emotion_head``) name five emotions and give points in common spaces; their
score of a pair, agreement and mean cosine, is a dot product. A place is such a vector, filled up to one length by one
more number, another one for each side. So the dot product of two places is half the score, and every place has length
1.

Input outside the training range is bounded: a number is at most ``BOUND`` deviations from the training material.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from ..emotion_head import EmotionHead, EmotionScale, EmotionSide, roots
from ..levels import Standard
from ..sequence import masked_mean
from .errors import ImportedError
from .part import LOGITS, Modules
from .slowfast import DEVIATION, MEAN, SlowFast
from .vggish import WIDTH as MUSIC_WIDTH
from .vggish import Vggish
from .weights import check_tensors

INPUT: Final = (224, 224)  # rows and columns that pictures are resized to: the size of training, not its shape
BOUND: Final = 5.0  # deviations
VIDEO_WIDTH: Final = 2304
LONGEST: Final = 2.0  # square of a place's length, before it is made 1: agreement of at most 1, and a cosine
FILE: Final = "emomv_heads.safetensors"
RECORD: Final = "record"
# Energy, valence and tension of an emotion, by hand, after Russell's circumplex.
MOODS: Final[Mapping[str, tuple[float, float, float]]] = {
    "exciting": (0.9, 0.8, 0.4),
    "fear": (0.7, 0.15, 0.9),
    "tense": (0.75, 0.3, 0.9),
    "sad": (0.2, 0.15, 0.4),
    "relax": (0.15, 0.75, 0.1),
}


class Bounded(Standard):
    """Standard scores, none beyond ``BOUND``."""

    def forward(self, level: Tensor) -> Tensor:
        return super().forward(level).clamp(-BOUND, BOUND)


@dataclass(frozen=True)
class Heads:
    """``net`` in eval mode; ``slope`` and ``offset``: from a pair's score to the logit of a match; ``emotions``: their
    names, in order; ``record``: how they were trained."""

    net: EmotionHead
    slope: float
    offset: float
    emotions: tuple[str, ...]
    record: Mapping[str, Any]


def new_net(video: int, music: int, emotions: int, scale: EmotionScale) -> EmotionHead:
    """Fresh weights."""
    net = EmotionHead(video, music, emotions, scale)
    net.video.standard, net.music.standard = Bounded(video), Bounded(music)
    return net


def heads_bytes(heads: Heads) -> bytes:
    """As a safetensors file: weights in float16, scales in float32, everything else as JSON in its metadata."""
    tensors = {
        key: value.contiguous() if ".standard." in key else value.to(torch.float16).contiguous()
        for key, value in heads.net.state_dict().items()
    }
    widths = {"video": heads.net.video.standard.mean.numel(), "music": heads.net.music.standard.mean.numel()}
    facts = {
        "widths": widths,
        "scale": asdict(heads.net.scale),
        "slope": heads.slope,
        "offset": heads.offset,
        "emotions": list(heads.emotions),
        "record": dict(heads.record),
    }
    return save(tensors, {RECORD: json.dumps(facts)})


def read_heads(path: Path | None = None) -> Heads:
    """The heads that come with the program, or those of another file.

    Raises ``ImportedError`` for a file without heads, or whose weights have other shapes or types than it says.
    """
    path = path or Path(__file__).with_name(FILE)
    again = "train them again with segue towers heads emomv"
    try:
        with safe_open(path, "pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()[RECORD])
            stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        widths, emotions = facts["widths"], tuple(map(str, facts["emotions"]))
        net = new_net(int(widths["video"]), int(widths["music"]), len(emotions), EmotionScale(**facts["scale"]))
        slope, offset, record = float(facts["slope"]), float(facts["offset"]), dict(facts["record"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImportedError(f"heads {path}: cannot be read ({reason}); {again}") from error
    if unknown := [name for name in emotions if name.lower() not in MOODS]:
        raise ImportedError(f"heads {path}: name the emotion {unknown[0]!r}, which has no mood; {again}")
    check_tensors(net, {key: value.float() for key, value in stored.items()}, f"heads {path}")
    net.load_state_dict({key: value.float() for key, value in stored.items()})
    return Heads(net.eval(), slope, offset, emotions, record)


class VideoNetwork(nn.Module):
    """``clip_pictures`` (B, 32, 90, 160, 3) uint8 -> (B, 2304)."""

    def __init__(self, network: SlowFast, size: tuple[int, int] = INPUT) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, clip_pictures: Tensor) -> Tensor:
        count, rows, columns = clip_pictures.shape[1:4]
        pictures = clip_pictures.to(torch.float32).permute(0, 1, 4, 2, 3).reshape(-1, 3, rows, columns)
        pictures = functional.interpolate(pictures, size=self.size, mode="bilinear", align_corners=False)
        clips = pictures.reshape(-1, count, 3, *self.size).permute(0, 2, 1, 3, 4)
        vector: Tensor = self.network((clips / 255.0 - MEAN) / DEVIATION)
        return vector


class MusicNetwork(nn.Module):
    """``vggish_mel`` (B, 4, 96, 64) float32 -> (B, 128), the mean of its examples."""

    def __init__(self, network: Vggish) -> None:
        super().__init__()
        self.network = network

    def forward(self, vggish_mel: Tensor) -> Tensor:
        examples, frames, bands = spec.VGGISH_MEL_SHAPE
        vectors: Tensor = self.network(vggish_mel.reshape(-1, 1, frames, bands))
        mean: Tensor = vectors.reshape(-1, examples, vectors.shape[1]).mean(dim=1)
        return mean


class Place(nn.Module):
    """Words of a window's clips and which are valid -> its place, (B, emotions + points + 2), of length 1; ``music``:
    whether it is the music's side, which decides which of the last two numbers fills up the length."""

    def __init__(self, side: EmotionSide, music: bool) -> None:
        super().__init__()
        self.side, self.music = side, music

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        vector: Tensor = self.side(masked_mean(clips, mask))
        missing = (LONGEST - vector.square().sum(dim=1, keepdim=True)).clamp_min(0.0).sqrt()
        nothing = torch.zeros_like(missing)
        ends = (nothing, missing) if self.music else (missing, nothing)
        return torch.cat([vector, *ends], dim=1) / math.sqrt(LONGEST)


class Match(nn.Module):
    """The logit that two windows match, over ``LOGITS``, (B,)."""

    def __init__(self, video: Place, music: Place, slope: float, offset: float) -> None:
        super().__init__()
        self.video, self.music, self.slope, self.offset = video, music, slope, offset

    def forward(self, video_clips: Tensor, video_mask: Tensor, music_clips: Tensor, music_mask: Tensor) -> Tensor:
        video, music = self.video(video_clips, video_mask), self.music(music_clips, music_mask)
        score: Tensor = LONGEST * (video * music).sum(dim=1)
        return (self.slope * score + self.offset) / LOGITS


class Mood(nn.Module):
    """A place of either side, of any length -> energy, valence and tension (B, 3): those of its emotions, weighed by
    their probabilities."""

    def __init__(self, emotions: tuple[str, ...]) -> None:
        super().__init__()
        self.count = len(emotions)
        self.register_buffer("moods", torch.tensor([MOODS[name.lower()] for name in emotions]))

    def forward(self, place: Tensor) -> Tensor:
        shares = place[:, : self.count].clamp_min(1e-9)
        mood: Tensor = (shares / shares.sum(dim=1, keepdim=True)) @ self.get_buffer("moods")
        return mood


@dataclass(frozen=True)
class EmoMvPart(Modules):
    """Everything that joins a bundle (``part.Imported``)."""

    name: ClassVar[str] = "emomv"
    video_features: ClassVar[tuple[str, ...]] = ("clip_pictures",)
    music_features: ClassVar[tuple[str, ...]] = ("vggish_mel",)

    heads: Heads

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"emotions": list(self.heads.emotions), "heads": dict(self.heads.record)}


def video_network(network: SlowFast, size: tuple[int, int] = INPUT) -> nn.Module:
    return VideoNetwork(network, size).eval()


def music_network(network: Vggish) -> nn.Module:
    return MusicNetwork(network).eval()


def build_emomv(pictures: SlowFast, music: Vggish, heads: Heads, size: tuple[int, int] = INPUT) -> EmoMvPart:
    """``ImportedError`` for heads of other widths than the networks have."""
    widths = heads.net.video.standard.mean.numel(), heads.net.music.standard.mean.numel()
    if widths != (pictures.width, MUSIC_WIDTH):
        raise ImportedError(
            f"heads: are of {widths[0]} and {widths[1]} numbers, the networks give {pictures.width} and {MUSIC_WIDTH}; "
            "train them on features of these very networks"
        )
    video_place, music_place = Place(heads.net.video, False), Place(heads.net.music, True)
    return EmoMvPart(
        video_clip=video_network(pictures, size),
        music_clip=music_network(music),
        video_place=video_place.eval(),
        music_place=music_place.eval(),
        match=Match(video_place, music_place, heads.slope, heads.offset).eval(),
        mood=Mood(heads.emotions).eval(),
        heads=heads,
    )


def restandardise(heads: Heads, video: Tensor, music: Tensor) -> None:
    """Measure the heads' scales again, on windows' words (n, width) of each side: this removes the shift and stretch of
    each number by another camera, level or network."""
    heads.net.video.prepare(video)
    heads.net.music.prepare(music)


def share_beyond(side: EmotionSide, words: Tensor) -> float:
    """The share of numbers, of (n, width) words, beyond ``BOUND`` deviations of the head's training material."""
    standard = side.standard
    scores = (roots(words) - standard.mean) * standard.scale
    return float((scores.abs() > BOUND).float().mean())
