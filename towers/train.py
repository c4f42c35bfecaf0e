"""``segue train``: backbones, clip vectors, then the system; early stopping looks at validation only.

    RUN/backbones/                        first stage, see ``shelf.py``; another run may reuse it (--backbones FOLDER)
    RUN/clips/                            cached clip vectors
    RUN/system.csv, system.png            one line an epoch, and a picture of it
    RUN/checkpoint.*                      while the system trains; --resume goes on from it
    RUN/model.safetensors, run.json       the run, see ``run.py``

Everything random comes from ``seed``; two runs with equal arguments on one machine give equal weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from .checkpoint import Checkpoint
from .corpora.corpus import open_corpus
from .fit import FitOptions, fit_system
from .log import Log, draw_curves
from .material import gather
from .provenance import commit
from .recipes import pretraining_of
from .run import save_run
from .shelf import backbone_for
from .system import make

BACKBONES, CLIPS, CURVES = "backbones", "clips", "system"
Report = Callable[[str, Mapping[str, float]], None]


@dataclass(frozen=True)
class TrainOptions:
    """``video`` and ``music``: kinds of backbones; ``scale``: small, paper or tiny."""

    system: str
    setting: str
    video: str
    music: str
    scale: str = "small"
    seed: int = 0
    fit: FitOptions = field(default_factory=FitOptions)
    backbone_epochs: int | None = None  # instead of the recipe's, by kind


def train(
    corpus_folder: Path,
    out: Path,
    options: TrainOptions,
    backbones: Path | None,
    resume: bool,
    report: Report = lambda stage, figures: None,
) -> dict[str, float]:
    """Train one system, write its run to ``out``, return its best validation figures.

    ``backbones``: another run's, to stand on. Raises ``CorpusError`` or ``RunError`` for what does not fit.
    """
    corpus = open_corpus(corpus_folder)
    fit, val = corpus.split("train"), corpus.split("val")
    out.mkdir(parents=True, exist_ok=True)
    trained_by = commit()
    torch.manual_seed(options.seed)
    shelf = backbones or out / BACKBONES
    (video, seen), (music, heard) = (
        backbone_for(
            corpus,
            fit,
            val,
            side,
            kind,
            options.scale,
            pretraining_of(kind, options.backbone_epochs),
            options.seed,
            shelf,
            report,
            given=backbones is not None,
        )
        for side, kind in (("video", options.video), ("music", options.music))
    )
    material = gather(corpus, video, music, ("train", "val"), shelf / CLIPS)
    # The backbones drew random numbers, or did not: the system starts from the same state either way.
    torch.manual_seed(options.seed + 1)
    system = make(options.system, options.setting, material.sizes, options.scale)
    checkpoint = Checkpoint(out, {"corpus_sha256": corpus.identity, **asdict(options)})
    if not resume:
        checkpoint.clear()
    with Log(out / f"{CURVES}.csv", append=resume) as log:
        best = fit_system(
            system,
            material.splits["train"],
            material.splits["val"],
            options.fit,
            options.seed,
            log.reporting(options.system, report),
            checkpoint,
        )
    draw_curves(out / f"{CURVES}.csv", out / f"{CURVES}.png")
    save_run(
        out,
        system,
        video,
        music,
        {
            "corpus": corpus.name,
            "corpus_sha256": corpus.identity,
            "pairs": len(fit),
            "validation_pairs": len(val),
            "seed": options.seed,
            "commit": trained_by,
            "setting": options.setting,
            "scale": options.scale,
            "backbones": {"video": seen, "music": heard},
            "options": asdict(options.fit),
            "metrics": {"validation": best},
        },
    )
    checkpoint.clear()
    return best
