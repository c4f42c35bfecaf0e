"""``segue towers import NAME -o BUNDLE``: networks of others, fetched here and joined to a bundle of ours; and ``segue
towers heads``: our own heads on top of them."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.bundle import default_bundle, load_bundle
from engines.errors import EngineError
from features.spec import FEATURES
from towers.errors import TowersError

from .errors import ExportError
from .imports import IMPORTS, MUSIC, VIDEOS, Import, ImportOptions, check_files, load, media_files

if TYPE_CHECKING:
    from rich.console import Console

    from engines.bundle import Bundle

    from .imported import Parts

Progress = Callable[[str], None]
USER_ERRORS: Final = (ExportError, EngineError, TowersError)
SHARE: Final = 0.8
HEADS: Final = ("emomv",)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="segue towers", description="Networks of others beside ours.")
    commands = top.add_subparsers(dest="task", required=True, metavar="import|heads|features")
    imported = commands.add_parser(
        "import",
        help="fetch networks, convert them and join them to a bundle",
        description="Fetch published networks, convert them on this machine and join them to a bundle. Nothing of a "
        "package is installed or run. Once fetched, no network is needed.",
        epilog="; ".join(f"{name}: {row.about}" for name, row in IMPORTS.items()),
    )
    imported.add_argument("name", choices=tuple(IMPORTS), metavar="NAME", help=", ".join(IMPORTS))
    imported.add_argument("-o", "--out", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    imported.add_argument("--base", type=Path, metavar="BUNDLE", help="what it joins (default: the one that ships)")
    how_much = imported.add_mutually_exclusive_group()
    how_much.add_argument(
        "--share", type=float, metavar="X", help=f"of the imported part, .05 to .95 (default {SHARE:g})"
    )
    how_much.add_argument(
        "--pairs", type=Path, metavar="DIR", help="choose the share on these videos with their own music"
    )
    imported.add_argument("--music", type=Path, metavar="DIR", help="with --pairs: further tracks, of no video")
    imported.add_argument(
        "--background",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="videos and music that what networks say is compared with (default: figures that come with the program; "
        "clip-clap has none)",
    )
    heads = commands.add_parser(
        "heads",
        help="train the heads of an import again",
        description="Train the heads of an import on a published corpus that you have. Epochs and threshold are chosen "
        "on held-out parts of its training list.",
    )
    heads.add_argument("name", choices=HEADS, metavar="NAME", help=", ".join(HEADS))
    heads.add_argument("--data", type=Path, required=True, metavar="DIR", help="EmoMV's release, features and labels")
    heads.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder to write the file into")
    heads.add_argument("--seed", type=int, default=0, metavar="N", help="of first weights and order (default 0)")
    features = commands.add_parser(
        "features",
        help="measure a corpus's features again, by the networks of an import",
        description="Measure a published corpus's features again, from its videos, by the networks of an import. The "
        "folder is then the --data of segue towers heads. A run that was stopped continues.",
    )
    features.add_argument("name", choices=HEADS, metavar="NAME", help=", ".join(HEADS))
    features.add_argument("--data", type=Path, required=True, metavar="DIR", help="EmoMV's release: its labels")
    features.add_argument("--videos", type=Path, required=True, metavar="DIR", help="its pieces, by their own names")
    features.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder to write")
    for command in (imported, features):
        add_fetch_options(command)
    return top


def add_fetch_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--accept-licence", action="store_true", help="agree to the licences of what is fetched")
    command.add_argument(
        "--file", "--wheel", dest="files", type=Path, action="append", default=[], metavar="FILE",
        help="use this file instead of fetching it; it keeps its own name",
    )  # fmt: skip
    command.add_argument(
        "--cache", type=Path, metavar="DIR", help="where fetched files are kept (default: the user's cache)"
    )


def main(command: str, argv: Sequence[str]) -> int:
    """Run ``segue towers``; 0 when the bundle is written. Raises ``USER_ERRORS``."""
    flags = parser()
    options = flags.parse_args(argv)
    if options.task == "heads":
        return train(options)
    if options.task == "features":
        return measure(options)
    if options.music is not None and options.pairs is None:
        flags.error("--music goes with --pairs")
    from .bundle import check_target
    from .imported import check_share

    out: Path = options.out.absolute()
    check_target(out)
    check_share(SHARE if options.share is None else options.share)
    base = load_bundle(options.base or default_bundle(), FEATURES)
    chosen = IMPORTS[options.name].open()
    agree(chosen, options.accept_licence)

    from rich.console import Console

    from .imported import export_parts, write_imported

    console = Console(highlight=False, soft_wrap=True)
    with console.status("fetching") as status:
        import_options = ImportOptions(options.cache, tuple(options.files), tuple(options.background), options.pairs)
        loaded = load(options.name, chosen, import_options, status.update)
        record, parts = dict(loaded.record), export_parts(loaded.whole, status.update)
        share = SHARE if options.share is None else options.share
        if options.pairs is not None:
            share, record["chosen"] = best_share(base, parts, options.pairs, options.music, console, status.update)
        report = write_imported(base, parts, share, out, out.name, record, status.update, loaded.licences)
    for graph in report.graphs:
        console.print(f"{graph.name:<16} {graph.size_bytes / 1e6:>7.2f} MB   theirs differs from torch by at most "
                      f"{graph.difference:.1e}")  # fmt: skip
    total = sum(graph.size_bytes for graph in report.graphs) / 1e6
    console.print(
        f"wrote {options.out} ({total:.2f} MB, share {share:g}, identity {report.identity[:12]})", markup=False
    )
    if base.bank is not None:
        console.print(
            f"the base's bank does not hold for it: segue bank VIDEO ... --bundle {options.out}", markup=False
        )
    console.print("then index your music again with --bundle: its vectors differ", markup=False)
    for note in loaded.notes:
        console.print(f"note: {note}", markup=False)
    return 0


def measure(options: argparse.Namespace) -> int:
    """Measure features again, into a folder of the release's layout."""
    chosen, import_options = IMPORTS[options.name].open(), ImportOptions(options.cache, tuple(options.files))
    check_files(chosen, import_options)
    agree(chosen, options.accept_licence)

    from rich.console import Console

    from .emomv_features import write_features
    from .import_emomv import networks

    console = Console(highlight=False, soft_wrap=True)
    with console.status("fetching") as status:
        video_network, music_network = networks(import_options, status.update)
        pairs = write_features(options.data, options.videos, options.out, video_network, music_network, status.update)
    console.print(f"wrote {options.out} ({pairs} pairs)", markup=False)
    console.print(f"now: segue towers heads {options.name} --data {options.out} -o HEADS", markup=False)
    return 0


