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

from rich.box import SIMPLE_HEAD
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
    show_rows([{"track": track.id, "title": track.title, "artist": track.artist, "length": clock(track.duration_s)}
               | rest(track) for track in tracks])  # fmt: skip
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
    console.print(Text(f"{printable(catalog)}: {report.tracks} tracks"), soft_wrap=True)
    table = Table(show_header=False)
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
    show_rows([{"track": one.track.id, "title": one.track.title, "artist": one.track.artist,
                "from": clock(one.start_s), "similar": f"{one.similarity:.3f}"}
               | rest(one.track) for one in candidates])  # fmt: skip


def show_rows(rows: list[dict[str, str]]) -> None:
    """A table without the columns that are empty in every row; none where there is no row."""
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    if not names:
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for name in names:
        free = name in ("title", "artist", "rights")  # the others are short and of no use in parts
        table.add_column(name, no_wrap=not free, overflow="fold", min_width=min(18, len(name)) if free else None)
    for row in rows:
        table.add_row(*cells(*(row[name] for name in names)))
    Console(highlight=False).print(table)


def rest(track: Track) -> dict[str, str]:
    warnings = badges(track.marks, track.rights.live_ok, track.rights.vod_ok)
    tempo = f"{track.tempo_bpm:.0f}" if track.tempo_bpm else "-"
    return {"tempo": tempo, "key": track.usual_key, "rights": ", ".join(filter(None, (track.licence, *warnings)))}


def cells(*texts: str) -> list[Text]:
    """Plain text: a title may hold what rich would read as markup."""
    return [Text(text) for text in texts]


def clock(time_s: float) -> str:
    return f"{int(time_s // 60)}:{int(time_s % 60):02d}"


def no_match_text(tracks: list[Track], filters: Filters, words: str | None = None) -> str:
    """Why a search may have no results. ``tracks``: those that have the words, where some were given."""
    if words is not None and not tracks:
        return f"no track has all the words of {words!r} in its names, tags, moods, playlists or file name"
    text = f"none of {len(tracks)} tracks passes the filters"
    if filters.live_ok or filters.vod_ok:
        marked = [f"{sum(bool(getattr(track.rights, name)) for track in tracks)} are marked {name}"
                  for name in ("live_ok", "vod_ok") if getattr(filters, name)]  # fmt: skip
        text += f" ({', '.join(marked)}; segue catalog edit marks them)"
    asked = {
        "Playlists": (filters.playlists, Counter(name for track in tracks for name in track.playlists)),
        "Tags": (filters.tags, Counter(name for track in tracks for name in track.tags)),
        "Moods": (filters.moods, Counter(name for track in tracks for name in track.moods)),
        "Keys": (filters.keys, Counter(track.usual_key or "(not known)" for track in tracks)),
        "Licences": (filters.licences, Counter(track.licence or "(none given)" for track in tracks)),
    }
    for kind, (wanted, counts) in asked.items():
        names = ", ".join(f"{name} ({count})" for name, count in counts.most_common(SHOWN))
        text += f". {kind} here: {names or 'none'}" if wanted else ""
    return text
