"""One loop for every system: cached clip vectors in, a trained system out. Early stopping looks at validation only.

A whole split fits in memory as vectors, so a batch is a choice of rows. For some of its pairs each side is cut to a
shorter window of its own, as in a session that has just begun, and a little noise stands in for new clips.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from .batch import Batch, Side
from .checkpoint import Checkpoint, Progress
from .distributed import ALONE, Team
from .errors import RunError
from .metrics import retrieval
from .system import ClosedForm, Prepared, System

Report = Callable[[Mapping[str, float]], None]
STRIDE = 1_000_003  # between the seeds of a team: each process draws its own noise, windows and dropout


@dataclass(frozen=True)
class FitOptions:
    """``noise``: deviation of the noise added to clip vectors, in deviations of each number; ``short``: share of
    windows that are cut shorter; ``patience``: epochs without a better one; ``amp``: bfloat16 where the device has
    it."""

    epochs: int = 60
    patience: int = 20
    batch: int = 128
    rate: float = 1e-3
    weight_decay: float = 0.05
    clip_norm: float = 3.0
    noise: float = 0.1
    short: float = 0.25
    every: int = 2
    device: str = "cpu"
    amp: bool = False
    compile: bool = False


def fit_system(
    system: System,
    train: Batch,
    val: Batch,
    options: FitOptions,
    seed: int,
    report: Report = lambda figures: None,
    checkpoint: Checkpoint | None = None,
    team: Team = ALONE,
) -> dict[str, float]:
    """Train ``system`` in place, keep its best epoch, return that epoch's figures.

    Best is the least mean log rank of validation, both ways: recall alone is too coarse on a few hundred pairs. With a
    ``checkpoint`` that holds progress, training continues from there, bit for bit as if it had never stopped. All
    processes of a ``team`` call this with equal arguments and have equal weights after every step; the first one
    reports. ``RunError`` where the loss is no longer finite.
    """
    device = team.device(options.device)
    module = system.module().to(device)
    train, val = to(train, device), to(val, device)
    if isinstance(system, ClosedForm):
        system.fit(train)
        return {"epoch": 0.0, **validate(system, val)}
    if isinstance(system, Prepared):
        system.prepare(train)
    team.agree(module)
    own_seed = seed + STRIDE * team.rank
    generator = torch.Generator().manual_seed(own_seed)
    torch.manual_seed(own_seed)
    optimiser = torch.optim.AdamW(module.parameters(), lr=options.rate, weight_decay=options.weight_decay)
    steps = options.epochs * -(-len(train) // (options.batch * team.size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps, pct_start=0.1)
    progress = Progress(module, optimiser, schedule, generator)
    if checkpoint is not None:
        checkpoint.restore(progress)
    scales = spread(train.video), spread(train.music)
    loss_of = torch.compile(system.loss) if options.compile else system.loss
    while progress.epoch < options.epochs and not out_of_patience(progress, options):
        epoch = progress.epoch + 1
        module.train()
        sums: dict[str, float] = {}
        order = team.share(torch.randperm(len(train), generator=generator))
        for rows in torch.split(order, options.batch):
            batch = draw(train, rows.to(device), scales, options, generator)
            with autocast(options):
                loss, parts = loss_of(batch)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise RunError(f"the loss became {value} in epoch {epoch}; is the corpus free of NaN? try another seed")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            team.average_gradients(module)
            nn.utils.clip_grad_norm_(module.parameters(), options.clip_norm)
            optimiser.step()
            schedule.step()
            for name, part in {"loss": value, **parts}.items():
                sums[name] = sums.get(name, 0.0) + part * len(rows) / len(order)
        team.agree(module)
        progress.epoch = epoch
        if epoch % options.every == 0 or epoch == options.epochs:
            figures = team.same({"epoch": float(epoch), **sums, **validate(system, val)})
            if team.first:
                report(figures)
            progress.offer(figures, "val_log_rank")
        if checkpoint is not None:
            checkpoint.save(progress)
    module.load_state_dict(progress.best_weights)
    module.eval()
    return dict(progress.best)


def out_of_patience(progress: Progress, options: FitOptions) -> bool:
    """Whether patience is used up. Checked before an epoch, so that a resumed training stops here as well."""
    return bool(progress.best) and progress.epoch - progress.best["epoch"] >= options.patience


def autocast(options: FitOptions) -> torch.autocast | nullcontext[None]:
    """bfloat16 has float32's range, so no loss scaling is needed."""
    if not options.amp:
        return nullcontext()
    return torch.autocast(torch.device(options.device).type, dtype=torch.bfloat16)


