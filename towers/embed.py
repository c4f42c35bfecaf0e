"""Clip embeddings of a split, computed once: the sequence stage, evaluation and every setting share them.

A cache file's name holds the hash of the tower weights and of the corpus, so a stale one is never read.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from features import spec

from .corpora.corpus import Corpus, Split
from .ut_cmvmr import UtCmvmr

CHUNK = 16  # pairs at a time


@dataclass(frozen=True)
class Clips:
    """``video`` and ``music`` (n, 7, clip_dim), ``displacement`` (n, 7), ``rhythm`` (n, 7, 3), all float32, by row."""

    video: Tensor
    music: Tensor
    displacement: Tensor
    rhythm: Tensor


def clip_images(thumbs: Tensor) -> Tensor:
    """(B, 28, 64, 64) uint8 thumbnails -> (B, 7, 64, 256): clips end to end, thumbnails side by side."""
    clips = thumbs.view(-1, spec.MAX_CLIPS, spec.THUMBS_PER_CLIP, spec.THUMB_SIZE, spec.THUMB_SIZE)
    return clips.permute(0, 1, 3, 2, 4).flatten(3)


def embed(system: UtCmvmr, corpus: Corpus, split: Split, cache: Path | None) -> Clips:
    """Embed a whole split, or read what ``cache`` holds of it."""
    displacement = torch.from_numpy(split.displacement[range(len(split))])
    rhythm = torch.from_numpy(split.rhythm[range(len(split))])
    path = None if cache is None else cache / f"{split.name}-{fingerprint(system, corpus)}.npz"
    if path is not None and path.is_file():
        with np.load(path) as stored:
            return Clips(torch.from_numpy(stored["video"]), torch.from_numpy(stored["music"]), displacement, rhythm)
    video = over(system.video_clip, split, lambda rows: clip_images(torch.from_numpy(split.thumbs[rows])).flatten(0, 1))
    music = over(
        system.music_clip, split, lambda rows: torch.from_numpy(split.mels[rows].astype(np.float32)).flatten(0, 1)
    )
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pending = path.with_suffix(".part.npz")
        np.savez(pending, video=video.numpy(), music=music.numpy())
        pending.replace(path)
    return Clips(video, music, displacement, rhythm)


@torch.inference_mode()
def over(tower: nn.Module, split: Split, inputs: Callable[[list[int]], Tensor]) -> Tensor:
    """The tower over all clips: (n, 7, clip_dim)."""
    tower.eval()
    starts = range(0, len(split), CHUNK)
    parts = [tower(inputs(list(range(start, min(start + CHUNK, len(split)))))) for start in starts]
    return torch.cat(parts).view(len(split), spec.MAX_CLIPS, -1).clone()


def fingerprint(system: UtCmvmr, corpus: Corpus) -> str:
    digest = hashlib.sha256(corpus.identity.encode())
    for tower in (system.video_clip, system.music_clip):
        for name, value in tower.state_dict().items():
            digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
