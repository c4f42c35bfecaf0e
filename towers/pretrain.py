"""First stage: a backbone learns to predict the labels of a clip's pair (UT-CMVMR, section 2.1).

An epoch shows one freshly changed clip of every pair. The paper's loss is the cross-entropy of the unified tag. We add:
the direction of all the pair's tags (the best tag alone says little), mood, whose energy is that of the clip itself,
and the emotion class, which DPVM's emotion path learns from too (5). Labels that a corpus lacks take no part.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .backbones.backbone import Backbone, Normalised
from .backbones.small import EMOTION
from .checkpoint import Checkpoint, Progress
from .clip_inputs import clip_inputs
from .corpora.corpus import Split
from .losses.segue import known_class, known_direction, known_error
from .tags import UNKNOWN, TagTargets

NORMALISATION_PAIRS = 200
LAST_START_S = spec.WINDOW_S - spec.CLIP_S  # a window of fewer clips: see last_starts_s
VALIDATED_S = (4, 20)  # two clips of every validation pair, unchanged and always the same


@dataclass(frozen=True)
class PretrainOptions:
    epochs: int = 8
    batch: int = 16
    rate: float = 1e-3
    weight_decay: float = 0.02
    clip_norm: float = 3.0
    tag_weight: float = 1.0
    words_weight: float = 1.0
    mood_weight: float = 1.0
    emotion_weight: float = 0.5


@dataclass(frozen=True)
class Known:
    """Of a split: ``tag`` (n,) int64 or UNKNOWN; ``words`` (n, V) TF-IDF; ``mood`` (n, 28, 3) by second, scaled as in
    training, NaN where unknown; ``emotion`` (n,) int64 or -1."""

    tag: Tensor
    words: Tensor
    mood: Tensor
    emotion: Tensor

    def mood_of(self, rows: Tensor, starts_s: Tensor) -> Tensor:
        """(B, 3): mean mood of the clips that start at ``starts_s`` (B,) whole seconds."""
        seconds = starts_s.unsqueeze(1) + torch.arange(spec.CLIP_S)
        return self.mood[rows.unsqueeze(1), seconds].mean(dim=1)


class Heads(nn.Module):
    """Predictions from a clip's vector; dropped when the backbone is trained."""

    def __init__(self, backbone: Backbone, labels: int, words: int, emotions: int) -> None:
        super().__init__()
        self.start, self.stop = backbone.parts.get(EMOTION, (0, backbone.width))
        self.tag, self.words = nn.Linear(backbone.width, max(1, labels)), nn.Linear(backbone.width, max(1, words))
        self.mood = nn.Linear(backbone.width, len(spec.MOOD_AXES))
        self.emotion = nn.Linear(self.stop - self.start, max(1, emotions))

    def losses(self, vector: Tensor, known: Known, rows: Tensor, starts_s: Tensor) -> dict[str, Tensor]:
        tag = known.tag[rows]
        tag_loss = functional.cross_entropy(
            self.tag(vector), tag, ignore_index=UNKNOWN, label_smoothing=0.05, reduction="sum"
        )
        return {
            "tag": tag_loss / (tag != UNKNOWN).sum().clamp(min=1),
            "words": known_direction(self.words(vector), known.words[rows]),
            "mood": known_error(self.mood(vector), known.mood_of(rows, starts_s)),
            "emotion": known_class(self.emotion(vector[:, self.start : self.stop]), known.emotion[rows]),
        }


def known_of(split: Split, targets: TagTargets, emotions: tuple[str, ...], like: Split) -> Known:
    """``like``: the training split, whose means and deviations scale the mood."""
    moods = like.mood_by_second().reshape(-1, len(spec.MOOD_AXES))
    if np.isnan(moods).all():
        moods = np.zeros_like(moods)
    mood = (split.mood_by_second() - np.nanmean(moods, axis=0)) / np.maximum(np.nanstd(moods, axis=0), 1e-3)
    places = {emotion: place for place, emotion in enumerate(emotions)}
    return Known(
        tag=torch.tensor([targets.label(pair.tags) for pair in split.pairs], dtype=torch.int64),
        words=torch.stack([torch.from_numpy(targets.vector(pair.tags)) for pair in split.pairs]),
        mood=torch.from_numpy(mood.astype(np.float32)),
        emotion=torch.tensor([-1 if pair.emotion is None else places[pair.emotion] for pair in split.pairs]),
    )


