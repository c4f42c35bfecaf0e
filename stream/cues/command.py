"""``segue cues``: the kept sessions, and what is made of them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog.catalog import Catalog
from catalog.layout import FILE

from .errors import CueError
from .export.formats import FORMATS, export, find
from .export.options import CLOCKS, FPS, START, read_options
from .export.sheet import Sheet
from .export.texts import clock_text, one_line
from .export.youtube import LEAST, chapters
from .known import Lookup, in_files, of_catalog
from .model import NAMED, Cue, Session
from .report import page
from .save import save
from .store import FOLDER, NEWEST, CueStore


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="segue cues",
        description="What sessions left behind: which tracks were proposed and taken, when; as lists and files.",
        epilog="docs/CUES.md says what reads which format.",
    )
    commands = arguments.add_subparsers(dest="command", required=True, metavar="list|show|export")
    listing = commands.add_parser("list", help="the kept sessions, the newest first")
    showing = commands.add_parser("show", help="the cues of one session")
    making = commands.add_parser("export", help="a file for an editor, a player or a report")
    for command in (listing, showing, making):
        command.add_argument("-c", "--catalog", type=Path, required=True, help="the catalogue that was served")
        command.add_argument("--cues", type=Path, metavar="FOLDER", help="where cues are kept (CATALOG/sessions)")
    for command in (showing, making):
        command.add_argument("session", metavar="SESSION", help=f"its id, the beginning of one, or {NEWEST}")
        command.add_argument("--kinds", help=f"which cues, with commas between: {', '.join(NAMED)}")
    making.add_argument("--format", required=True, metavar="FORMAT", help=f"{', '.join(FORMATS)}, or html")
    making.add_argument("--fps", default=FPS, metavar="RATE", help=f"frames a second, as 29.97 or 30000/1001 ({FPS})")
    drop = making.add_mutually_exclusive_group()
    drop.add_argument("--drop-frame", dest="drop", action="store_true", default=None, help="default at 29.97 and 59.94")
    drop.add_argument("--non-drop-frame", dest="drop", action="store_false", default=None, help="count every number")
    making.add_argument("--start", default=START, metavar="TIMECODE", help=f"of the timeline's first frame ({START})")
    making.add_argument(
        "--clock",
        default=CLOCKS[0],
        metavar="CLOCK",
        help=f"{', '.join(CLOCKS)}: media time, or that of OBS's stream or recording (record-2: of the second one)",
    )
    making.add_argument("-o", "--output", type=Path, metavar="FILE", help="write here instead of printing")
    return arguments


def main(argv: Sequence[str]) -> int:
    """0 done. Raises CueError, and the errors of catalogues."""
    options = parser().parse_args(argv)
    if not (options.catalog / FILE).is_file():
        raise CueError(f"{options.catalog}: is no catalogue; -c names the one that was served")
    store = CueStore(options.cues or options.catalog / FOLDER)
    if options.command == "list":
        _list(store)
    elif options.command == "show":
        _show(store.load(options.session), options.kinds)
    else:
        _export(store.load(options.session), options)
    return 0


def _list(store: CueStore) -> None:
    sessions = list(store.sessions())
    if not sessions:
        _say(f"no sessions are kept in {store.folder}")
    for session in sessions:
        counts = f"{len(session.of('taken')):>4} taken {len(session.of('proposed')):>4} proposed"
        _say(f"{session.id}  {clock_text(session.length_s):>8}  {counts}  {one_line(session.label)}")


def _show(session: Session, kinds: str | None) -> None:
    names = read_options(names=kinds or ",".join(NAMED)).names
    _say(f"{session.id}  {one_line(session.label)}  began {session.started}")
    for cue in session.closed().of(*names):
        _say(_line(cue))


def _line(cue: Cue) -> str:
    lasted = "" if cue.end is None else f"for {clock_text(cue.end.pts_s - cue.start.pts_s)}"
    into = "" if cue.from_s is None else f"from {clock_text(cue.from_s)}"
    notes = " ".join(filter(None, (cue.outcome, cue.how)))
    words = "" if cue.kind == "scene" else one_line(cue.words)
    return f"{clock_text(cue.start.pts_s):>8}  {cue.kind:<8}  {words}  {into}  {lasted}  {notes}".rstrip()


def _export(session: Session, asked: argparse.Namespace) -> None:
    with Catalog.open(asked.catalog, None) as catalog:
        text = _made(session, asked, of_catalog(catalog, in_files))
    if asked.output is None:
        sys.stdout.write(text)
    else:
        save(asked.output, text)


def _made(session: Session, asked: argparse.Namespace, look_up: Lookup) -> str:
    if asked.format == "html":
        return page(session, look_up)
    options = read_options(asked.fps, asked.drop, asked.start, asked.clock, asked.kinds or "taken")
    format = find(asked.format)
    text, sheet = export(session, format, options, look_up)
    for note in notes(sheet, format.name):
        sys.stderr.write(f"segue cues: {note}\n")
    return text


def notes(sheet: Sheet, format: str) -> list[str]:
    """What its reader should know of an export."""
    found = []
    if sheet.left_out:
        found.append(f"{sheet.left_out} cues are left out: the {sheet.options.clock} did not run then")
    if len(others := [clock for clock in sheet.session.clocks if clock.startswith(f"{sheet.options.clock}-")]) > 1:
        found.append(
            f"there are {', '.join(others)}: this is {sheet.options.take or 'the newest'}; --clock names another"
        )
    if not sheet.spans:
        names = ", ".join(sheet.options.names)
        found.append(f"there are no cues ({names}) in this session; --kinds asks for others: {', '.join(NAMED)}")
    if format == "youtube" and sheet.music and len(chapters(sheet)) < LEAST:
        found.append(f"fewer than {LEAST} chapters: YouTube shows none, the text is a list of tracks")
    return found


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
