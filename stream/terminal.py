"""The suggestions as a table that renews itself in a terminal; a plain last table where the output is no terminal."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .core.events import Accepted, Cut, End, Failed, Item, Notice, Refused, Reset, Suggestions, Warned

BAR: Final = 8  # characters for a part of a score
REFRESH_HZ: Final = 8


class Board:
    """A context manager; ``show`` takes every notice. State: the newest suggestions, the newest cut, the notes."""

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

    def show(self, notice: Notice) -> None:
        """Take one notice into the picture; the next refresh shows it."""
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
            case Accepted():
                pass
            case End():
                self._notes.append(
                    f"{notice.frames} frames, {notice.sampled} looked at, {notice.dropped} dropped, "
                    f"{notice.suggestions} lists of suggestions"
                )
        self._notes = self._notes[-4:]

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [Text(self._headline(), style="bold", overflow="ellipsis", no_wrap=True)]
        if self._suggestions is not None:
            parts.append(table(self._suggestions))
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
    grid.add_column("score", justify="right", width=5)
    for name in ("content", "rhythm", "mood"):
        grid.add_column(name, width=BAR, no_wrap=True)
    for item in suggestions.items:
        grid.add_row(*row(item), style="bold" if item.rank == 1 else "")
    return grid


def row(item: Item) -> tuple[RenderableType, ...]:
    name = f"{item.title} · {item.artist}" if item.artist else item.title
    parts = (item.reasons.content, item.reasons.rhythm, item.reasons.mood)
    return (
        str(item.rank),
        Text(name),
        clock(item.start_s),
        f"{item.tempo_bpm:.0f}" if item.tempo_bpm > 0 else "-",
        f"{item.score:.2f}",
        *(Text("━" * round(part * BAR), style="cyan") for part in parts),
    )


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
