"""The rows as tables, on the terminal and in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.harness import Row

from .cold import STEPS

Key = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    title: str
    head: Sequence[str]
    lines: Sequence[Sequence[str]]


def grids(rows: Sequence[Row]) -> list[Grid]:
    """Every table that has rows, in the order of the measurement."""
    every_grid = [
        engines(rows),
        *(speed(rows, graph) for graph in ordered(row.labels["graph"] for row in rows if row.metric == "p50_ms")),
        batching(rows),
        hops(rows),
        parity(rows),
        overlap(rows),
        cold(rows),
        device(rows),
        limits(rows),
    ]
    return [grid for grid in every_grid if grid.lines]


def engines(rows: Sequence[Row]) -> Grid:
    lines = [
        [text(row, "engine"), text(row, "precision"), "yes" if row.value else "no", text(row, "reason")]
        for row in rows
        if row.metric == "available"
    ]
    return Grid("Engines", ("engine", "precision", "here", "why not, or its full name"), lines)


def speed(rows: Sequence[Row], graph: object) -> Grid:
    """A line an engine; a cell a batch: medians by processor and by the wall (by the wall alone where a GPU does the
    work), p99 by the wall, ratio to the reference, and page faults, if any."""
    mine = [row for row in rows if row.labels.get("graph") == graph and "batch" in row.labels]
    batches = sorted({int(row.labels["batch"]) for row in mine})
    cells: dict[Key, dict[int, dict[str, Row]]] = {}
    for row in mine:
        key = (text(row, "engine"), text(row, "precision"), text(row, "weights"))
        cells.setdefault(key, {}).setdefault(int(row.labels["batch"]), {})[row.metric] = row
    lines = [
        [
            " ".join(part for part in key if part not in ("", "float32")),
            *(timing(of.get(batch, {})) for batch in batches),
        ]
        for key, of in cells.items()
    ]
    return Grid(
        f"{graph}: processor ms, wall ms (p99), ratio to onnx-cpu", ("engine", *(f"batch {b}" for b in batches)), lines
    )


def timing(cell: Mapping[str, Row]) -> str:
    if "failed" in cell:
        return "failed"
    if "p50_ms" not in cell:
        return ""
    figures = f"{cell['p50_ms'].value:.3g}"
    if "p99_ms" in cell:  # it needs many runs
        figures += f" ({cell['p99_ms'].value:.3g})"
    if "wall_ratio" in cell:  # wall times stand beside processor times
        figures = f"{cell['cpu_p50_ms'].value:.3g}, {figures}"
    if "ratio" in cell:
        figures = f"{figures}, x{cell['ratio'].value:.2f}"
    faults = cell["page_faults"].value if "page_faults" in cell else 0
    return f"{figures}, {faults:.0f} faults" if faults >= 1 else figures


def batching(rows: Sequence[Row]) -> Grid:
    """By processor time, and by the wall: with several threads processor time includes those that wait for work."""
    lines: dict[Key, dict[str, Row]] = {}
    named = ("graph", "engine", "precision", "threads", "sessions")
    for row in rows:
        if row.metric.startswith("batch") and row.metric.endswith("_ratio"):
            key = tuple(text(row, name) for name in named)
            lines.setdefault(key, {})[row.metric.partition("_")[2]] = row
    return Grid(
        "One batch by as many single runs",
        (*named, "processor", "wall"),
        [[*key, *(f"{of[name].value:.2f}" for name in ("cost_ratio", "wall_ratio"))] for key, of in lines.items()],
    )


def hops(rows: Sequence[Row]) -> Grid:
    lines: dict[Key, dict[str, Row]] = {}
    for row in rows:
        if row.metric.startswith("hop_"):
            key = tuple(text(row, name) for name in ("engine", "precision", "threads", "sessions", "how"))
            lines.setdefault(key, {})[row.metric] = row
    return Grid(
        "A whole hop of every session",
        ("engine", "precision", "threads", "sessions", "how", "median ms", "p99 ms", "processor", "wall"),
        [
            [*key, *(figure(of, name) for name in ("hop_ms", "hop_p99_ms", "hop_cost_ratio", "hop_wall_ratio"))]
            for key, of in lines.items()
        ],
    )


def parity(rows: Sequence[Row]) -> Grid:
    lines: dict[Key, dict[str, Row]] = {}
    for row in rows:
        if row.metric in ("difference", "cosine"):
            lines.setdefault(tuple(text(row, name) for name in ("graph", "engine", "precision")), {})[row.metric] = row
    return Grid(
        "Against onnx-cpu in float32",
        ("graph", "engine", "precision", "largest difference", "lowest cosine"),
        [
            [*key, f"{of['difference'].value:.1e}", f"{of['cosine'].value:.6f}" if "cosine" in of else ""]
            for key, of in lines.items()
        ],
    )


def overlap(rows: Sequence[Row]) -> Grid:
    lines: dict[Key, dict[str, Row]] = {}
    for row in rows:
        if row.metric.startswith("top10_overlap"):
            lines.setdefault(tuple(text(row, name) for name in ("engine", "precision", "tracks")), {})[row.metric] = row
    return Grid(
        "Of the ten tracks found, how many are the reference's",
        ("engine", "precision", "tracks", "lowest", "mean", "scenes"),
        [
            [*key, figure(of, "top10_overlap_lowest"), figure(of, "top10_overlap_mean"), str(next(iter(of.values())).n)]
            for key, of in lines.items()
        ],
    )


def cold(rows: Sequence[Row]) -> Grid:
    lines: dict[Key, dict[str, Row]] = {}
    for row in rows:
        if row.metric.startswith("cold_") and row.metric.endswith("_ms"):
            lines.setdefault(tuple(text(row, name) for name in ("engine", "precision", "plans")), {})[row.metric] = row
    return Grid(
        "Cold start, ms",
        ("engine", "precision", "plans", *STEPS, "n"),
        [
            [*key, *(figure(of, f"cold_{step}_ms") for step in STEPS), str(next(iter(of.values())).n)]
            for key, of in lines.items()
        ],
    )


def device(rows: Sequence[Row]) -> Grid:
    """On the device alone, by its own events, with inputs and outputs already there."""
    lines = [
        [text(row, "graph"), text(row, "engine"), text(row, "batch"), f"{row.value:.4g}", str(row.n)]
        for row in rows
        if row.metric == "device_p50_ms"
    ]
    return Grid("On the device, without copies, ms", ("graph", "engine", "batch", "median", "n"), lines)


def limits(rows: Sequence[Row]) -> Grid:
    lines = [
        [row.metric, text(row, "graph"), text(row, "batch"), f"{row.value:.4g} {row.unit}"]
        for row in rows
        if row.metric.startswith("floor_") or row.metric.startswith("peak_")
    ]
    return Grid("What the device cannot go below", ("what", "graph", "batch", "value"), lines)


def text(row: Row, name: str) -> str:
    return str(row.labels.get(name, ""))


def figure(of: Mapping[str, Row], name: str) -> str:
    return f"{of[name].value:.4g}" if name in of else ""


def ordered(names: Iterable[object]) -> list[object]:
    return list(dict.fromkeys(names))


def show(rows: Sequence[Row], console: Console) -> None:
    for grid in grids(rows):
        table = Table(title=grid.title, title_justify="left")
        for heading in grid.head:
            table.add_column(heading, overflow="fold")
        for line in grid.lines:
            table.add_row(*map(escape, line))  # a reason may hold text that rich would read as markup
        console.print(table)


def markdown(rows: Sequence[Row], env: Mapping[str, object]) -> str:
    """The environment comes first: a figure means nothing without it."""
    parts = ["# Engines\n", "\n".join(f"- {name}: {value}" for name, value in env.items()) + "\n"]
    for grid in grids(rows):
        parts.append(f"## {grid.title}\n")
        head = "| " + " | ".join(grid.head) + " |\n|" + "---|" * len(grid.head)
        parts.append(
            "\n".join(
                [head, *("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in grid.lines)]
            )
            + "\n"
        )
    return "\n".join(parts)
