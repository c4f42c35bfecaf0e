"""What ``segue index`` and ``segue search`` print: tables for people, JSON for programs, progress on standard error."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .described import heard_json, rights_json
from .mirror import Progress as Report
from .records import Candidate, Filters, Track
from .report import FileNote, IndexReport, printable
from .rights import badges

SHOWN = 20  # files of a kind that the summary names; --json names all


@contextmanager
def show_progress() -> Iterator[Report]:
    """A bar on standard error where that is a terminal, else a line for each tenth of the work."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking for music", total=None)
        yield lambda done, total, text: bar.update(task, completed=done, total=total, description=text[:50])


class PlainProgress:
    """A line for each tenth of the work, with the time that is left at the pace so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin = clock()

    def __call__(self, done: int, total: int, text: str) -> None:
        if done and done != total and done * 10 // total == (done - 1) * 10 // total:
            return
        left = f", {left_text((total - done) * (self._clock() - self._begin) / done)} left" if 0 < done < total else ""
        print(f"{done}/{total}{left} {text}", file=sys.stderr, flush=True)  # noqa: T201


def left_text(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_line(text: str) -> None:
    print(text)  # noqa: T201


def report_json(catalog: Path, report: IndexReport) -> dict[str, Any]:
    counts = {name: value for name, value in asdict(report).items() if isinstance(value, int)}
    notes = {name: [{"path": printable(note.path), "text": note.text} for note in kind]
             for name, kind in (("failed", report.failed), ("notes", report.notes), ("away", report.away))}  # fmt: skip
    return {"v": 1, "type": "index", "catalog": printable(catalog)} | counts | notes


def list_tracks(tracks: list[Track], as_json: bool) -> int:
    if as_json:
        for track in tracks:
            print_line(json.dumps({"v": 1, "type": "track"} | track_json(track)))
        return 0
    table = new_table("title", "artist", "length", "tempo", "licence", "warnings")
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
        **rights_json(track),
        "key": track.key,
        **heard_json(track),
        "rating": track.rating,
        "playlists": list(track.playlists),
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
        "in another encoding": report.recoded,
        "back again": report.returned,
        "analysed again": report.healed,
        "key measured": report.completed,
        "forgotten": report.removed,
        "duplicates": report.duplicates,
        "other files of a recording": report.copies,
        "passed over, no sound": report.scores,
        "still being written": report.changing,
        "described by sidecars": report.described,
        "playlists": report.playlists,
        "known to libraries": report.prepared,
    }
    for name, count in (always | {name: count for name, count in now_and_then.items() if count}).items():
        table.add_row(name, str(count))
    console.print(table)
    show_notes(console, "failed", report.failed)
    show_notes(console, "away", report.away)
    show_notes(console, "note", report.notes)


def show_notes(console: Console, kind: str, notes: tuple[FileNote, ...]) -> None:
    for note in notes[:SHOWN]:
        console.print(f"{kind}: {note.line()}", markup=False, soft_wrap=True)
    if len(notes) > SHOWN:
        console.print(f"{kind}: and {len(notes) - SHOWN} more; --json lists them all")


def show_candidates(candidates: list[Candidate]) -> None:
    table = new_table("title", "artist", "from", "similarity", "tempo", "licence", "warnings")
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
    warnings = badges(track.marks, track.rights.live_ok, track.rights.vod_ok)
    return cells(f"{track.tempo_bpm:.0f}" if track.tempo_bpm else "-", track.licence, ", ".join(warnings))


def cells(*texts: str) -> list[Text]:
    """Plain text: a title may hold what rich would read as markup."""
    return [Text(text) for text in texts]


def clock(time_s: float) -> str:
    return f"{int(time_s // 60)}:{int(time_s % 60):02d}"


def no_match_text(tracks: list[Track], filters: Filters) -> str:
    """Why a search may have no results."""
    text = f"none of {len(tracks)} tracks passes the filters"
    if filters.live_ok or filters.vod_ok:
        marked = [f"{sum(bool(getattr(track.rights, name)) for track in tracks)} are marked {name}"
                  for name in ("live_ok", "vod_ok") if getattr(filters, name)]  # fmt: skip
        text += f" ({', '.join(marked)}; segue catalog edit marks them)"
    if filters.playlists:
        lists = Counter(name for track in tracks for name in track.playlists)
        names = ", ".join(f"{name} ({count})" for name, count in lists.most_common(SHOWN))
        text += f". Playlists here: {names or 'none'}"
    if not filters.licences:
        return text
    counts = Counter(track.licence or "(none given)" for track in tracks)
    names = ", ".join(f"{name} ({count})" for name, count in counts.most_common(SHOWN))
    return f"{text}. Licences here: {names or 'none'}"
