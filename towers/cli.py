"""``segue corpus``, ``segue train``, ``segue evaluate``."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TowersError
from .eta import Pace, duration_text

if TYPE_CHECKING:
    from .train import TrainOptions

USER_ERRORS = (TowersError,)
LEAST = 2  # pairs of a split
PAIR_CPU_S = 0.75  # rendering and measuring one, on one core of a server
REPORT_S = 5.0  # between two lines of progress
ABSENT = 20  # missing files that are listed one by one
FORMS = (
    "FOLDER: every video in it, tagged by its folders. CSV: a column video, and any of id, music, "
    "music_id, video_start, video_end, music_start, music_end, split, tags, energy, valence, tension, emotion, "
    "polarity, match. A list of ids or addresses (HIMV-200K, YouTube-8M) with --media. MGSV-EC's CSV with --media and "
    "--music."
)


def main(command: str, argv: Sequence[str]) -> int:
    """Run one of the three; returns the exit code."""
    return {"corpus": corpus, "train": train, "evaluate": evaluate}[command](argv)


def corpus(argv: Sequence[str]) -> int:
    top = argparse.ArgumentParser(prog="segue corpus", description="Make a training corpus.")
    verbs = top.add_subparsers(dest="verb", required=True)
    synth = verbs.add_parser("synth", help="pairs of rendered video and music that one latent mood drives")
    synth.add_argument("out", type=Path, metavar="OUT")
    synth.add_argument("--pairs", type=positive, default=3000, metavar="N", help="training pairs (default %(default)s)")
    synth.add_argument("--val", type=positive, metavar="N", help="validation pairs (default: a tenth of --pairs)")
    synth.add_argument("--test", type=positive, metavar="N", help="test pairs (default: a third of --pairs)")
    synth.add_argument("--seed", type=int, default=0)
    synth.add_argument("--replace", action="store_true", help="make OUT anew where another corpus is in it")
    synth.add_argument("--jobs", type=positive, default=1, metavar="J", help="processes (default %(default)s)")
    add_build(verbs.add_parser("build", help="windows of real videos with their music", epilog=FORMS))
    options = top.parse_args(argv)
    return {"synth": corpus_synth, "build": corpus_build}[options.verb](options)


def corpus_synth(options: argparse.Namespace) -> int:
    from .corpora.synth import synthesise

    began = time.monotonic()
    counts = {
        "train": options.pairs,
        "val": options.val or max(LEAST, options.pairs // 10),
        "test": options.test or max(LEAST, options.pairs // 3),
    }
    pace, reported_s = Pace(began), began
    for done, total in synthesise(options.out, counts, options.seed, options.jobs, options.replace):
        now_s = time.monotonic()
        if reported_s == began:
            parts = ", ".join(f"{count} {split}" for split, count in counts.items())
            time_s = (total - done) * PAIR_CPU_S / min(options.jobs, os.cpu_count() or 1)
            say(f"{total} pairs ({parts}), {done} of them there; about {duration_text(time_s)} where nothing else runs")
            pace, reported_s = Pace(now_s, done), now_s
        elif done == total or now_s - reported_s >= REPORT_S:
            left = pace.left(done, total, now_s)
            say(f"{done}/{total} pairs, {now_s - began:.0f} s{f', {left}' if left else ''}")
            reported_s = now_s
    say(f"corpus in {options.out}")
    return 0


def add_build(build: argparse.ArgumentParser) -> None:
    build.add_argument("lists", type=Path, nargs="+", metavar="FOLDER|CSV", help="videos, or lists of them")
    build.add_argument("-o", "--out", type=Path, required=True, metavar="OUT")
    build.add_argument("--media", type=Path, metavar="FOLDER", help="folder of the videos that a list names by id")
    build.add_argument("--music", type=Path, metavar="FOLDER", help="folder of the tracks (default: as --media)")
    build.add_argument(
        "--windows", type=positive, default=4, metavar="N", help="of 28 s, at most, from a training video (%(default)s)"
    )
    build.add_argument(
        "--clips", type=positive, default=2, metavar="N", help="of 4 s that a short window needs (default %(default)s)"
    )
    build.add_argument("--val", type=share, default=0.1, help="share of the musics (default %(default)s)")
    build.add_argument("--test", type=share, default=0.1, help="share of the musics (default %(default)s)")
    build.add_argument("--jobs", type=positive, default=1, metavar="J", help="processes (default %(default)s)")


def corpus_build(options: argparse.Namespace) -> int:
    from .corpora.build import build
    from .corpora.build_report import REPORT, TABLE, BuildOptions
    from .corpora.lists.readers import read_lists

    began = time.monotonic()
    listed = read_lists(options.lists, options.media, options.music)
    for name in listed.absent[:ABSENT]:
        say(f"no file: {name}")
    if len(listed.absent) > ABSENT:
        say(f"no file: {len(listed.absent) - ABSENT} more")
    build_options = BuildOptions(options.windows, options.clips, options.val, options.test, options.jobs)
    for progress in build(options.out, listed.sources, build_options):
        if progress.outcome is not None:
            text = progress.outcome.reason or f"{progress.outcome.windows} windows"
            elapsed_s = time.monotonic() - began
            say(f"{progress.done}/{progress.total} sources, {elapsed_s:.0f} s  {progress.outcome.id}: {text}")
    print((options.out / REPORT).read_text(encoding="utf-8"), end="")  # noqa: T201
    say(f"corpus in {options.out}; every source in {options.out / TABLE}")
    return 0


def train(argv: Sequence[str]) -> int:
    top = argparse.ArgumentParser(
        prog="segue train",
        description="Train a system on a corpus.",
        epilog="On several GPUs: torchrun --nproc-per-node N -m segue train ... --device cuda",
    )
    top.add_argument("corpus", type=Path, metavar="CORPUS")
    top.add_argument("-o", "--out", type=Path, required=True, metavar="RUN")
    top.add_argument("--system", default="segue", help="segue (default), ut-cmvmr, vmnet, dpvm, emomv, ...")
    top.add_argument("--setting", help="one of the system's settings (default: its best)")
    top.add_argument("--scale", choices=("small", "paper", "tiny"), default="small", help="sizes (default %(default)s)")
    top.add_argument("--video-backbone", metavar="KIND", help="conformer, slowfast, dpvm, stored:COLUMN, ...")
    top.add_argument("--music-backbone", metavar="KIND", help="conformer, low-level, vggish, dpvm, onnx:FILE, ...")
    top.add_argument("--backbones", type=Path, metavar="FOLDER", help="use the backbones trained there")
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--epochs", type=positive, help="of the system, at most")
    top.add_argument("--backbone-epochs", type=positive, help="of each backbone")
    top.add_argument("--resume", action="store_true", help="continue from RUN's checkpoint")
    top.add_argument("--device", default="cpu", help="of the system's training (default %(default)s)")
    top.add_argument("--amp", action="store_true", help="bfloat16 where the device has it")
    top.add_argument("--compile", action="store_true", help="torch.compile the loss")
    top.add_argument("--threads", type=positive, metavar="N", help="of torch (default: its own choice)")
    top.add_argument("--tensorboard", action="store_true", help="write RUN/tensorboard beside the CSV file")
    options = top.parse_args(argv)

    import torch

    from .corpora.corpus import open_corpus
    from .distributed import join_team
    from .recipes import recipe_of
    from .train import TrainOptions, check
    from .train import train as run_training

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(options.device == "cpu")
    recipe = recipe_of(options.system)
    fit = replace(recipe.fit, device=options.device, amp=options.amp, compile=options.compile)
    train_options = TrainOptions(
        system=recipe.system,
        setting=options.setting or recipe.setting,
        video=options.video_backbone or recipe.video,
        music=options.music_backbone or recipe.music,
        scale=options.scale,
        seed=options.seed,
        fit=replace(fit, epochs=options.epochs) if options.epochs else fit,
        backbone_epochs=options.backbone_epochs,
    )
    check(train_options, open_corpus(options.corpus), options.tensorboard)  # before waiting for other processes
    report = Stages(train_options)
    with join_team(options.device) as team:
        run_training(
            options.corpus,
            options.out,
            train_options,
            options.backbones,
            options.resume,
            report,
            options.tensorboard,
            team,
        )
    if team.first:
        say(f"run in {options.out}")
    return 0


class Stages:
    """Prints the progress of a training: one line an epoch, with the time that the stage still needs."""

    def __init__(self, options: "TrainOptions") -> None:
        from .backbone_cache import shelf_name
        from .recipes import pretraining_of

        self.began_s = time.monotonic()
        self.epochs = {
            shelf_name(side, kind): pretraining_of(kind, options.backbone_epochs).epochs
            for side, kind in (("video", options.video), ("music", options.music))
        } | {options.system: options.fit.epochs}
        self.paces: dict[str, Pace] = {}
        self.last_s = self.began_s

    def __call__(self, stage: str, figures: Mapping[str, float]) -> None:
        now_s = time.monotonic()
        epoch, epochs = int(figures["epoch"]), self.epochs.get(stage, 0)
        step = int(epoch > 0)
        pace = self.paces.setdefault(stage, Pace(self.last_s, epoch - step))
        left = pace.left(epoch, epochs, now_s)
        self.last_s = now_s
        parts = "  ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "epoch")
        of = f"epoch {epoch} of {epochs}" if epochs and epoch else f"epoch {epoch}"
        say(f"{now_s - self.began_s:6.0f} s  {stage}  {of}{f', {left}' if left else ''}  {parts}")


def evaluate(argv: Sequence[str]) -> int:
    top = argparse.ArgumentParser(prog="segue evaluate", description="Recall of a run on a corpus, against chance.")
    top.add_argument("run", type=Path, metavar="RUN")
    top.add_argument("corpus", type=Path, metavar="CORPUS")
    top.add_argument("--split", choices=("train", "val", "test"), default="test")
    top.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    top.add_argument("--moments", type=positive, metavar="N", help="ask for start offsets too, in N tracks of 84 s")
    top.add_argument("--cache", type=Path, metavar="DIR", help="clip vectors (default: beside the run's backbones)")
    options = top.parse_args(argv)

    from .evaluate import evaluate as measure

    figures = measure(options.run, options.corpus, options.split, options.cache)
    print(f"{figures['pairs']} pairs of {figures['corpus']}, {figures['split']}; recall in percent")  # noqa: T201
    print(f"{'protocol':9} {'way':4} {'R@1':>6} {'R@5':>6} {'R@10':>6} {'R@25':>6} {'median':>7}")  # noqa: T201
    for row in figures["rows"]:
        recalls = " ".join(f"{row[f'r{k}']:6.2f}" for k in (1, 5, 10, 25))
        print(f"{row['protocol']:9} {row['direction']:4} {recalls} {row['median_rank']:7g}")  # noqa: T201
    for side, errors in figures["mood_mae"].items():
        line = "  ".join(f"{axis} {error:.3f}" for axis, error in errors.items())
        print(f"mood, mean absolute error, {side}: {line}")  # noqa: T201
    if options.moments:
        figures["moments"] = start_offsets(options.run, options.moments)
        line = "  ".join(f"{name} {value:.3g}" for name, value in figures["moments"].items())
        print(f"start offsets, {options.moments} tracks: {line}")  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def start_offsets(run: Path, count: int) -> dict[str, float]:
    from .run import load_run
    from .start_offsets import figures, moments

    def report(done: int) -> None:
        if done % 25 == 0:
            say(f"{done}/{count} tracks")

    return figures(moments(load_run(run), count, seed=0, report=report))


def share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0 to 0.5")
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def say(text: str) -> None:
    """Progress goes to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
