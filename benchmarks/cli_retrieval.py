"""``segue bench retrieval``: the papers' systems and ours on one corpus, and suggestions for real videos."""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from .errors import BenchError
from .harness import Report, Row, check_folder
from .report.run import publish

# Option -> the corpora that use it, and its default.
OPTION_CORPORA: Final[Mapping[str, tuple[tuple[str, ...], object]]] = {
    "work": (("synth", "real"), None),
    "seeds": (("synth", "emomv", "mgsv"), None),
    "only": (("synth", "mgsv"), None),
    "backbone_epochs": (("synth",), None),
    "threads": (("synth", "emomv", "mgsv"), None),
    "bundle": (("real",), None),
    "distractors": (("real",), None),
    "seconds": (("real",), 60.0),
    "jobs": (("real",), 2),
    "classes": (("real",), None),
    "no_steering": (("real",), False),
    "invariance": (("real",), False),
    "lists": (("real",), None),
    "picture": (("synth", "emomv", "real"), None),
}


def add_retrieval(kinds: Any) -> None:
    """Add ``retrieval`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("retrieval", help="every paper's system and ours: train, test, compare")
    parser.add_argument("--corpus", choices=("synth", "emomv", "real", "mgsv"), required=True, help="whose protocol")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="synth: of segue corpus; real: videos with music; emomv, mgsv: the release",
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="keep slow results here (default: synth DATA-bench, real nowhere)",
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="of every system (default: 3, emomv 5)")
    parser.add_argument("--only", action="append", metavar="SYSTEM", help="this system alone; may be given again")
    parser.add_argument("--backbone-epochs", type=int, metavar="N", help="instead of the recipes'")
    parser.add_argument("--threads", type=int, metavar="N", help="of torch (default: its own choice)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to FILE")
    parser.add_argument("--bundle", type=Path, help="real: bundle to judge (default: the one that ships)")
    parser.add_argument("--distractors", type=Path, metavar="FOLDER", help="real: other music for the gallery")
    parser.add_argument(
        "--seconds", type=float, default=OPTION_CORPORA["seconds"][1], help="real: of each video (default %(default)g)"
    )
    parser.add_argument(
        "--jobs", type=int, default=OPTION_CORPORA["jobs"][1], help="real: processes that index (default %(default)s)"
    )
    parser.add_argument(
        "--class", dest="classes", action="append", metavar="GLOB", help="real: tracks by name, such as '*boss*'"
    )
    parser.add_argument(
        "--no-steering", action="store_true", help="real: do not measure the dials, which take most time"
    )
    parser.add_argument(
        "--invariance", action="store_true", help="real: the same pictures in other forms, which is slow"
    )
    parser.add_argument(
        "--lists", type=Path, metavar="FILE", help="real: write each video's first three suggestions to FILE"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it to a PNG file")


def retrieval(options: argparse.Namespace) -> int:
    for path in (options.markdown, options.picture, options.lists):
        check_folder(path)
    if options.quick:
        options.seconds, options.no_steering, options.seeds = quick(options)
    for option, (corpora, default) in OPTION_CORPORA.items():
        if options.corpus not in corpora and getattr(options, option) != default:
            name = "class" if option == "classes" else option.replace("_", "-")
            raise BenchError(
                f"--{name}: means nothing with --corpus {options.corpus}, only with {', '.join(corpora)}; leave it out"
            )
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    return {"synth": synth, "emomv": emomv, "real": real, "mgsv": mgsv}[options.corpus](options)


def quick(options: argparse.Namespace) -> tuple[float, bool, int | None]:
    """Seconds, whether dials are left out, and seeds, of ``--quick``; what was given stays."""
    if options.corpus != "real":
        return options.seconds, options.no_steering, options.seeds or 1
    asked = options.seconds != OPTION_CORPORA["seconds"][1]
    return options.seconds if asked else 20.0, True, options.seeds


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
        f"| {row.claim} | {row.difference.value:+.1f} [{row.difference.low:+.1f}, {row.difference.high:+.1f}] "
        f"| {row.verdict} |\n"
        for row in verdicts(table)
    )
    claims = f"| claim | difference in R@10, both ways | here |\n|---|---|---|\n{lines}" if lines else ""
    settings: dict[str, str | int | float] = {"corpus": corpus.name, "gallery": queries, "seeds": len(seeds)}
    return finish(options, rows, claims, settings, f"Gallery of {queries} pairs, {len(seeds)} seeds, 95% intervals")


def emomv(options: argparse.Namespace) -> int:
    from .retrieval_emomv import measure

    rows, settings = measure(options.data, tuple(range(options.seeds or 5)), say)
    return finish(options, rows, "", settings, "EmoMV-C")


def real(options: argparse.Namespace) -> int:
    from engines.bundle import default_bundle, load_bundle
    from engines.onnx_engine import OnnxEngine
    from features.spec import FEATURES

    from .real_table import markdown
    from .retrieval_real import RealOptions, measure, warnings_of
    from .variants import VARIANTS

    bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
    with ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = RealOptions(
            work,
            options.distractors,
            options.seconds,
            options.jobs,
            tuple(options.classes or ()),
            not options.no_steering,
            tuple(VARIANTS) if options.invariance else (),
            lists=options.lists,
        )
        engine = OnnxEngine(bundle, 2)
        stack.callback(engine.close)
        report = measure(options.data, engine, settings, say)
    summary = report.settings
    text = (
        f"{summary['pairs']} pairs of {summary['videos']} videos, {summary['tracks']} tracks ("
        f"{summary['shown']} of 20 s and more), bundle {summary['bundle']}. 95% intervals over videos.\n"
    )
    text += "".join(f"\n{line}.\n" for line in warnings_of(summary)) + "\n" + markdown(report.rows)
    print(text)  # noqa: T201
    if options.markdown is not None:
        options.markdown.write_text(text, encoding="utf-8")
    if options.picture is not None:
        from .real_picture import picture

        picture(report.rows, options.picture)
    return publish(options, report)


def mgsv(options: argparse.Namespace) -> int:
    from .retrieval_mgsv import PLAN, markdown, measure

    plan = [entrant for entrant in PLAN if not options.only or entrant.partition("/")[0] in options.only]
    if not plan:
        known = ", ".join(entrant.partition("/")[0] for entrant in PLAN)
        raise BenchError(f"--only {', '.join(options.only)}: no such system; there are {known}")
    rows, settings = measure(options.data, plan, tuple(range(options.seeds or 3)), say)
    text = markdown(rows)
    print(text)  # noqa: T201
    if options.markdown is not None:
        options.markdown.write_text(text, encoding="utf-8")
    return publish(options, Report("retrieval", rows, settings))


def finish(
    options: argparse.Namespace, rows: list[Row], more: str, settings: dict[str, str | int | float], title: str
) -> int:
    """Print the tables, and write the files that the options name."""
    from .table import markdown, picture

    text = markdown(rows) + ("\n" + more if more else "")
    print(text)  # noqa: T201
    if options.markdown is not None:
        options.markdown.write_text(text, encoding="utf-8")
    if options.picture is not None:
        picture(rows, "r10" if options.corpus == "synth" else "map", options.picture, title)
    return publish(options, Report("retrieval", rows, settings))


def known(plan: Any) -> str:
    return ", ".join(dict.fromkeys(entrant.system for entrant in plan))


def say(text: str) -> None:
    """Progress goes to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