def train(options: argparse.Namespace) -> int:
    """Train heads, write their file, print their figures."""
    from rich.console import Console

    from towers.imports.emomv import FILE, heads_bytes
    from towers.imports.emomv_train import train_heads

    console = Console(highlight=False, soft_wrap=True)
    with console.status("training") as status:
        heads = train_heads(options.data, status.update, options.seed)
    place: Path = options.out / FILE
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{FILE}.part")
        part.write_bytes(heads_bytes(heads))
        part.replace(place)
    except OSError as error:
        raise ExportError(
            f"output {options.out}: cannot be written ({error.strerror or error}); make room or name another place"
        ) from error
    for part_of in ("folds", "validation"):
        figures = ", ".join(f"{name} {value}" for name, value in heads.record[part_of].items())
        console.print(f"{part_of}: {figures}", markup=False)
    console.print(f"wrote {place} ({place.stat().st_size / 1e6:.2f} MB); give it to segue towers import with --file",
                  markup=False)  # fmt: skip
    return 0


def agree(chosen: Import, accepted: bool) -> None:
    """Show what is to be fetched and ask. ``ExportError`` where the answer is no, or there is no terminal."""
    print(chosen.summary(), file=sys.stderr)  # noqa: T201
    if accepted:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ExportError("the licences are not agreed to; read them, then give --accept-licence")
    print("Their licences go with the bundle as LICENCES.txt. Agree? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ExportError("the licences were refused; nothing was fetched")


def best_share(
    base: "Bundle", parts: "Parts", pairs: Path, music: Path | None, console: "Console", progress: Progress
) -> tuple[float, dict[str, float | int]]:
    """The best share on the user's own pairs, and the figures of the choice."""
    from .fusion import choose_share, measure_pairs
    from .imported import write_imported

    with tempfile.TemporaryDirectory(prefix="segue-") as folder:
        trial = Path(folder) / "trial"
        write_imported(base, parts, 0.5, trial, "trial", {}, progress)
        tracks = media_files([music], MUSIC) if music is not None else []
        cosines = measure_pairs(load_bundle(trial, FEATURES), 0.5, media_files([pairs], VIDEOS), tracks, progress)
    choice = choose_share(cosines)
    console.print(choice.text(), markup=False)
    return choice.share, asdict(choice)
