"""``segue index``, ``segue search`` and ``segue catalog``."""

import argparse
import getpass
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engines.arguments import add_engine_arguments, engine_notice, engine_options
from engines.base import Engine
from engines.bundle import Bundle, default_bundle, load_bundle
from engines.choose import AUTO, CPU, EngineOptions, choose, with_reserve
from engines.errors import EngineError
from engines.manifest import PRECISIONS
from features.spec import FEATURES

from .arguments import add_dask, add_search_device
from .closed import Closed
from .errors import CatalogError
from .indexer import index_folder
from .libraries.copies import DROP, copy_music
from .libraries.keys import key_of
from .libraries.opensubsonic import Server
from .libraries.prepared import Library
from .libraries.write_m3u8 import write_playlist
from .mirror import Analyse
from .printing import (
    candidate_json,
    list_tracks,
    no_match_text,
    print_line,
    report_json,
    show_candidates,
    show_progress,
    show_report,
)
from .records import JINGLE_S, Filters
from .report import printable
from .worker import EngineSpec

USER_ERRORS = (CatalogError, EngineError)
PASSWORD = "SEGUE_OPENSUBSONIC_PASSWORD"
LIKE = 10  # tracks that are like another, unless -n says otherwise


def main(command: str, argv: Sequence[str]) -> int:
    """Run one of the three; returns the exit code. Raises ``USER_ERRORS``."""
    if command == "catalog":
        from .catalog_command import main as catalog_main  # what searches is not loaded to index

        return catalog_main(argv)
    return {"index": index, "search": search}[command](argv)


def index(argv: Sequence[str]) -> int:
    """0 when the catalogue holds something usable afterwards, 2 when not."""
    arguments = index_parser().parse_args(argv)
    options = engine_options(arguments)
    bundle = load_bundle(arguments.bundle or default_bundle(), FEATURES)
    engine, name = _engine(arguments, bundle, options)
    plans = None if options.plans is None else str(options.plans)
    flags = (("device", options.device), ("precision", options.precision), ("triton", options.triton), ("plans", plans))
    spec = EngineSpec(str(bundle.path), name, flags)
    libraries: list[Path | Library] = [*arguments.library]
    try:
        if arguments.copy_from is not None:
            with show_progress() as progress:
                libraries.append(
                    copy_music(_server(arguments.copy_from), arguments.music, progress, arguments.drop_copies)
                )
        with show_progress() as progress:
            report = index_folder(
                arguments.music, arguments.catalog, engine, arguments.jobs, progress, spec, arguments.forget_missing,
                libraries, arguments.no_libraries, arguments.refresh, _elsewhere(arguments.dask), arguments.settle,
                arguments.unattended,
            )  # fmt: skip
    finally:
        engine.close()
    if arguments.json:
        print_line(json.dumps(report_json(arguments.catalog, report)))
    else:
        show_report(arguments.catalog, report)
    if report.tracks:
        return 0
    if report.missing:
        raise CatalogError(
            f"{printable(arguments.music)}: no file is there. The analysis of {report.missing} tracks is kept. "
            "Mount the disk and run again, or add --forget-missing"
        )
    raise CatalogError(f"{printable(arguments.music)}: no file could be used; nothing is in {arguments.catalog}")


def _engine(arguments: argparse.Namespace, bundle: Bundle, options: EngineOptions) -> tuple[Engine, str]:
    """The engine of this process and its name. Several processes open their own, and this one none, or only until it is
    known which works best here. Workers of a cluster have other machines, so for these nothing is tried here: they open
    the engine that is named, else the CPU's."""
    if arguments.dask is not None:
        return Closed(bundle), CPU if arguments.engine == AUTO else arguments.engine
    if arguments.jobs > 1 and arguments.engine == CPU and options.precision == PRECISIONS[0]:
        return Closed(bundle), CPU
    choice = choose(bundle, arguments.engine, options)
    if text := engine_notice(choice):
        print(f"segue index: {text}", file=sys.stderr)  # noqa: T201
    if arguments.jobs == 1:
        return with_reserve(choice, bundle, options), choice.name
    choice.engine.close()
    return Closed(bundle), choice.name


