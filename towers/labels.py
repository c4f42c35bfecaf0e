"""The labels of a split's pairs, as the tensors that systems are trained on."""

from collections.abc import Sequence

import torch

from features import spec

from .batch import Labels
from .corpora.corpus import Split
from .tags import TagTargets

UNKNOWN = -1


def labels_of(split: Split, targets: TagTargets, emotions: Sequence[str], clips: int = spec.MAX_CLIPS) -> Labels:
    """``emotions``: the corpus's classes, whose places are the labels; ``clips``: K of the corpus's windows."""
    energy = split.mood_by_second()[..., spec.MOOD_AXES.index("energy")]
    course = torch.from_numpy(energy.reshape(-1, spec.MAX_CLIPS, spec.CLIP_S).mean(axis=2))
    numbers: dict[str, int] = {}
    music = [numbers.setdefault(pair.music or pair.id, len(numbers)) for pair in split.pairs]
    places = {emotion: place for place, emotion in enumerate(emotions)}
    return Labels(
        tags=torch.stack([torch.from_numpy(targets.vector(pair.tags)) for pair in split.pairs]),
        mood=torch.from_numpy(split.mood()),
        emotion=torch.tensor([UNKNOWN if p.emotion is None else places[p.emotion] for p in split.pairs]),
        polarity=torch.tensor([float("nan") if p.polarity is None else p.polarity for p in split.pairs]),
        music=torch.tensor(music),
        course=course[:, :clips].contiguous(),
    )
