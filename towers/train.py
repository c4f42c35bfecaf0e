"""``segue train``: clip towers, their embeddings, then the sequence stage; early stopping looks at validation only.

    RUN/towers.safetensors, towers.json   first stage; another run may reuse it (--clip-towers RUN)
    RUN/towers.csv, sequence.csv          one line an epoch
    RUN/clips/                            cached clip embeddings
    RUN/model.safetensors, run.json       the run, see ``run.py``

Everything random comes from ``seed``; two runs with equal arguments on one machine give equal weights.
"""

import copy
import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from features import quantise, spec

from .corpora.corpus import Corpus, Split, open_corpus
from .embed import Clips, embed
from .errors import RunError
from .metrics import retrieval
from .objective import Batch, Objective, Weights, crop
from .presets import PRESETS, Configuration, Preset
from .pretrain import PretrainOptions, normalise_mels, pretrain
from .provenance import commit
from .run import save_run
from .tags import TagTargets
from .ut_cmvmr import UtCmvmr

TOWERS = "towers.safetensors"
TOWERS_RECORD = "towers.json"
CLIPS = "clips"


@dataclass(frozen=True)
class TrainOptions:
    """``noise``: deviation of what is added to clip embeddings; ``short``: share of the windows that are cut shorter;
    ``patience``: epochs without a better one."""

    preset: str = "small"
    setting: str = "se-r"
    seed: int = 0
    epochs: int = 30
    patience: int = 12
    batch: int = 128
    rate: float = 7e-4
    weight_decay: float = 0.05
    clip_norm: float = 3.0
    noise: float = 0.2
    short: float = 0.25
    pretrain: PretrainOptions = field(default_factory=PretrainOptions)
    weights: Weights = field(default_factory=Weights)


Report = Callable[[str, Mapping[str, float]], None]


def train(corpus_folder: Path, out: Path, options: TrainOptions, clip_towers: Path | None, report: Report) -> None:
    """Train one system and write its run to ``out``; raises ``CorpusError`` or ``RunError`` for what does not fit."""
    if options.preset not in PRESETS:
        raise RunError(f"preset {options.preset!r} is unknown; choose one of {', '.join(PRESETS)}")
    corpus = open_corpus(corpus_folder)
    fit, val = corpus.split("train"), corpus.split("val")
    out.mkdir(parents=True, exist_ok=True)
    trained_by = commit()
    torch.manual_seed(options.seed)
    targets = TagTargets.fit([pair.tags for pair in fit.pairs])
    system = UtCmvmr(configure(PRESETS[options.preset], options.setting, fit))
    tower_figures = towers(system, corpus, fit, val, targets, options, out, clip_towers, report)
    cache = (clip_towers or out) / CLIPS if options.setting != "ae" else out / CLIPS
    clips = {split.name: embed(system, corpus, split, cache) for split in (fit, val)}
    # The towers drew random numbers, or did not: the sequence stage starts from the same state either way.
    torch.manual_seed(options.seed + 1)
    with Log(out / "sequence.csv") as log:
        best = fit_sequences(system, clips, fit, val, targets, options, log.reporting("sequence", report))
    save_run(
        out,
        system,
        {
            "corpus": corpus.name,
            "corpus_sha256": corpus.identity,
            "pairs": len(fit),
            "validation_pairs": len(val),
            "seed": options.seed,
            "commit": trained_by,
            "preset": options.preset,
            "setting": options.setting,
            "labels": list(targets.labels),
            "options": asdict(options),
            "metrics": {"towers": tower_figures, "validation": best},
        },
    )


def configure(preset: Preset, setting: str, fit: Split) -> Configuration:
    """Bins fitted on the training split: log-spaced displacement, strength and interval; beats are counted."""
    every = range(len(fit))
    rhythm = fit.rhythm[every]
    return Configuration(
        preset=preset,
        setting=setting,
        flow_edges=quantise.fit_log(fit.displacement[every], preset.flow_bins).edges,
        rhythm_edges=(
            quantise.paper_beats().edges,
            quantise.fit_log(rhythm[..., 1], preset.rhythm_bins).edges,
            quantise.fit_log(rhythm[..., 2], preset.rhythm_bins).edges,
        ),
    )


def towers(
    system: UtCmvmr,
    corpus: Corpus,
    fit: Split,
    val: Split,
    targets: TagTargets,
    options: TrainOptions,
    out: Path,
    given: Path | None,
    report: Report,
) -> dict[str, float]:
    """Give ``system`` its clip towers: those of another run, those that ``out`` already has, or new ones."""
    if options.setting == "ae":
        normalise_mels(system, fit)
        return {}
    record = {"corpus_sha256": corpus.identity, "preset": options.preset}
    own = {**record, "seed": options.seed, "options": asdict(options.pretrain)}
    folder = given or out
    both = nn.ModuleDict({"video_clip": system.video_clip, "music_clip": system.music_clip})
    if (folder / TOWERS_RECORD).is_file():
        stored = json.loads((folder / TOWERS_RECORD).read_text(encoding="utf-8"))
        wanted = record if given else own
        if differing := [name for name, value in wanted.items() if stored.get(name) != value]:
            raise RunError(
                f"{folder} holds clip towers of another {' and '.join(differing)}; "
                "give a run of the same corpus and preset, or another folder"
            )
        both.load_state_dict(load_file(folder / TOWERS))
        return dict(stored["figures"])
    if given:
        raise RunError(
            f"{given} holds no clip towers ({TOWERS_RECORD} is missing); train it first, or leave the option out"
        )
    with Log(out / "towers.csv") as log:
        figures = pretrain(system, fit, val, targets, options.pretrain, options.seed, log.reporting("towers", report))
    save_file({name: value.contiguous() for name, value in both.state_dict().items()}, out / TOWERS)
    (out / TOWERS_RECORD).write_text(json.dumps({**own, "figures": figures}, indent=1) + "\n", encoding="utf-8")
    return figures