def _elsewhere(scheduler: str | None) -> Analyse | None:
    if scheduler is None:
        return None
    import distributed  # noqa: F401 - where it lacks, the command says so before it starts

    from .dask_pool import on_cluster

    return on_cluster(scheduler, lambda text: print(f"segue index: {text}", file=sys.stderr))  # noqa: T201


def _server(address: str) -> Server:
    password = os.environ.get(PASSWORD)
    if password is None and sys.stdin.isatty():
        password = getpass.getpass(f"Password for {address}: ")
    if password is None:
        raise CatalogError(f"no password for the server; put it into {PASSWORD}")
    return Server(address, password)


def index_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segue index",
        description="Make a catalogue mirror a folder of music. New and changed files are analysed. Files that are "
        "gone are not suggested. Renamed and newly tagged ones are recognised by their sound.",
    )
    parser.add_argument(
        "music",
        type=Path,
        metavar="MUSIC",
        help="folder of music, searched through and through; or a playlist (.m3u, .m3u8) of files anywhere",
    )
    parser.add_argument("-c", "--catalog", type=Path, required=True, help="folder of the catalogue, made if missing")
    parser.add_argument("--bundle", type=Path, help="bundle to analyse with (default: the one that ships)")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes")
    add_dask(parser)
    parser.add_argument(
        "--forget-missing",
        action="store_true",
        help="drop the tracks whose files are not in MUSIC any more (default: keep their analysis)",
    )
    parser.add_argument(
        "--unattended",
        action="store_true",
        help="for programs that mirror a folder: tracks stay where the whole folder is away, as a network drive may be",
    )
    parser.add_argument(
        "--library",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="rekordbox's exported XML or Mixxx's mixxxdb.sqlite: beats, cues, keys, ratings, playlists of the files "
        "here; may be repeated",
    )
    parser.add_argument(
        "--copy-from",
        metavar="https://USER@HOST",
        help="first copy what an OpenSubsonic server (Navidrome, Ampache...) has into MUSIC, a folder of its own; the "
        f"password is asked for, or in {PASSWORD}",
    )
    parser.add_argument(
        DROP,
        action="store_true",
        help="with --copy-from: remove the copies that the server has not any more, even if these are many",
    )
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="also measure what tracks lack that an older version analysed (their key), without analysing them again",
    )
    parser.add_argument(
        "--settle",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long a file must stay as it is before it is analysed; one that is still being written is left for "
        "the next time (default 0; --watch waits 3)",
    )
    parser.add_argument("--no-libraries", action="store_true", help="drop what libraries said of the files here before")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_engine_arguments(parser)
    return parser


def search(argv: Sequence[str]) -> int:
    """List the tracks that are like one, or without ``--like`` every track; the filters hold for both."""
    arguments = search_parser().parse_args(argv)
    if arguments.like is not None and arguments.text is not None:
        raise CatalogError("--like and --text are two searches; give one of them")
    if not 0.0 <= arguments.from_s < arguments.to_s:
        raise CatalogError(f"--from {arguments.from_s:g} --to {arguments.to_s:g}: must be from 0 on, and rise")
    from .catalog import Catalog  # here, because to index nothing is searched

    with Catalog.open(arguments.catalog, None, arguments.search_device) as catalog:
        filters = Filters(
            min_bpm=arguments.min_bpm,
            max_bpm=arguments.max_bpm,
            licences=frozenset(arguments.licence),
            tags=frozenset(arguments.tag),
            exclude=frozenset(arguments.exclude) | ({arguments.like} if arguments.like else set()),
            only=frozenset(arguments.only) if arguments.only else None,
            min_duration_s=arguments.min_duration,
            jingles=arguments.jingles,
            instrumental=arguments.instrumental,
            live_ok=arguments.live_ok,
            vod_ok=arguments.vod_ok,
            moods=frozenset(arguments.mood),
            playlists=frozenset(arguments.playlist),
            keys=frozenset(arguments.key),
            near_keys=arguments.near_keys,
            min_energy=arguments.min_energy,
            max_energy=arguments.max_energy,
        )
        like, tracks = arguments.like, catalog.tracks() if arguments.text is None else catalog.named(arguments.text)
        listed = [track for track in tracks if filters.passes(track)][: arguments.n] if like is None else []
        candidates = (
            [] if like is None else catalog.like(like, arguments.n or LIKE, filters, arguments.from_s, arguments.to_s)
        )
    if not listed and not candidates:
        print(f"segue search: {no_match_text(tracks, filters, arguments.text)}", file=sys.stderr)  # noqa: T201
    if arguments.m3u8 is not None:
        starts = [(track, 0.0) for track in listed] + [(found.track, found.start_s) for found in candidates]
        for text in write_playlist(arguments.m3u8, starts):
            print(f"segue search: {text}", file=sys.stderr)  # noqa: T201
    if arguments.like is None:
        return list_tracks(listed, arguments.json)
    if arguments.json:
        for rank, candidate in enumerate(candidates, 1):
            print_line(json.dumps(candidate_json(rank, candidate)))
    else:
        show_candidates(candidates)
    return 0


