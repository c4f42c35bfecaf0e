"""``segue index`` and ``segue search``."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from engines.arguments import add_engine_arguments, engine_options, notable
from engines.bundle import default_bundle, load_bundle
from engines.choose import choose, with_reserve
from engines.errors import EngineError
from features.spec import FEATURES

from .arguments import add_search_device
from .catalog import Catalog
from .errors import CatalogError
from .indexer import FileNote, IndexReport, index_folder, printable
from .indexer import Progress as Report
from .records import JINGLE_S, Candidate, Filters, Track
from .worker import EngineSpec

USER_ERRORS = (CatalogError, EngineError)
LIKE = 10  # tracks that are like another, unless -n says otherwise
SHOWN = 20  # files of a kind that the summary names; --json names all


def main(command: str, argv: Sequence[str]) -> int:
    """Run ``index`` or ``search``; returns the exit code. Raises ``USER_ERRORS``."""
    return {"index": index, "search": search}[command](argv)


def index(argv: Sequence[str]) -> int:
    """0 when the catalogue holds something usable afterwards, 2 when not."""
    arguments = index_parser().parse_args(argv)
    options = engine_options(arguments)
    bundle = load_bundle(arguments.bundle or default_bundle(), FEATURES)
    choice = choose(bundle, arguments.engine, options)
    if text := notable(choice):
        print(f"segue index: {text}", file=sys.stderr)  # noqa: T201
    engine = with_reserve(choice, bundle, options)
    plans = None if options.plans is None else str(options.plans)
    flags = (("device", options.device), ("precision", options.precision), ("triton", options.triton), ("plans", plans))
    spec = EngineSpec(str(bundle.path), choice.name, flags)
    try:
        with progress_shown() as progress:
            report = index_folder(
                arguments.music, arguments.catalog, engine, arguments.jobs, progress, spec, arguments.forget_missing
            )
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


def index_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segue index",
        description="Make a catalogue mirror a folder of music. New and changed files are analysed. Files that are "
        "gone are not suggested. Renamed and newly tagged ones are known by their sound.",
    )
    parser.add_argument("music", type=Path, metavar="MUSIC_DIR", help="folder of music, searched through and through")
    parser.add_argument("-c", "--catalog", type=Path, required=True, help="folder of the catalogue, made if missing")
    parser.add_argument("--bundle", type=Path, help="bundle to analyse with (default: the one that ships)")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument(
        "--forget-missing",
        action="store_true",
        help="drop the tracks whose files are not in MUSIC_DIR any more (default: keep their analysis)",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_engine_arguments(parser)
    return parser


def search(argv: Sequence[str]) -> int:
    """What is like a track, or without ``--like`` every track; the filters hold for both."""
    arguments = search_parser().parse_args(argv)
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
        )
        like, tracks = arguments.like, catalog.tracks()
        listed = [track for track in tracks if filters.passes(track)][: arguments.n] if like is None else []
        candidates = [] if like is None else catalog.like(like, arguments.n or LIKE, filters)
    if not listed and not candidates:
        print(f"segue search: {nothing_found(tracks, filters)}", file=sys.stderr)  # noqa: T201
    if arguments.like is None:
        return list_tracks(listed, arguments.json)
    if arguments.json:
        for rank, candidate in enumerate(candidates, 1):
            print_line(json.dumps(candidate_json(rank, candidate)))
    else:
        show_found(candidates)
    return 0


def nothing_found(tracks: list[Track], filters: Filters) -> str:
    """Why a search may have come back empty-handed."""
    if not filters.licences:
        return f"none of {len(tracks)} tracks passes what was asked for"
    counts = Counter(track.licence or "(none given)" for track in tracks)
    names = ", ".join(f"{name} ({count})" for name, count in counts.most_common(SHOWN))
    return f"none of {len(tracks)} tracks passes what was asked for; licences here: {names or 'none'}"


def search_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="segue search", description="One-off search of a catalogue.")
    parser.add_argument("-c", "--catalog", type=Path, required=True, help="folder of the catalogue")
    parser.add_argument("--like", metavar="TRACK_ID", help="find what is like this track (default: list all)")
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
    parser.add_argument("--exclude", action="append", default=[], metavar="TRACK_ID", help="may be repeated")
    parser.add_argument("--only", action="append", default=[], metavar="TRACK_ID", help="may be repeated")
    parser.add_argument("--min-duration", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument(
        "--jingles", action="store_true", help=f"with --like: tracks under {JINGLE_S:g} s too (a list has them anyway)"
    )
    parser.add_argument("--instrumental", action="store_true", help="only what nobody sings or speaks in")
    add_search_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    return parser


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


@contextmanager
def progress_shown() -> Iterator[Report]:
    """A bar on standard error where that is a terminal, else a line for each tenth of the work."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield plain_progress
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking for music", total=None)
        yield lambda done, total, text: bar.update(task, completed=done, total=total, description=text[:50])


