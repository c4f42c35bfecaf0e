"""``segue catalog``: see, edit and take away what is said of tracks; look whether everything is whole."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from .circle import camelot
from .described import rights_json
from .edit import BUILT, FILE, WHERE, changes, chosen_now, edit, export, show
from .errors import CatalogError, NothingChosenError
from .fields import FIELDS, NO, YES
from .printing import cells, list_tracks, print_line, track_json
from .records import Track
from .stats import stats
from .verify import verify

SHOWN: Final = 12  # licences, tags or tempi that are listed
_ORIGINS: Final = {FILE: "the file", BUILT: "made of title, artist, source and licence", "tags": "the file's tags"}


def main(argv: Sequence[str]) -> int:
    """Run one of them; returns the exit code. Raises ``CatalogError``."""
    arguments = parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="segue catalog",
        description="What is said of tracks: licence, rights, source, moods. What you edit counts before what sidecars "
        "(segue.csv beside the music) and files say, and stays when the music is indexed again.",
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        it = commands.add_parser(name, help=about, description=about)
        it.set_defaults(run=run)
        it.add_argument("-c", "--catalog", type=Path, required=True, help="folder of the catalogue")
        return it

    one = command("show", _show, "Show what is said of a track, and who says it.")
    one.add_argument("track", metavar="TRACK_ID")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    several = command("edit", _edit, "Say something of tracks, or take it back.")
    several.add_argument("tracks", nargs="*", metavar="TRACK_ID")
    several.add_argument(
        "--where", action="append", default=[], metavar="FIELD=VALUE",
        help=f"tracks of which this holds, instead of ids; may be repeated: all must hold. Fields: {', '.join(WHERE)}; "
        "texts may hold * and ?, licence= means: none is known",
    )  # fmt: skip
    fields = "; ".join(f"{name}: {field.about}" for name, field in FIELDS.items())
    several.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help=fields)
    several.add_argument("--unset", action="append", default=[], metavar="FIELD", help="take an edit back")
    several.add_argument("--dry-run", action="store_true", help="only list the tracks")
    several.add_argument("--json", action="store_true", help="print the tracks, one JSON object a line")
    for name, hidden, about in (
        (
            "remove",
            YES,
            "Leave tracks out of every search. Their files and analysis stay, also when the music is indexed.",
        ),
        ("restore", NO, "Let tracks that were removed be suggested again."),
    ):
        several = command(name, partial(_hide, hidden), about)
        several.add_argument("tracks", nargs="*", metavar="TRACK_ID")
        several.add_argument(
            "--where", action="append", default=[], metavar="FIELD=VALUE", help="as for edit; hidden=yes: those removed"
        )
    whole_command = command("verify", _verify, "Read everything once, and say what is damaged.")
    whole_command.add_argument("--json", action="store_true", help="print one JSON object")
    numbers = command("stats", _stats, "What is in it, in numbers.")
    numbers.add_argument("--json", action="store_true", help="print one JSON object")
    away = command("export", _export, "Print what was edited as a segue.csv for the folder of the music.")
    away.add_argument("music", type=Path, metavar="MUSIC_DIR", help="the folder that the file will lie in")
    away.add_argument("-o", "--out", type=Path, metavar="FILE", help="a new file (default: standard output)")
    return whole


def _show(arguments: argparse.Namespace) -> int:
    track, fields, duties = show(arguments.catalog, arguments.track)
    if arguments.json:
        said = {name: {**asdict(field), "others": dict(field.others)} for name, field in fields.items()}
        print_line(json.dumps({"v": 1, "type": "said"} | track_json(track) | {"said": said, "duties": duties}))
        return 0
    table = Table(title=f"{track.id}", title_justify="left")
    for column in ("field", "value", "from", "also said"):
        table.add_column(column)
    for name, field in fields.items():
        others = "; ".join(f"{_ORIGINS.get(origin, origin)}: {value}" for origin, value in field.others)
        table.add_row(*cells(name, field.value or "-", _ORIGINS.get(field.origin, field.origin), others))
    for name, value in _measured(track):
        table.add_row(*cells(name, value, "measured", ""))
    table.add_row(*cells("warnings", ", ".join(rights_json(track)["marks"]) or "-", "the licence", ""))
    if duties:
        table.add_row(*cells("it asks for", "; ".join(duties), "the licence", ""))
    Console(highlight=False).print(table)
    return 0


def _measured(track: Track) -> list[tuple[str, str]]:
    """What was measured of a track, in words."""
    heard = f"{track.heard_key} ({camelot(track.heard_key)}), {100.0 * track.key_confidence:.0f}% sure"
    return [
        ("tempo", f"{track.tempo_bpm:.1f} bpm" if track.tempo_bpm else "-"),
        ("key heard", heard if track.heard_key else "-"),
        ("energy", "-" if track.energy is None else f"{track.energy:.2f} of 1"),
        ("sung or spoken", "-" if track.vocals is None else f"{100.0 * track.vocals:.0f}% of its seconds"),
    ]


def _edit(arguments: argparse.Namespace) -> int:
    values, unset = changes(arguments.set, arguments.unset)
    if bool(arguments.tracks) == bool(arguments.where):
        raise CatalogError("name tracks by their ids, or choose them by --where; --where 'path=*' means all")
    if not (values or unset or arguments.dry_run):
        raise CatalogError("nothing to say; give --set FIELD=VALUE or --unset FIELD")
    if arguments.dry_run:
        try:
            return list_tracks(chosen_now(arguments.catalog, arguments.tracks, arguments.where), arguments.json)
        except NothingChosenError as error:
            print(f"segue catalog: {error}", file=sys.stderr)  # noqa: T201
            return 0
    chosen = edit(arguments.catalog, arguments.tracks, arguments.where, values, unset)
    if arguments.json:
        return list_tracks(chosen_now(arguments.catalog, [track.id for track in chosen], ()), True)
    said = "1 track" if len(chosen) == 1 else f"{len(chosen)} tracks"
    print_line(f"{said} edited; servers that run use it within a second or two")
    return 0


def _hide(hidden: str, arguments: argparse.Namespace) -> int:
    if bool(arguments.tracks) == bool(arguments.where):
        raise CatalogError("name tracks by their ids, or choose them by --where")
    chosen = edit(arguments.catalog, arguments.tracks, arguments.where, {"hidden": hidden}, ())
    said = "1 track is" if len(chosen) == 1 else f"{len(chosen)} tracks are"
    done = "left out of every search; segue catalog restore takes that back" if hidden == YES else "suggested again"
    print_line(f"{said} {done}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    """0 whole, 1 not."""
    found = verify(arguments.catalog)
    if arguments.json:
        print_line(json.dumps({"v": 1, "type": "verified"} | asdict(found)))
        return 1 if found.faults else 0
    for fault in found.faults:
        print_line(fault)
    more = f", {found.unowned} clip files of no track (segue index removes them)" if found.unowned else ""
    absent = f", {found.absent} files of music are not there now" if found.absent else ""
    whole = f"{len(found.faults)} faults" if found.faults else "whole"
    print_line(f"{arguments.catalog}: {whole}; {found.tracks} tracks, {found.segments} segments{more}{absent}")
    return 1 if found.faults else 0


def _stats(arguments: argparse.Namespace) -> int:
    found = stats(arguments.catalog)
    if arguments.json:
        print_line(json.dumps({"v": 1, "type": "stats"} | asdict(found)))
        return 0
    table = Table(show_header=False)
    print_line(str(arguments.catalog))
    for name, value in asdict(found).items():
        if isinstance(value, dict):
            shown = list(value.items())[:SHOWN]
            text = ", ".join(f"{key}: {count}" for key, count in shown)
            value = text + (f" and {len(value) - len(shown)} more" if len(value) > len(shown) else "")
        elif name.endswith("_bytes"):
            name, value = name.removesuffix("_bytes"), f"{value / 1e6:.1f} MB"
        table.add_row(*cells(name, f"{value:.1f}" if isinstance(value, float) else str(value)))
    Console(highlight=False).print(table)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    if arguments.out is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr] # CRLF ends a row (RFC 4180)
        rows, left = export(arguments.catalog, arguments.music, sys.stdout.write)
    else:
        rows, left = _export_to(arguments.out, arguments.catalog, arguments.music)
    for name in left:
        print(f"segue catalog: {name}: is no text, left out", file=sys.stderr)  # noqa: T201
    print(f"segue catalog: {rows} tracks", file=sys.stderr)  # noqa: T201
    return 0


def _export_to(out: Path, catalog: Path, music: Path) -> tuple[int, list[str]]:
    """``export`` into a new file; none is left behind that is not whole."""
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            try:
                made = export(catalog, music, file.write)
                file.flush()
            except BaseException:
                out.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CatalogError(f"{out}: cannot be made ({error.strerror}); name a new file") from error
    return made