def search_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="segue search", description="One-off search of a catalogue.")
    parser.add_argument("-c", "--catalog", type=Path, required=True, help="folder of the catalogue")
    parser.add_argument("--like", metavar="TRACK_ID", help="find what is like this track (default: list all)")
    parser.add_argument(
        "--from",
        dest="from_s",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="with --like: what plays from there",
    )
    parser.add_argument(
        "--to", dest="to_s", type=float, default=math.inf, metavar="SECONDS", help="with --like: what plays until then"
    )
    parser.add_argument(
        "--text", metavar="WORDS", help="list the tracks that have all these words in their names or tags"
    )
    parser.add_argument("-n", type=positive, help=f"tracks wanted (default: with --like {LIKE}, else all)")
    parser.add_argument("--min-bpm", type=float, metavar="BPM")
    parser.add_argument("--max-bpm", type=float, metavar="BPM")
    parser.add_argument(
        "--licence",
        action="append",
        default=[],
        help="may be repeated: any of them; without a version (CC0, CC-BY) any version",
    )
    parser.add_argument("--tag", action="append", default=[], help="may be repeated: any of them")
    parser.add_argument(
        "--playlist", action="append", default=[], metavar="NAME", help="may be repeated: in any of them"
    )
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        type=_key,
        metavar="KEY",
        help="as F#m, Db or 8A; may be repeated",
    )
    parser.add_argument("--near-keys", action="store_true", help="and those that mix with them on the circle of fifths")
    parser.add_argument("--min-energy", type=_share, metavar="SHARE", help="0 to 1: loudness and density")
    parser.add_argument("--max-energy", type=_share, metavar="SHARE")
    parser.add_argument("--m3u8", type=Path, metavar="FILE", help="also write what is found as a playlist")
    parser.add_argument("--exclude", action="append", default=[], metavar="TRACK_ID", help="may be repeated")
    parser.add_argument("--only", action="append", default=[], metavar="TRACK_ID", help="may be repeated")
    parser.add_argument("--min-duration", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument(
        "--jingles", action="store_true", help=f"with --like: tracks under {JINGLE_S:g} s too (a list has them anyway)"
    )
    parser.add_argument("--instrumental", action="store_true", help="only what nobody sings or speaks in")
    parser.add_argument("--mood", action="append", default=[], help="may be repeated: any of them")
    parser.add_argument("--live-ok", action="store_true", help="only what is marked as allowed in a live stream")
    parser.add_argument("--vod-ok", action="store_true", help="only what is marked as allowed in a recording of it")
    add_search_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    return parser


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def _key(text: str) -> str:
    if key := key_of(text):
        return key
    raise argparse.ArgumentTypeError(f"{text!r} is no key; give one as F#m, Db or 8A")


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 0 to 1")
    return value