def to(batch: Batch, device: str) -> Batch:
    """Every tensor of a batch on ``device``."""
    if device == "cpu":
        return batch

    def move(side: Side) -> Side:
        return Side(
            side.clips.to(device), side.mask.to(device), {name: value.to(device) for name, value in side.extras.items()}
        )

    labels = replace(batch.labels, **{name: value.to(device) for name, value in vars(batch.labels).items()})
    return Batch(
        move(batch.video), move(batch.music), labels, batch.video_course.to(device), batch.music_course.to(device)
    )


def spread(side: Side) -> Tensor:
    """(C,) deviation of each number of a clip vector over the training split."""
    return side.clips[side.mask].std(dim=0)


def draw(train: Batch, rows: Tensor, scales: tuple[Tensor, Tensor], options: FitOptions, generator: Generator) -> Batch:
    """A batch of ``rows``; each side is cut and disturbed by itself."""
    picked = train.rows(rows)
    sides, courses = [], []
    for side, scale in zip((picked.video, picked.music), scales, strict=True):
        most = side.clips.shape[1]
        short = torch.rand(len(rows), generator=generator) < options.short
        lengths = torch.where(short, torch.randint(1, most + 1, (len(rows),), generator=generator), most)
        starts = (torch.rand(len(rows), generator=generator) * (most - lengths + 1)).long()
        noise = torch.empty(side.clips.shape, device="cpu").normal_(generator=generator).to(side.clips.device)
        cut, course = crop(side, picked.labels.course, lengths.to(rows.device), starts.to(rows.device))
        sides.append(Side(cut.clips + options.noise * scale * noise, cut.mask, cut.extras))
        courses.append(course)
    return Batch(sides[0], sides[1], picked.labels, courses[0], courses[1])


def crop(side: Side, course: Tensor, lengths: Tensor, starts: Tensor) -> tuple[Side, Tensor]:
    """Windows of ``lengths`` (B,) clips from ``starts`` (B,), moved to the front, and the course cut in the same way.

    Places outside a side's mask are never used: a window is at most as long as its valid clips.
    """
    count = side.clips.shape[1]
    places = torch.arange(count, device=side.clips.device)
    index = (places + starts.unsqueeze(1)).clamp(max=count - 1)
    mask = (places < lengths.unsqueeze(1)) & side.mask.gather(1, index)
    # A row that lost all its clips keeps its old window.
    lost = ~mask.any(dim=1, keepdim=True)
    mask, index = torch.where(lost, side.mask, mask), torch.where(lost, places.expand_as(index), index)

    def move(values: Tensor) -> Tensor:
        wide = index.view(*index.shape, *[1] * (values.dim() - 2)).expand(-1, -1, *values.shape[2:])
        keep = mask.view(*mask.shape, *[1] * (values.dim() - 2))
        return torch.where(keep, values.gather(1, wide), torch.zeros((), dtype=values.dtype, device=values.device))

    extras = {name: move(value) for name, value in side.extras.items()}
    return Side(move(side.clips), mask, extras), move(course)


@torch.inference_mode()
def validate(system: System, val: Batch) -> dict[str, float]:
    """Retrieval by the dual encoder: R@10 in percent and the mean log rank, both over the two directions."""
    system.module().eval()
    similarity = (system.video(val.video) @ system.music(val.music).T).float().cpu().numpy()
    results = [retrieval(matrix) for matrix in (similarity, similarity.T)]
    return {
        "val_r10": sum(result.recall[10] for result in results) / 2,
        "val_median": sum(result.median_rank for result in results) / 2,
        "val_log_rank": sum(result.mean_log_rank for result in results) / 2,
    }
