"""The suggestions as a table that updates itself in a terminal; elsewhere one plain table at the end."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from catalog.rights import badges

from .core.events import (
    Accepted,
    Cut,
    End,
    Failed,
    GivenUp,
    Item,
    Notice,
    OnAirNow,
    Refused,
    Reset,
    Suggestions,
    Warned,
)

REFRESH_HZ: Final = 8


class LiveTable:
    """A context manager; ``put`` takes every notice. It keeps the newest suggestions, the newest cut and the notes."""

    def __init__(self, source: str, duration_s: float | None, console: Console | None = None) -> None:
        self._source = source
        self._duration_s = duration_s
        self._console = console or Console()
        self._suggestions: Suggestions | None = None
        self._cut: Cut | None = None
        self._notes: list[str] = []
        self._live = Live(console=self._console, refresh_per_second=REFRESH_HZ, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        if not self._console.is_terminal:  # where it is redrawn, the cursor stands below the table
            self._console.line()

    def put(self, notice: Notice) -> None:
        """Take one notice; the next refresh shows it."""
        match notice:
            case Suggestions():
                self._suggestions = notice
            case Cut():
                self._cut = notice
            case Reset():
                self._notes.append(f"started anew: {notice.reason}")
            case Refused():
                self._notes.append(f"{notice.command} refused: {notice.reason}")
            case Warned() | Failed():
                self._notes.append(notice.reason)
            case Accepted() | GivenUp():
                pass
            case End():
                self._notes.append(
                    f"{notice.frames} frames, {notice.sampled} looked at, {notice.dropped} dropped, "
                    f"{notice.suggestions} lists of suggestions"
                )
        self._notes = self._notes[-4:]

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [Text(self._headline(), style="bold", overflow="ellipsis", no_wrap=True)]
        if (now := self._suggestions) is not None:
            parts.append(table(now))
            if now.stale:
                parts.append(Text(now.stale, style="yellow"))
            if now.on_air is not None:
                parts.append(Text(on_air(now.on_air, now.items)))
        parts += [Text(note, style="dim") for note in self._notes]
        return Group(*parts)

    def _headline(self) -> str:
        now = self._suggestions
        if now is None:
            return f"{self._source}: waiting for the first second of video"
        length = "" if self._duration_s is None else f" of {clock(self._duration_s)}"
        late = "" if now.late_ms is None else f" · {now.late_ms:.0f} ms late"
        cut = "" if self._cut is None else f" · last cut {clock(self._cut.pts_s)}"
        return f"{clock(now.pts_s)}{length} · {now.advice}{late}{cut} · {self._source}"


def table(suggestions: Suggestions) -> Table:
    """One row an item."""
    grid = Table(box=None, pad_edge=False, expand=True)
    grid.add_column("#", justify="right", style="dim", width=2)
    grid.add_column("track", ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column("from", justify="right", width=6)
    grid.add_column("bpm", justify="right", width=4)
    grid.add_column("fits", justify="right", width=5)
    grid.add_column("why", ratio=2, no_wrap=True, overflow="ellipsis")
    for item in suggestions.items:
        grid.add_row(*row(item), style="bold" if item.rank == 1 else "")
    return grid


def row(item: Item) -> tuple[RenderableType, ...]:
    name = f"{item.title} · {item.artist}" if item.artist else item.title
    warnings = badges(item.marks, item.live_ok, item.vod_ok)
    shown = Text(name)
    if warnings:
        shown.append(f" [{', '.join(warnings)}]", style="yellow")
    why = [fact.text for fact in item.facts] + ([f"held: {item.held}"] if item.held else [])
    return (
        str(item.rank),
        shown,
        clock(item.start_s),
        f"{item.tempo_bpm:.0f}" if item.tempo_bpm > 0 else "-",
        f"{100 * item.score:.0f}",
        Text(" · ".join(why)),
    )


def on_air(now: OnAirNow, items: Sequence[Item]) -> str:
    """What is on air, for how much longer, and what follows."""
    titles = {item.track: item.title for item in items}
    words = [f"on air: {titles.get(now.track, now.track)}"]
    if now.position_s is not None:
        words.append(f"at {clock(now.position_s)}")
    if now.next_in_s is not None:
        words.append(f"to be left in {max(0.0, now.next_in_s):.0f} s")
    if now.next is not None:
        words.append(f"next: {titles.get(now.next, now.next)}")
    return " · ".join(words)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
