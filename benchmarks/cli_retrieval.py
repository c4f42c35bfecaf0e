"""``segue bench retrieval``: the papers' systems and ours, on one corpus."""

import argparse
import sys
from pathlib import Path
from typing import Any

from .errors import BenchError
from .harness import Report, Row


def add_retrieval(kinds: Any) -> None:
    """Tell the parser of ``segue bench`` about it."""
    each = kinds.add_parser("retrieval", help="every paper's system and ours: train, test, compare")
    each.add_argument("--corpus", choices=("synth", "emomv"), required=True, help="whose protocol")
    each.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="corpus synth: made by segue corpus")
    each.add_argument("--work", type=Path, metavar="FOLDER", help="keep backbones and ranks here (default DATA-bench)")
    each.add_argument("--seeds", type=int, metavar="N", help="of every system (default: synth 3, emomv 5)")
    each.add_argument("--only", action="append", metavar="SYSTEM", help="this system alone; may be given again")
    each.add_argument("--backbone-epochs", type=int, metavar="N", help="instead of the recipes'")
    each.add_argument("--threads", type=int, metavar="N", help="of torch (default: its own choice)")
    each.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    each.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to FILE")
    each.add_argument("--picture", type=Path, metavar="FILE", help="draw the table to a PNG file")


def retrieval(options: argparse.Namespace) -> int:
    for path in (options.json, options.markdown, options.picture):
        if path is not None and not path.parent.is_dir():
            raise BenchError(f"{path}: its folder does not exist; make it or write elsewhere")
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    return synth(options) if options.corpus == "synth" else emomv(options)


def synth(options: argparse.Namespace) -> int:
    from towers.corpora.corpus import open_corpus

    from . import retrieval_synth as bench
    from .orderings import verdicts

    corpus = open_corpus(options.data)
    work = options.work or options.data.with_name(options.data.name + "-bench")
    seeds = tuple(range(options.seeds or 3))
    plan = [entrant for entrant in bench.PLAN if not options.only or entrant.system in options.only]
    if not plan:
        raise BenchError(f"--only {', '.join(options.only)}: no such system; there are {known(bench.PLAN)}")
    table = bench.measure(bench.Bench(corpus, work, seeds, backbone_epochs=options.backbone_epochs), plan, say)
    queries = next(iter(table.values())).shape[1]
    rows = [*bench.rows(table, seeds), *bench.chance_rows(queries)]
    lines = "".join(
        f"| {one.claim} | {one.difference.value:+.1f} [{one.difference.low:+.1f}, {one.difference.high:+.1f}] "
        f"| {one.verdict} |\n"
        for one in verdicts(table)
    )
    claims = f"| claim | difference in R@10, both ways | here |\n|---|---|---|\n{lines}" if lines else ""
    settings: dict[str, str | int | float] = {"corpus": corpus.name, "gallery": queries, "seeds": len(seeds)}
    finish(options, rows, claims, settings, f"Gallery of {queries} pairs, {len(seeds)} seeds, 95% intervals")
    return 0


def emomv(options: argparse.Namespace) -> int:
    from .retrieval_emomv import measure

    rows, settings = measure(options.data, tuple(range(options.seeds or 5)), say)
    finish(options, rows, "", settings, "EmoMV-C")
    return 0


def finish(
    options: argparse.Namespace, rows: list[Row], more: str, settings: dict[str, str | int | float], title: str
) -> None:
    """Print the tables, write what was asked for."""
    from .table import markdown, picture

    text = markdown(rows) + ("\n" + more if more else "")
    print(text)  # noqa: T201
    if options.markdown is not None:
        options.markdown.write_text(text, encoding="utf-8")
    if options.json is not None:
        Report("retrieval", rows, settings).write(options.json)
    if options.picture is not None:
        picture(rows, "r10" if options.corpus == "synth" else "map", options.picture, title)


def known(plan: Any) -> str:
    return ", ".join(dict.fromkeys(entrant.system for entrant in plan))


def say(text: str) -> None:
    """Progress goes to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
