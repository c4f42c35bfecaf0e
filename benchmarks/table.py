"""Rows of a retrieval report as a Markdown table and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .harness import Row

HEADINGS: Final = {
    "r1": "R@1",
    "r5": "R@5",
    "r10": "R@10",
    "r25": "R@25",
    "medr": "median rank",
    "accuracy": "accuracy",
    "f1": "F1",
    "auc": "AUC",
    "map": "mAP",
    "top1": "top 1",
    "top3": "top 3",
    "top5": "top 5",
}


def means(rows: Sequence[Row]) -> list[Row]:
    """The rows over all seeds."""
    return [row for row in rows if "seed" not in row.labels]


def markdown(rows: Sequence[Row]) -> str:
    """One line per system, protocol and direction; a figure with its 95% interval, then the paper's in italics."""
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in means(rows):
        labels = row.labels
        key = (str(labels["system"]), str(labels.get("protocol", "")), str(labels.get("direction", "")))
        lines.setdefault(key, {})[row.metric] = cell(row)
    measured = {row.metric for row in rows}
    metrics = [metric for metric in HEADINGS if metric in measured]
    protocols = len({protocol for _, protocol, _ in lines}) > 1
    head = ["system", *(["protocol"] if protocols else []), "way", *(HEADINGS[metric] for metric in metrics)]
    text_lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (system, protocol, direction), cells in lines.items():
        names = [system, *([protocol] if protocols else []), direction]
        text_lines.append("| " + " | ".join([*names, *(cells.get(metric, "") for metric in metrics)]) + " |")
    return "\n".join(text_lines) + "\n"


def cell(row: Row) -> str:
    text = f"{row.value:.2f}" if row.unit == "share" else f"{row.value:.1f}"
    if "low" in row.labels:
        text += f" [{float(row.labels['low']):.1f}, {float(row.labels['high']):.1f}]"
    if "deviation" in row.labels:
        text += f" ± {float(row.labels['deviation']):.{2 if row.unit == 'share' else 1}f}"
    if "published" in row.labels:
        text += f" *{row.labels['published']}*"
    return text


def picture(rows: Sequence[Row], metric: str, path: Path, title: str) -> None:
    """A bar per system, one colour a direction, with intervals; the paper's figure as a mark."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = [row for row in means(rows) if row.metric == metric]
    systems = list(dict.fromkeys(str(row.labels["system"]) for row in chosen))
    directions = list(dict.fromkeys(str(row.labels.get("direction", "")) for row in chosen))
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.32 * len(systems)))
    height = 0.8 / max(1, len(directions))
    for at, direction in enumerate(directions):
        for row in chosen:
            if str(row.labels.get("direction", "")) != direction:
                continue
            place = systems.index(str(row.labels["system"])) + at * height
            low, high = float(row.labels.get("low", row.value)), float(row.labels.get("high", row.value))
            error = [[max(0.0, row.value - low)], [max(0.0, high - row.value)]]
            axes.barh(place, row.value, height, xerr=error, color=f"C{at}", error_kw={"lw": 0.8})
            if "published" in row.labels:
                axes.plot(float(row.labels["published"]), place, "k|", markersize=8)
        axes.barh(0, 0, color=f"C{at}", label=direction)
    axes.set_yticks([place + height * (len(directions) - 1) / 2 for place in range(len(systems))], systems, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(HEADINGS.get(metric, metric))
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
