"""``segue train``: backbones, clip vectors, then the system; early stopping looks at validation only.

    RUN/backbones/                        first stage, see ``backbone_cache.py``; another run may reuse it (--backbones
    FOLDER) RUN/clips/                            cached clip vectors
    RUN/system.csv, system.png            one line an epoch, and a picture of it
    RUN/checkpoint*                       while the system trains; --resume continues from it
    RUN/model.safetensors, run.json       the run, see ``run.py``

Everything random comes from ``seed``; two runs with equal arguments on one machine give equal weights. Under torchrun
several processes fit the system together (``distributed.py``); the first does what is done once.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from .backbone_cache import backbone_for, stored_shape
from .backbones.registry import make_backbone
from .checkpoint import Checkpoint
from .corpora.corpus import Corpus, open_corpus
from .distributed import ALONE, Team
from .errors import RunError
from .fit import FitOptions, fit_system
from .log import Log, draw_curves, event_writer_class
from .material import gather
from .provenance import commit
from .recipes import pretraining_of
from .run import save_run
from .system import check_setting, make

BACKBONES, CLIPS, CURVES, BOARD = "backbones", "clips", "system", "tensorboard"
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


def check(options: TrainOptions, corpus: Corpus, board: bool = False) -> None:
    """Raise ``RunError`` in the first second for options that would fail after the backbones are trained."""
    check_setting(options.system, options.setting)
    for side, kind in (("video", options.video), ("music", options.music)):
        make_backbone(kind, side, options.scale, stored_shape(corpus, kind))
    try:
        torch.empty(0, device=options.fit.device)
    except (RuntimeError, AssertionError) as error:  # PyTorch asserts that it was compiled with CUDA
        reason = str(error).partition("\n")[0].rstrip(".")
        raise RunError(
            f"device {options.fit.device!r} cannot be used ({reason}); train with --device cpu, or install a PyTorch "
            "that was built for it (pytorch.org tells which)"
        ) from error
    if board:
        event_writer_class()


def train(
    corpus_folder: Path,
    out: Path,
    options: TrainOptions,
    backbones: Path | None,
    resume: bool,
    report: Report = lambda stage, figures: None,
    board: bool = False,
    team: Team = ALONE,
) -> dict[str, float]:
    """Train one system, write its run to ``out``, return its best validation figures.

    ``backbones``: another run's, to use. ``board``: write TensorBoard's events to ``out`` too. Raises ``CorpusError``
    or ``RunError`` for a corpus, options or backbones that do not fit.
    """
    corpus = open_corpus(corpus_folder)
    check(options, corpus, board)
    fit, val = corpus.split("train"), corpus.split("val")
    out.mkdir(parents=True, exist_ok=True)
    trained_by = commit()
    torch.manual_seed(options.seed)
    shelf = backbones or out / BACKBONES
    with team.in_turn():
        (video, video_record), (music, music_record) = (
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
                borrowed=backbones is not None,
            )
            for side, kind in (("video", options.video), ("music", options.music))
        )
        material = gather(corpus, video, music, ("train", "val"), shelf / CLIPS)
    # Training backbones draws random numbers, reading them does not: the system starts from the same state either way.
    torch.manual_seed(options.seed + 1)
    system = make(options.system, options.setting, material.sizes, options.scale)
    settings = {"corpus_sha256": corpus.identity, "processes": team.size, **asdict(options)}
    checkpoint = Checkpoint(out, settings, team)
    if not resume:
        with team.in_turn():
            checkpoint.clear()
    curves = out / f"{CURVES}.csv" if team.first else Path(os.devnull)
    with Log(curves, append=resume, board=out / BOARD if board and team.first else None) as log:
        best = fit_system(
            system,
            material.splits["train"],
            material.splits["val"],
            options.fit,
            options.seed,
            log.reporting(options.system, report),
            checkpoint,
            team,
        )
    if not team.first:
        return best
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
            "processes": team.size,
            "commit": trained_by,
            "setting": options.setting,
            "scale": options.scale,
            "backbones": {"video": video_record, "music": music_record},
            "options": asdict(options.fit),
            "metrics": {"validation": best},
        },
    )
    checkpoint.clear()
    return best
