"""Clip vectors of a split, computed once: all systems, settings and seeds with the same backbones share them.

A cache file's name holds the hash of the backbone's weights and of the corpus, so a stale one is never read.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .backbones.backbone import Backbone
from .batch import Side, masked
from .clip_inputs import as_tensor, every_clip
from .corpora.corpus import Corpus, Split

CHUNK = 16  # pairs at a time


def embed(
    video: Backbone,
    music: Backbone,
    corpus: Corpus,
    split: Split,
    video_extras: Sequence[str],
    music_extras: Sequence[str],
    cache: Path | None,
) -> tuple[Side, Side]:
    """Both sides of a whole split, with the columns ``*_extras`` beside; ``cache`` keeps the vectors."""
    return (
        side(vectors(video, corpus, split, cache), split, video_extras),
        side(vectors(music, corpus, split, cache), split, music_extras),
    )


def side(clips: Tensor, split: Split, extras: Sequence[str]) -> Side:
    mask = torch.from_numpy(split.mask()[:, : clips.shape[1]])
    return Side(masked(clips, mask), mask, {name: as_tensor(split.column(name).all()) for name in extras})


def vectors(backbone: Backbone, corpus: Corpus, split: Split, cache: Path | None) -> Tensor:
    """(n, K, width) float32."""
    path = None if cache is None else cache / f"{split.name}-{fingerprint(backbone, corpus)}.npy"
    if path is not None and path.is_file():
        return torch.from_numpy(np.load(path))
    computed = compute(backbone, split)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pending = path.with_suffix(".part.npy")
        np.save(pending, computed.numpy())
        pending.replace(path)
    return computed


@torch.inference_mode()
def compute(backbone: Backbone, split: Split) -> Tensor:
    backbone.eval()
    parts = []
    for start in range(0, len(split), CHUNK):
        rows = list(range(start, min(start + CHUNK, len(split))))
        parts.append(backbone(*every_clip(backbone, split, rows)).unflatten(0, (len(rows), -1)))
    return torch.cat(parts).clone()


def fingerprint(backbone: Backbone, corpus: Corpus) -> str:
    digest = hashlib.sha256(corpus.identity.encode())
    digest.update(json.dumps(backbone.configuration(), sort_keys=True).encode())
    for name, value in backbone.state_dict().items():
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
