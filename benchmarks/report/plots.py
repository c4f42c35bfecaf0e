"""Which plots a report has: those whose rows it holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .svg import Bar, Series, bars, chart

PACE_OF: Final = ("decode", "convert", "flow", "appearance")  # of a frame, before the hop begins
END_TO_END: Final = "end to end"
MOST_BARS: Final = 40
MOST_SERIES: Final = 6
PERCENTS: Final = ("p99", "p95", "p50")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Plot:
    """``legend``: names of the series, in the order of their colours; ``note``: how to read it."""

    title: str
    svg: str
    note: str = ""
    legend: Sequence[str] = ()


def plots(document: Mapping[str, Any]) -> list[Plot]:
    rows = [row for row in document["rows"] if isinstance(row.get("value"), int | float)]
    every = [waterfall(rows), distribution(document), crowd(rows), recall(rows), cost(rows), *gpus(rows)]
    return [plot for plot in every if plot is not None and plot.svg]


def of(rows: Iterable[Row], bench: str, *metrics: str) -> list[Row]:
    return [row for row in rows if row["bench"] == bench and row["metric"] in metrics]


def waterfall(rows: Sequence[Row]) -> Plot | None:
    """Stages one after another, by their medians."""
    stages = [row for row in of(rows, "latency", "p50_ms") if "stage" in row]
    found, at = [], 0.0
    for row in stages:
        if row["stage"] == END_TO_END:
            found.append(Bar(END_TO_END, row["value"], 0.0, row.get("low"), row.get("high"), of_many(row), 1))
            continue
        begin = at
        at += row["value"]
        found.append(Bar(str(row["stage"]), row["value"], begin, note=of_many(row)))
    note = (
        "Medians, one after another as a second of video passes them; the first four are of one frame, the others once "
        "a second. The whole is less than their sum where stages run side by side, and more by waiting for threads."
    )
    return Plot("Stages of the path", bars(found, "ms", "stages of the path"), note) if found else None


def of_many(row: Row) -> str:
    return f"ms, n {row.get('n', '?')}"


def distribution(document: Mapping[str, Any]) -> Plot | None:
    """The share of hops that are faster than so many milliseconds."""
    chosen = [curve for curve in document.get("curves", []) if curve.get("unit") == "ms" and curve.get("values")]
    chosen.sort(key=lambda curve: curve.get("stage") != END_TO_END)
    series = []
    for curve in chosen[:MOST_SERIES]:
        values = [value for value in curve["values"] if isinstance(value, int | float)]
        share = [100.0 * (place + 0.5) / len(values) for place in range(len(values))]
        series.append(
            Series(f"{curve.get('stage', 'all')} (n {curve.get('n')})", list(zip(values, share, strict=True)))
        )
    svg = chart(series, "ms", "percent", log_x=True, title="latency, cumulative")
    note = "How many percent of the samples took at most so long."
    return Plot("Latency, cumulative", svg, note, [one.name for one in series]) if series else None


def crowd(rows: Sequence[Row]) -> Plot | None:
    """How late messages are, by the number of sessions: the highest percentile that there are samples for."""
    lines: dict[str, dict[float, tuple[str, float]]] = {}
    for percent in PERCENTS:
        for row in of(rows, "capacity", f"freshness_{percent}_ms"):
            own = lines.setdefault(str(row.get("server", "")), {})
            own.setdefault(float(row.get("sessions", 1)), (percent, row["value"]))
    series, shown = [], set[str]()
    for name, points in sorted(lines.items()):
        series.append(Series(name, [(sessions, value) for sessions, (_, value) in sorted(points.items())]))
        shown |= {percent for percent, _ in points.values()}
    if not series:
        return None
    which = " or ".join(percent for percent in PERCENTS if percent in shown)
    note = f"{which} of the messages at each number of sessions: the highest percentile that has enough messages."
    svg = chart(series, "sessions", "ms late", log_y=True, title="sessions against lateness")
    return Plot(f"Sessions against lateness ({which})", svg, note, [one.name for one in series])


def recall(rows: Sequence[Row]) -> Plot | None:
    """Each method and size: recall over the median of a search."""
    times = {
        where(row): row["value"] for row in of(rows, "search", "p50_ms", "cpu_p50_ms") if row.get("queries", 1) == 1
    }
    series: dict[str, list[tuple[float, float]]] = {}
    for row in of(rows, "search", "recall", "track_recall32"):
        if (time := times.get(where(row))) is not None and time > 0:
            series.setdefault(str(row.get("way", row.get("kind", "compact"))), []).append((time, row["value"]))
    lines = [Series(name, points, dots=True) for name, points in series.items()]
    svg = chart(lines, "ms for a search, median", "recall", log_x=True, zero=False, title="recall against latency")
    note = "One dot a size of the catalogue or a filter. To the left is faster, up is nearer to the exact result."
    return Plot("Recall against latency", svg, note, [line.name for line in lines]) if lines else None


def where(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in ("vectors", "way", "kind", "passing", "while"))


def cost(rows: Sequence[Row]) -> Plot | None:
    """Processor time of a stream, beside a server that only decodes."""
    found = of(rows, "capacity", "cost_cpu_s")
    floor = next((row["value"] for row in found if row.get("server") == "decode-only"), 0.0)
    given = []
    for row in found:
        low, high = row.get("low", row.get("least")), row.get("high", row.get("most"))
        ends = [1000 * end if isinstance(end, int | float) else None for end in (low, high)]
        ratio = f"ms, x{row['value'] / floor:.2f}" if floor else "ms"
        colour = 1 if row.get("server") == "decode-only" else 0
        given.append(Bar(str(row.get("server")), 1000 * row["value"], 0.0, ends[0], ends[1], ratio, colour))
    note = "Processor milliseconds of the server for a second of one stream; the whisker is what the turns showed."
    return Plot("Cost beside decode-only", bars(given, "ms/s", "cost of a stream"), note) if given else None


def gpus(rows: Sequence[Row]) -> Iterable[Plot]:
    """Engines that run on a GPU, and what torch's events tell, for each batch."""
    for metric, name in (("p50_ms", "by the clock"), ("device_p50_ms", "on the device"), ("kernels_ms", "kernels")):
        found = [row for row in rows if row["bench"] == "engines" and row["metric"] == metric and on_gpu(row)]
        given = [
            Bar(f"{row.get('graph', '')}, batch {row.get('batch', '')}", row["value"], 0.0, row.get("low"),
                row.get("high"), f"ms, {row.get('engine', '')} {row.get('precision', '')}".strip(),
                colour(str(row.get("engine"))))
            for row in found[:MOST_BARS]
        ]  # fmt: skip
        if given:
            yield Plot(f"GPU: {name}", bars(given, "ms", f"GPU, {name}"), "Medians, by graph and batch.")


def on_gpu(row: Row) -> bool:
    return any(part in str(row.get("engine", "")) for part in ("cuda", "tensorrt", "triton", "gpu"))


def colour(engine: str) -> int:
    return sum(map(ord, engine)) % MOST_SERIES
