"""Trained backbones on disk, so that many systems, settings and seeds can share one.

FOLDER/<side>-<kind>.safetensors   weights
FOLDER/<side>-<kind>.json          its configuration, its training data and options, its figures
FOLDER/<side>-<kind>.csv           a line an epoch
FOLDER/<side>-<kind>.part/         while it trains; the next run continues from there
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from .backbones.backbone import Backbone
from .backbones.registry import STORED, make_backbone
from .checkpoint import Checkpoint
from .corpora.corpus import Corpus, Split
from .errors import RunError
from .log import Log
from .pretrain import PretrainOptions, pretrain
from .tags import TagTargets

Report = Callable[[str, Mapping[str, float]], None]


def backbone_for(
    corpus: Corpus,
    train: Split,
    val: Split,
    side: str,
    kind: str,
    scale: str,
    options: PretrainOptions,
    seed: int,
    shelf: Path,
    report: Report,
    borrowed: bool = False,
) -> tuple[Backbone, dict[str, Any]]:
    """A backbone and its record: from ``shelf`` if it is there, else trained and stored there.

    A stored backbone must have the same corpus, scale, seed and options. On a ``borrowed`` shelf, another run's, only
    the scale must match, and the record names the corpus that it was trained on. ``RunError`` where they differ, and
    for a corpus without labels that a backbone could learn.
    """
    name = shelf_name(side, kind)
    torch.manual_seed(seed)  # the same state, whatever was trained or read before
    backbone = make_backbone(kind, side, scale, stored_shape(corpus, kind))
    own: dict[str, Any] = {"corpus_sha256": corpus.identity, "backbone": backbone.configuration()}
    own |= {"seed": seed, "options": asdict(options)} if backbone.learned else {}
    path = shelf / f"{name}.json"
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        required = ("backbone",) if borrowed else tuple(own)
        if differing := [entry for entry in required if stored.get(entry) != json.loads(json.dumps(own[entry]))]:
            raise RunError(f"{path} is of another {' and '.join(differing)}; give another folder")
        backbone.load_state_dict(load_file(path.with_suffix(".safetensors")))
        backbone.eval()
        return backbone, stored
    if borrowed and backbone.learned:
        raise RunError(f"{shelf} holds no {kind} of the {side} ({path.name} is missing); train it, or leave it out")
    if backbone.learned and lacks_labels(train):
        raise RunError(
            f"{corpus.folder} tells no tags, moods or emotions, so its {side} backbone has nothing to learn; give "
            "--backbones FOLDER of a run on another corpus, or backbones that are ready (onnx:FILE)"
        )
    shelf.mkdir(parents=True, exist_ok=True)
    targets = TagTargets.fit([pair.tags for pair in train.pairs])
    checkpoint = Checkpoint(shelf / f"{name}.part", own)
    with Log(path.with_suffix(".csv"), append=checkpoint.exists) as log:
        reporting = log.reporting(name, report)
        figures = pretrain(backbone, train, val, targets, corpus.emotions, options, seed, reporting, checkpoint)
    save_file(
        {key: value.contiguous() for key, value in backbone.state_dict().items()}, path.with_suffix(".safetensors")
    )
    record = {**own, "corpus": corpus.name, "pairs": len(train), "figures": figures}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(checkpoint.folder, ignore_errors=True)
    return backbone, record


def shelf_name(side: str, kind: str) -> str:
    """The name of a backbone's files and of its training stage."""
    return f"{side}-{kind.replace(':', '-').replace('/', '-')}"


def stored_shape(corpus: Corpus, kind: str) -> tuple[int, ...] | None:
    """The shape of a clip in the corpus column that ``kind`` reads; None where it reads none."""
    column = corpus.columns.get(kind.removeprefix(STORED)) if kind.startswith(STORED) else None
    return None if column is None else column.shape[1:]


def lacks_labels(split: Split) -> bool:
    return not any(pair.tags or pair.mood is not None or pair.emotion is not None for pair in split.pairs)
