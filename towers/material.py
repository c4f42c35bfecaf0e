"""A corpus and two backbones -> the data that systems are trained and tested on: batches of whole splits, and sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features import spec

from .backbones.registry import Backbone
from .batch import Batch, Sizes
from .bins import fit_edges
from .corpora.corpus import Corpus, Split
from .embed import embed
from .labels import labels_of
from .tags import TagTargets

# Features that a sequence stage may take beside clip vectors: a few numbers of each clip, not pictures.
EXTRAS = frozenset({"displacement", "colour", "motion", "pulse", "rhythm", "harmony"})


@dataclass(frozen=True)
class Material:
    """``splits``: name -> all of its pairs in one batch. ``targets``: the tags of the training split."""

    splits: Mapping[str, Batch]
    sizes: Sizes
    targets: TagTargets


def gather(corpus: Corpus, video: Backbone, music: Backbone, splits: Sequence[str], cache: Path | None) -> Material:
    """Embed every clip of ``splits``, the first of which is the training split; ``cache`` keeps the vectors."""
    opened: dict[str, Split] = {name: corpus.split(name) for name in splits}
    train = opened[splits[0]]
    targets = TagTargets.fit([pair.tags for pair in train.pairs])
    extras = EXTRAS & set(train.columns)
    video_extras = tuple(name for name in spec.VIDEO_FEATURES if name in extras)
    music_extras = tuple(name for name in spec.MUSIC_FEATURES if name in extras)
    batches = {}
    for name, split in opened.items():
        video_side, music_side = embed(video, music, corpus, split, video_extras, music_extras, cache)
        labels = labels_of(split, targets, corpus.emotions)
        batches[name] = Batch(video_side, music_side, labels, labels.course, labels.course)
    edges = {}
    if {"displacement", "rhythm"} <= extras:
        valid = train.mask()
        edges = fit_edges(train.column("displacement").all()[valid], train.column("rhythm").all()[valid])
    sizes = Sizes(
        video=video.width,
        music=music.width,
        vocabulary=len(targets.vocabulary),
        emotions=len(corpus.emotions),
        edges=edges,
        extras=frozenset(extras),
        video_parts=video.parts,
        music_parts=music.parts,
    )
    return Material(batches, sizes, targets)