@dataclass(frozen=True)
class Labels:
    """Of a split: ``tags`` (n, V) TF-IDF, ``mood`` (n, 3), ``course`` (n, 7) energy of each clip; float32."""

    tags: torch.Tensor
    mood: torch.Tensor
    course: torch.Tensor

    @classmethod
    def of(cls, split: Split, targets: TagTargets) -> "Labels":
        energy = split.mood_by_second()[..., spec.MOOD_AXES.index("energy")]
        return cls(
            tags=torch.tensor([targets.vector(pair.tags).tolist() for pair in split.pairs]),
            mood=torch.from_numpy(split.mood()),
            course=torch.from_numpy(energy.reshape(-1, spec.MAX_CLIPS, spec.CLIP_S).mean(axis=2)),
        )


def fit_sequences(
    system: UtCmvmr,
    clips: Mapping[str, Clips],
    fit: Split,
    val: Split,
    targets: TagTargets,
    options: TrainOptions,
    report: Callable[[dict[str, float]], None],
) -> dict[str, float]:
    """The sequence stage: towers are frozen, everything behind them learns. Keeps the epoch of the best validation."""
    generator = torch.Generator().manual_seed(options.seed)
    labels = Labels.of(fit, targets)
    objective = Objective(system, len(targets.vocabulary), options.weights)
    system.video_clip.requires_grad_(False)
    system.music_clip.requires_grad_(False)
    learning = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=options.rate, weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(fit) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.1)
    best: dict[str, float] = {"epoch": 0.0, "val_r10": -1.0}
    kept = copy.deepcopy(system.state_dict())
    for epoch in range(1, options.epochs + 1):
        objective.train()
        sums: dict[str, float] = {}
        for rows in torch.split(torch.randperm(len(fit), generator=generator), options.batch):
            batch = draw(clips["train"], labels, rows, options, generator)
            loss, parts = objective(batch)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, options.clip_norm)
            optimiser.step()
            schedule.step()
            for name, value in {"loss": float(loss.detach()), **parts}.items():
                sums[name] = sums.get(name, 0.0) + value * len(rows) / len(fit)
        figures = {"epoch": float(epoch), **sums, **validate(system, clips["val"])}
        report(figures)
        if figures["val_r10"] > best["val_r10"]:
            best, kept = figures, copy.deepcopy(system.state_dict())
        elif epoch - best["epoch"] >= options.patience:
            break
    system.load_state_dict(kept)
    system.eval()
    return best


def draw(clips: Clips, labels: Labels, rows: torch.Tensor, options: TrainOptions, generator: torch.Generator) -> Batch:
    """A batch; for some of the pairs each side is a shorter window of its own, as a session that has just begun."""
    sides, courses = [], []
    for values, companion in ((clips.video, clips.displacement), (clips.music, clips.rhythm)):
        most = values.shape[1]
        short = torch.rand(len(rows), generator=generator) < options.short
        lengths = torch.where(short, torch.randint(1, most + 1, (len(rows),), generator=generator), most)
        starts = (torch.rand(len(rows), generator=generator) * (most - lengths + 1)).long()
        taken = values[rows]
        taken = taken + options.noise * torch.empty(taken.shape).normal_(generator=generator)
        moved, mask = crop(lengths, starts, taken)
        sides.append((moved, mask, crop(lengths, starts, companion[rows])[0]))
        courses.append(crop(lengths, starts, labels.course[rows])[0])
    return Batch(*sides[0], *sides[1], labels.tags[rows], labels.mood[rows], *courses)


@torch.inference_mode()
def validate(system: UtCmvmr, clips: Clips) -> dict[str, float]:
    """R@10 of the dual encoder, the mean of both directions."""
    video, music = thetas(system, clips)
    similarity = (video @ music.T).numpy()
    forward, backward = retrieval(similarity), retrieval(similarity.T)
    return {
        "val_r10": (forward.recall[10] + backward.recall[10]) / 2,
        "val_v2m_r10": forward.recall[10],
        "val_m2v_r10": backward.recall[10],
        "val_median": (forward.median_rank + backward.median_rank) / 2,
    }


def thetas(system: UtCmvmr, clips: Clips) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sides' embeddings of whole windows, (n, E) each."""
    system.eval()
    mask = torch.ones(clips.video.shape[:2], dtype=torch.bool)
    return system.video(clips.video, mask, clips.displacement), system.music(clips.music, mask, clips.rhythm)


class Log:
    """A CSV file with a line an epoch, flushed at once; the columns are those of the first line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> "Log":
        self.file = self.path.open("w", newline="", encoding="utf-8")
        self.writer: csv.DictWriter[str] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def reporting(self, stage: str, report: Report) -> Callable[[dict[str, float]], None]:
        """A callback that logs a line and passes it on."""

        def log(figures: dict[str, float]) -> None:
            self.write(figures)
            report(stage, figures)

        return log

    def write(self, figures: Mapping[str, float]) -> None:
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, list(figures))
            self.writer.writeheader()
        self.writer.writerow({name: f"{value:.6g}" for name, value in figures.items()})
        self.file.flush()
