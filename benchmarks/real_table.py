"""The rows of the bench of real pairs as Markdown."""

from collections.abc import Sequence
from typing import Final

from .harness import Row
from .steering import POSITIONS

OWN: Final = {
    "auc": ("AUC", 3),
    "auc_among_own": ("AUC among own tracks", 3),
    "auc_within_groups": ("AUC within groups", 3),
    "median_rank": ("median rank", 1),
    "r1": ("R@1", 1),
    "r5": ("R@5", 1),
    "r10": ("R@10", 1),
    "r25": ("R@25", 1),
}
HUBS: Final = {
    "hub_largest": "lists that the most frequent track stands in",
    "hub_skewness": "skewness of these counts",
    "hub_gini": "Gini of these counts",
    "hub_shown": "different tracks shown",
    "hub_overlap": "overlap of two lists (Jaccard)",
}


def markdown(rows: Sequence[Row]) -> str:
    """A table for each question that has rows."""
    parts = [_own(rows), _groups(rows), _hubs(rows), _agreement(rows), _steering(rows), _classes(rows)]
    parts.append(_invariance(rows))
    return "\n".join(part for part in parts if part)


def _own(rows: Sequence[Row]) -> str:
    chosen = [row for row in rows if row.metric in OWN or row.metric.startswith("percentile")]
    if not chosen:
        return ""
    metrics = [metric for metric in OWN if any(row.metric == metric for row in chosen)]
    lines = [["own track by", "n", *(OWN[metric][0] for metric in metrics), "percentiles"]]
    for kind in dict.fromkeys(str(row.labels["score"]) for row in chosen):
        by_metric = {row.metric: row for row in chosen if row.labels["score"] == kind}
        cells = [_cell(by_metric[metric], OWN[metric][1]) if metric in by_metric else "" for metric in metrics]
        quarters = " / ".join(f"{by_metric[f'percentile_{at}'].value:.0f}" for at in (25, 50, 75))
        lines.append([kind, str(by_metric["auc"].n), *cells, quarters])
    any_kind = {row.metric: row for row in chosen}
    chances = {metric: "0.500" for metric in metrics if metric.startswith("auc")}
    if "of" in any_kind["median_rank"].labels:
        chances["median_rank"] = f"{(1 + float(any_kind['median_rank'].labels['of'])) / 2:.1f}"
    chances |= {name: f"{float(row.labels['chance']):.1f}" for name, row in any_kind.items() if "chance" in row.labels}
    lines.append(["chance", "", *(chances.get(metric, "") for metric in metrics), "25 / 50 / 75"])
    return table(lines)


def _groups(rows: Sequence[Row]) -> str:
    chosen = [row for row in rows if row.metric == "auc_of_group"]
    kinds = list(dict.fromkeys(str(row.labels["score"]) for row in chosen))
    lines = [["AUC within group", "n", *kinds]]
    for group in dict.fromkeys(str(row.labels["group"]) for row in chosen):
        by_score = {str(row.labels["score"]): row for row in chosen if row.labels["group"] == group}
        lines.append([group, str(next(iter(by_score.values())).n), *(_cell(by_score[kind], 3) for kind in kinds)])
    return table(lines) if chosen else ""


def _hubs(rows: Sequence[Row]) -> str:
    by_metric = {row.metric: row for row in rows}
    lines = [["lists at the end", "n", "here", "blind lists"]]
    for metric, name in HUBS.items():
        if metric not in by_metric:
            continue
        row, labels = by_metric[metric], by_metric[metric].labels
        blind = f"{_short(labels['random'])} [{_short(labels['random_low'])}, {_short(labels['random_high'])}]"
        more = f", fair share {_short(labels['fair'])}" if "fair" in labels else ""
        of = f" of {labels['of']}" if metric == "hub_shown" else ""
        lines.append([name + more, str(row.n), _short(row.value) + of, blind])
    if "first_stays" in by_metric:
        row = by_metric["first_stays"]
        lines.append(["first place is that after one second", str(row.n), _cell(row, 2), ""])
    return table(lines) if len(lines) > 1 else ""


def _agreement(rows: Sequence[Row]) -> str:
    chosen = [row for row in rows if row.metric == "agreement"]
    sounds = list(dict.fromkeys(str(row.labels["sound"]) for row in chosen))
    lines = [["pictures with what is suggested (Spearman)", "n", *sounds]]
    for measure in dict.fromkeys(str(row.labels["pictures"]) for row in chosen):
        by_sound = {str(row.labels["sound"]): row for row in chosen if row.labels["pictures"] == measure}
        cells = [_cell(by_sound[sound], 2) if sound in by_sound else "" for sound in sounds]
        lines.append([measure, str(next(iter(by_sound.values())).n), *cells])
    return table(lines) if chosen else ""


def _steering(rows: Sequence[Row]) -> str:
    lines = [["dial", "measure", "n", *(f"at {at:+.0f}" if at else "at 0" for at in POSITIONS), "-1 to +1", "Spearman"]]
    changes = [row for row in rows if row.metric == "steered_change"]
    for row in changes:
        key = (row.labels["dial"], row.labels["measure"])
        same = [other for other in rows if (other.labels.get("dial"), other.labels.get("measure")) == key]
        means = {other.labels["position"]: _short(other.value) for other in same if other.metric == "steered_mean"}
        rho = next(other.value for other in same if other.metric == "steered_spearman")
        cells = [means[at] for at in POSITIONS]
        bounds = f"[{float(row.labels['low']):+.3g}, {float(row.labels['high']):+.3g}]"
        lines.append([*map(str, key), str(row.n), *cells, f"{row.value:+.3g} {bounds}", f"{rho:+.2f}"])
    return table(lines) if changes else ""


def _classes(rows: Sequence[Row]) -> str:
    chosen = [row for row in rows if row.metric == "class_share"]
    lines = [["class", "asked", "n", "share of the first five", "of all tracks"]]
    for row in chosen:
        usual = f"{float(row.labels['of_all']):.2f}"
        lines.append([f"`{row.labels['class']}`", str(row.labels["asked"]), str(row.n), _cell(row, 2), usual])
    return table(lines) if chosen else ""


def _invariance(rows: Sequence[Row]) -> str:
    names = {"overlap": "overlap", "first_kept": "first kept", "cosine_median": "cosine", "cosine_least": "least"}
    chosen = [row for row in rows if "variant" in row.labels and row.metric in names]
    lines = [["the same pictures", "n", *names.values()]]
    for variant in dict.fromkeys(str(row.labels["variant"]) for row in chosen):
        by_metric = {row.metric: row for row in chosen if row.labels["variant"] == variant}
        digits = {"overlap": 2, "first_kept": 2}
        cells = [f"{by_metric[name].value:.{digits.get(name, 3)}f}" if name in by_metric else "" for name in names]
        lines.append([variant, str(by_metric["overlap"].n), *cells])
    return table(lines) if chosen else ""


def _cell(row: Row, digits: int) -> str:
    return (
        f"{row.value:.{digits}f} [{float(row.labels['low']):.{digits}f}, {float(row.labels['high']):.{digits}f}]"
        if "low" in row.labels
        else f"{row.value:.{digits}f}"
    )


def _short(value: object) -> str:
    return f"{float(str(value)):.4g}" if abs(float(str(value))) >= 100 else f"{float(str(value)):.3g}"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Markdown; the first line is the head."""
    head, *body = lines
    marked = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*marked, *("| " + " | ".join(line) + " |" for line in body)]) + "\n"