def plain_progress(done: int, total: int, text: str) -> None:
    if not done or done == total or done * 10 // total != (done - 1) * 10 // total:
        print(f"{done}/{total} {text}", file=sys.stderr, flush=True)  # noqa: T201


def print_line(text: str) -> None:
    print(text)  # noqa: T201


def report_json(catalog: Path, report: IndexReport) -> dict[str, Any]:
    counts = {name: value for name, value in asdict(report).items() if isinstance(value, int)}
    notes = {name: [{"path": printable(note.path), "text": note.text} for note in kind]
             for name, kind in (("failed", report.failed), ("notes", report.notes))}  # fmt: skip
    return {"v": 1, "type": "index", "catalog": printable(catalog)} | counts | notes


def list_tracks(tracks: list[Track], as_json: bool) -> int:
    if as_json:
        for track in tracks:
            print_line(json.dumps({"v": 1, "type": "track"} | track_json(track)))
        return 0
    table = new_table("title", "artist", "length", "tempo", "licence")
    for track in tracks:
        table.add_row(track.id, *cells(track.title, track.artist, clock(track.duration_s)), *rest(track))
    Console(highlight=False).print(table)
    return 0


def track_json(track: Track) -> dict[str, Any]:
    return {
        "track": track.id,
        "title": track.title,
        "artist": track.artist,
        "duration_s": round(track.duration_s, 3),
        "tempo_bpm": round(track.tempo_bpm, 2),
        "licence": track.licence,
        "tags": list(track.tags),
    }


def candidate_json(rank: int, candidate: Candidate) -> dict[str, Any]:
    place = {"start_s": round(candidate.start_s, 3), "similarity": round(candidate.similarity, 6)}
    return {"v": 1, "type": "found", "rank": rank} | track_json(candidate.track) | place


def show_report(catalog: Path, report: IndexReport) -> None:
    console = Console(highlight=False)
    heading = Text(f"{printable(catalog)}: {report.tracks} tracks")
    table = Table(title=heading, title_justify="left", show_header=False)
    always = {
        "added": report.added,
        "refreshed": report.refreshed,
        "unchanged": report.unchanged,
        "missing, kept": report.missing,
        "failed": len(report.failed),
        "skipped, not music": report.skipped,
    }
    now_and_then = {
        "tagged anew": report.retagged,
        "renamed": report.renamed,
        "back again": report.returned,
        "analysed again": report.healed,
        "forgotten": report.removed,
        "duplicates": report.duplicates,
        "other files of a recording": report.copies,
        "passed over, no sound": report.scores,
    }
    for name, count in (always | {name: count for name, count in now_and_then.items() if count}).items():
        table.add_row(name, str(count))
    console.print(table)
    show_notes(console, "failed", report.failed)
    show_notes(console, "note", report.notes)


def show_notes(console: Console, kind: str, notes: tuple[FileNote, ...]) -> None:
    for note in notes[:SHOWN]:
        console.print(f"{kind}: {note.line()}", markup=False, soft_wrap=True)
    if len(notes) > SHOWN:
        console.print(f"{kind}: and {len(notes) - SHOWN} more; --json lists them all")


def show_found(candidates: list[Candidate]) -> None:
    table = new_table("title", "artist", "from", "similarity", "tempo", "licence")
    for candidate in candidates:
        track = candidate.track
        what = cells(track.title, track.artist, clock(candidate.start_s), f"{candidate.similarity:.3f}")
        table.add_row(track.id, *what, *rest(track))
    Console(highlight=False).print(table)


def new_table(*columns: str) -> Table:
    table = Table()
    table.add_column("track", no_wrap=True)
    for column in columns:
        table.add_column(column)
    return table


def rest(track: Track) -> list[Text]:
    return cells(f"{track.tempo_bpm:.0f}" if track.tempo_bpm else "-", track.licence)


def cells(*texts: str) -> list[Text]:
    """Plain text: a title may hold what rich would read as markup."""
    return [Text(text) for text in texts]


def clock(time_s: float) -> str:
    return f"{int(time_s // 60)}:{int(time_s % 60):02d}"
