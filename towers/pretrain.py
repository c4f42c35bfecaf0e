"""First stage: both clip towers learn to name the unified tag of the pair that a clip is from (UT-CMVMR, section 2.1).

An epoch shows one video clip, starting at any second, and one music clip of every pair, freshly changed by ``augment``.
Ours beside the paper's cross-entropy: a regression of mood from the same embedding (``mood_weight``), valence and
tension of the pair and energy of the very clip, since one best tag a pair says little about how it feels and nothing
about where in the pair a clip is from.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from . import augment
from .corpora.corpus import Split
from .tags import UNKNOWN, TagTargets
from .ut_cmvmr import UtCmvmr

NORMALISATION_PAIRS = 200


@dataclass(frozen=True)
class PretrainOptions:
    epochs: int = 8
    batch: int = 16
    rate: float = 1e-3
    weight_decay: float = 0.02
    clip_norm: float = 3.0
    mood_weight: float = 1.0


class Heads(nn.Module):
    """Tag and mood of a clip embedding; left behind when the towers are done."""

    def __init__(self, clip_dim: int, labels: int) -> None:
        super().__init__()
        self.tag, self.mood = nn.Linear(clip_dim, labels), nn.Linear(clip_dim, len(spec.MOOD_AXES))


@dataclass(frozen=True)
class Labels:
    """Of a split: ``tag`` (n,) int64 or UNKNOWN; ``mood`` (n, 28, 3) float32 by second, scaled as in training."""

    tag: Tensor
    mood: Tensor

    def mood_of(self, rows: Tensor, starts_s: Tensor) -> Tensor:
        """(B, 3): mean mood of the clips that start at ``starts_s`` (B,) whole seconds."""
        seconds = starts_s.unsqueeze(1) + torch.arange(spec.CLIP_S)
        return self.mood[rows.unsqueeze(1), seconds].mean(dim=1)


@dataclass(frozen=True)
class ClipBatch:
    """Clips of ``rows`` (B,): ``inputs`` and ``starts_s`` (B,) of either modality, video first."""

    rows: Tensor
    inputs: tuple[Tensor, Tensor]
    starts_s: tuple[Tensor, Tensor]


def labels(split: Split, targets: TagTargets, like: Split) -> Labels:
    moods = like.mood_by_second().reshape(-1, len(spec.MOOD_AXES))
    mood = (split.mood_by_second() - moods.mean(axis=0)) / np.maximum(moods.std(axis=0), 1e-3)
    tag = [targets.label(pair.tags) for pair in split.pairs]
    return Labels(torch.tensor(tag, dtype=torch.int64), torch.from_numpy(mood.astype(np.float32)))


def pretrain(
    system: UtCmvmr,
    train: Split,
    val: Split,
    targets: TagTargets,
    options: PretrainOptions,
    seed: int,
    report: Callable[[dict[str, float]], None],
) -> dict[str, float]:
    """Train the towers of ``system`` in place, keep the epoch with the least validation loss, return its figures."""
    generator = torch.Generator().manual_seed(seed)
    normalise_mels(system, train)
    known, held_out = labels(train, targets, train), labels(val, targets, train)
    towers = nn.ModuleList([system.video_clip, system.music_clip])
    heads = nn.ModuleList(Heads(system.clip_dim, len(targets.labels)) for _ in towers)
    parameters = [*towers.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(train) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.15)
    best: dict[str, float] = {"val_loss": float("inf")}
    kept = copy.deepcopy(towers.state_dict())
    for epoch in range(1, options.epochs + 1):
        towers.train()
        total = torch.zeros(())
        for rows in torch.split(torch.randperm(len(train), generator=generator), options.batch):
            loss = sum_losses(towers, heads, random_clips(train, rows, generator), known, options.mood_weight)[0]
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, options.clip_norm)
            optimiser.step()
            schedule.step()
            total += loss.detach() * len(rows)
        figures = {"epoch": float(epoch), "train_loss": float(total) / len(train)}
        figures |= validate(towers, heads, val, held_out, options)
        report(figures)
        if figures["val_loss"] < best["val_loss"]:
            best, kept = figures, copy.deepcopy(towers.state_dict())
    towers.load_state_dict(kept)
    return best


def random_clips(split: Split, rows: Tensor, generator: torch.Generator) -> ClipBatch:
    """One augmented clip of either modality per row."""
    last = spec.WINDOW_S - spec.CLIP_S + 1
    starts = torch.randint(last, (len(rows),), generator=generator)
    places = torch.randint(spec.MAX_CLIPS, (len(rows),), generator=generator)
    images = [
        np.concatenate(list(split.thumbs.row(row)[start : start + spec.THUMBS_PER_CLIP]), axis=1)
        for row, start in zip(rows.tolist(), starts.tolist(), strict=True)
    ]
    mels = [split.mels.row(row)[place] for row, place in zip(rows.tolist(), places.tolist(), strict=True)]
    inputs = (
        augment.pictures(torch.from_numpy(np.stack(images)), generator),
        augment.mels(torch.from_numpy(np.stack(mels).astype(np.float32)), generator),
    )
    return ClipBatch(rows, inputs, (starts, places * spec.CLIP_S))


def sum_losses(
    towers: nn.ModuleList,
    heads: nn.ModuleList,
    clips: ClipBatch,
    known: Labels,
    mood_weight: float,
) -> tuple[Tensor, list[float]]:
    """Loss over both modalities, and the share of right tags of either."""
    terms, right = [], []
    for tower, head, clip, starts_s in zip(towers, heads, clips.inputs, clips.starts_s, strict=True):
        assert isinstance(head, Heads)
        embedding = tower(clip)
        scores = head.tag(embedding)
        tag = functional.cross_entropy(scores, known.tag[clips.rows], ignore_index=UNKNOWN, label_smoothing=0.05)
        terms.append(tag + mood_weight * functional.mse_loss(head.mood(embedding), known.mood_of(clips.rows, starts_s)))
        right.append(float((scores.argmax(dim=1) == known.tag[clips.rows]).float().mean()))
    return torch.stack(terms).sum(), right


@torch.inference_mode()
def validate(
    towers: nn.ModuleList, heads: nn.ModuleList, val: Split, held_out: Labels, options: PretrainOptions
) -> dict[str, float]:
    """Two clips of every validation pair, unchanged and always the same."""
    towers.eval()
    loss, right, count = 0.0, np.zeros(2), 0
    for start in range(0, len(val), options.batch):
        rows = list(range(start, min(start + options.batch, len(val))))
        for place in (1, 5):
            at = place * spec.CLIP_S  # in seconds, and in thumbnails
            thumbs = val.thumbs[rows][:, at : at + spec.THUMBS_PER_CLIP]
            images = torch.from_numpy(np.concatenate(list(thumbs.swapaxes(0, 1)), axis=2))
            mels = torch.from_numpy(val.mels[rows][:, place].astype(np.float32))
            starts_s = torch.full((len(rows),), at)
            clips = ClipBatch(torch.tensor(rows), (images, mels), (starts_s, starts_s))
            terms, share = sum_losses(towers, heads, clips, held_out, options.mood_weight)
            loss, right, count = loss + float(terms) * len(rows), right + np.array(share) * len(rows), count + len(rows)
    return {"val_loss": loss / count, "val_video_tag": right[0] / count, "val_music_tag": right[1] / count}


def normalise_mels(system: UtCmvmr, train: Split) -> None:
    """Give the music tower the band means and deviations of an even sample of the training pairs."""
    rows = np.unique(np.linspace(0, len(train) - 1, min(NORMALISATION_PAIRS, len(train))).astype(int))
    frames = np.concatenate([train.mels.row(int(row)).astype(np.float64).reshape(-1, spec.MEL_BANDS) for row in rows])
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    system.music_clip.normalise(torch.from_numpy(mean).float(), torch.from_numpy(deviation).float())