def pretrain(
    backbone: Backbone,
    train: Split,
    val: Split,
    targets: TagTargets,
    emotions: tuple[str, ...],
    options: PretrainOptions,
    seed: int,
    report: Callable[[dict[str, float]], None],
    checkpoint: Checkpoint | None = None,
) -> dict[str, float]:
    """Train ``backbone`` in place, keep the epoch with the least validation loss, return its figures.

    With a ``checkpoint`` that holds progress it continues from there, bit for bit as if it had never stopped.
    """
    generator = torch.Generator().manual_seed(seed)
    normalise(backbone, train)
    if not backbone.learned:
        return {}
    known, held_out = known_of(train, targets, emotions, train), known_of(val, targets, emotions, train)
    heads = Heads(backbone, len(targets.labels), len(targets.vocabulary), len(emotions))
    last = torch.from_numpy(last_starts_s(train))
    parameters = [*backbone.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(train) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.15)
    progress = Progress(nn.ModuleList([backbone, heads]), optimiser, schedule, generator)
    if checkpoint is not None:
        checkpoint.restore(progress)
    for epoch in range(progress.epoch + 1, options.epochs + 1):
        backbone.train()
        total = 0.0
        for rows in torch.split(torch.randperm(len(train), generator=generator), options.batch):
            starts = torch.minimum(torch.randint(LAST_START_S + 1, (len(rows),), generator=generator), last[rows])
            inputs = clip_inputs(backbone, train, rows.tolist(), starts.tolist(), generator)
            loss = weigh(heads.losses(backbone(*inputs), known, rows, starts), options)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, options.clip_norm)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(rows)
        figures = {"epoch": float(epoch), "train_loss": total / len(train)}
        figures |= validate(backbone, heads, val, held_out, options)
        report(figures)
        progress.epoch = epoch
        progress.offer(figures, "val_loss")
        if checkpoint is not None:
            checkpoint.save(progress)
    progress.module.load_state_dict(progress.best_weights)
    backbone.eval()
    return dict(progress.best)


def weigh(losses: dict[str, Tensor], options: PretrainOptions) -> Tensor:
    return torch.stack([getattr(options, f"{name}_weight") * value for name, value in losses.items()]).sum()


@torch.inference_mode()
def validate(
    backbone: Backbone, heads: Heads, val: Split, held_out: Known, options: PretrainOptions
) -> dict[str, float]:
    """Loss, its parts, and the shares of right tags and emotions in percent."""
    backbone.eval()
    sums: dict[str, float] = {}
    right_tags, tagged, right_emotions, classed = 0.0, 0, 0.0, 0
    last = torch.from_numpy(last_starts_s(val))
    for start_s in VALIDATED_S:
        for first in range(0, len(val), options.batch):
            rows = torch.arange(first, min(first + options.batch, len(val)))
            starts = last[rows].clamp(max=start_s)
            vector = backbone(*clip_inputs(backbone, val, rows.tolist(), starts.tolist()))
            losses = heads.losses(vector, held_out, rows, starts)
            for name, value in {"loss": weigh(losses, options), **losses}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(rows) / (len(val) * len(VALIDATED_S))
            tag, emotion = held_out.tag[rows], held_out.emotion[rows]
            right_tags += float((heads.tag(vector).argmax(dim=1) == tag)[tag != UNKNOWN].sum())
            right_emotions += float((heads.emotion(vector[:, heads.start : heads.stop]).argmax(dim=1) == emotion).sum())
            tagged, classed = tagged + int((tag != UNKNOWN).sum()), classed + int((emotion >= 0).sum())
    shares = {
        "tag_percent": 100 * right_tags / max(1, tagged),
        "emotion_percent": 100 * right_emotions / max(1, classed),
    }
    return {f"val_{name}": value for name, value in {**sums, **shares}.items()}


def last_starts_s(split: Split) -> npt.NDArray[np.int64]:
    """(n,) the last second at which a whole clip of each pair begins."""
    return spec.CLIP_S * (split.clips() - 1)


def normalise(backbone: Backbone, train: Split) -> None:
    """Measure a backbone's constants on an even sample of the training clips."""
    if not isinstance(backbone, Normalised):
        return
    rows = np.unique(np.linspace(0, len(train) - 1, min(NORMALISATION_PAIRS, len(train))).astype(int)).tolist()
    starts = [spec.CLIP_S * (place % pair.clips) for place, pair in enumerate(train.pairs[row] for row in rows)]
    backbone.normalise(*clip_inputs(backbone, train, rows, starts))
