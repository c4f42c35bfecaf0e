"""``segue bench studio``: is the studio's output distributed like real clips and tracks?

Pairs are drawn and measured like a corpus; the quantiles of every field stand beside those of real material, from a
JSON file: ``{"quantiles": [...], "clips": {"real": {"colour.brightness_mean": [...]}}, "music": {"real":
{"centroid": [...]}}}``, clips of 4 s as ``features`` measures them, tracks by librosa's defaults at 22 050 Hz. Two
distances to the real ones: the area between the quantile functions (1-Wasserstein), and their largest gap, both in
units of the real interquartile range. Also a check: Spearman's rank correlations of the latent's energy and
moods with the measured fields.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features import spec

from .errors import BenchError
from .harness import Report, Row, check_folder
from .report.run import publish, run_of

RATE_HZ: Final = 22_050
STEPS: Final = 200  # of the quantile function
Values = NDArray[np.float64]
Measured = Mapping[str, Values]  # field -> (n,)
# (axis of the latent, field): each correlation over clips or pieces.
TIES: Final = (
    ("energy", "motion.speed_mean"),
    ("energy", "motion.cuts_per_s"),
    ("energy", "motion.onset_mean"),
    ("valence", "colour.brightness_mean"),
    ("valence", "colour.warmth_mean"),
    ("tension", "colour.contrast_mean"),
    ("energy", "onset_rate"),
    ("energy", "rms_db"),
    ("valence", "centroid"),
    ("tempo", "tempo"),
)


def add_studio(kinds: Any) -> None:
    """Add ``studio`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("studio", help="are the studio's pairs distributed like real clips and tracks?")
    parser.add_argument("--real", type=Path, required=True, metavar="FILE", help="JSON of the real quantiles")
    parser.add_argument("--pairs", type=int, default=150, metavar="N", help="to draw (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the pairs (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the quantiles to a PNG file")


def studio(options: argparse.Namespace) -> int:
    check_folder(options.picture)
    if options.pairs < 1:
        raise BenchError(f"--pairs {options.pairs}: draw at least one")
    real = read_real(options.real)
    began = time.monotonic()
    fields, beside = measure(options.pairs, options.seed, options.jobs)
    run_of(options).say(f"{options.pairs} pairs in {time.monotonic() - began:.0f} s")
    rows = [*quantile_rows(fields, real), *tie_rows(fields, beside)]
    print(show(rows, real))  # noqa: T201
    if options.picture is not None:
        picture(fields, real, options.picture)
    return publish(options, Report("studio", rows, {"pairs": options.pairs, "seed": options.seed}))


@dataclass(frozen=True, slots=True)
class Real:
    """Quantiles of real material: their levels, and field -> values."""

    levels: Values
    fields: Mapping[str, Values]


def read_real(path: Path) -> Real:
    """Raises BenchError for a file of another form."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        levels = np.asarray(list(content["quantiles"]), np.float64)
        fields = {**content["clips"]["real"], **content["music"]["real"]}
        arrays = {name: np.asarray(values, np.float64) for name, values in fields.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"{path}: cannot be read as quantiles of real material ({error}); give a JSON file with `quantiles`, "
            "`clips.real` and `music.real`"
        ) from error
    if any(values.shape != levels.shape for values in arrays.values()):
        raise BenchError(
            f"{path}: a field does not have one value for each of the {len(levels)} quantiles; correct the file"
        )
    return Real(levels, arrays)


@dataclass(frozen=True, slots=True)
class Item:
    """One pair to draw and measure."""

    seed: int
    number: int


def measure(pairs: int, seed: int, jobs: int) -> tuple[Measured, Measured]:
    """Fields of every pair, and the latent's value beside each of them."""
    from towers.corpora.pool import Crashed, side_by_side

    results: list[tuple[dict[str, Values], dict[str, Values]]] = [({}, {})] * pairs
    for item, result in side_by_side(measure_pair, [Item(seed, k) for k in range(pairs)], jobs):
        if isinstance(result, Crashed):
            raise BenchError(f"pair {item.number} {result.reason}; give fewer --jobs")
        results[item.number] = result
    joined = [
        {key: np.concatenate([pair[side][key] for pair in results]) for key in results[0][side]} for side in (0, 1)
    ]
    return joined[0], joined[1]


def measure_pair(item: Item) -> tuple[dict[str, Values], dict[str, Values]]:
    """Of one pair: field -> values, and ``latent axis.field`` -> the latent's own value beside each of them."""
    from studio.takes import take as draw

    take = draw(np.random.default_rng([item.seed, item.number]))
    samples = take.sound(RATE_HZ).mean(axis=1, dtype=np.float32)
    fields = {**picture_fields(take.pictures(spec.MOTION_FPS)), **music_fields(samples)}
    times, levels = np.array(take.latent.energy).T
    clips = np.arange(spec.MAX_CLIPS * spec.MOTION_FPS * spec.CLIP_S) / spec.MOTION_FPS
    energy = np.interp(clips, times, levels).reshape(spec.MAX_CLIPS, -1).mean(axis=1)
    axes = {"valence": take.latent.valence, "tension": take.latent.tension, "tempo": take.latent.tempo_bpm}
    beside = {}
    for axis, field in TIES:
        count = len(fields[field])
        value = energy if axis == "energy" else np.full(spec.MAX_CLIPS, axes[axis])
        beside[f"{axis}.{field}"] = value if count == spec.MAX_CLIPS else value.mean(keepdims=True)
    return fields, beside


def picture_fields(pictures: NDArray[np.uint8]) -> dict[str, Values]:
    """(7,) of each field of displacement, colour and motion."""
    from towers.corpora.columns import watch

    columns = watch(dict(enumerate(pictures)))
    fields = {"displacement.displacement": columns["displacement"]}
    for name, parts in (("colour", spec.COLOUR_FIELDS), ("motion", spec.MOTION_FIELDS)):
        fields.update({f"{name}.{part}": columns[name][:, k] for k, part in enumerate(parts)})
    return {name: values.astype(np.float64) for name, values in fields.items()}


def music_fields(samples: NDArray[np.float32]) -> dict[str, Values]:
    """(1,) of each field of a piece, by librosa's defaults: ``samples`` at 22 050 Hz."""
    import librosa
    from librosa.onset import onset_detect, onset_strength

    loud = float(np.mean(librosa.feature.rms(y=samples)))
    strength = onset_strength(y=samples, sr=RATE_HZ)
    onsets = onset_detect(onset_envelope=strength, sr=RATE_HZ)
    fields = {
        "tempo": float(np.atleast_1d(librosa.feature.tempo(onset_envelope=strength, sr=RATE_HZ))[0]),
        "rms_db": float(20.0 * np.log10(loud + 1e-9)),
        "onset_rate": len(onsets) * RATE_HZ / len(samples),
        "centroid": float(np.mean(librosa.feature.spectral_centroid(y=samples, sr=RATE_HZ))),
    }
    return {name: np.array([value]) for name, value in fields.items()}


def distance(values: Values, real: Values, levels: Values) -> tuple[float, float]:
    """Area between the quantile functions, and their largest gap, in real interquartile ranges.

    Between the lowest and the highest of ``levels``, the real function in straight lines between them.
    """
    grid = np.linspace(levels[0], levels[-1], STEPS)
    gap = np.abs(np.quantile(values, grid) - np.interp(grid, levels, real))
    spread = float(np.interp(0.75, levels, real) - np.interp(0.25, levels, real)) or 1.0
    return float(np.trapezoid(gap, grid) / (grid[-1] - grid[0]) / spread), float(gap.max() / spread)


def common_fields(fields: Measured, real: Real) -> list[str]:
    """The fields that both sides have, in the file's order."""
    return [field for field in real.fields if field in fields]


def quantile_rows(fields: Measured, real: Real) -> Iterator[Row]:
    for field in common_fields(fields, real):
        values, labels = fields[field], {"field": field}
        for level, value in zip(real.levels, np.quantile(values, real.levels), strict=True):
            yield Row(f"q{level:g}", float(value), len(values), "", labels)
        area, gap = distance(values, real.fields[field], real.levels)
        yield Row("area", area, len(values), "iqr", labels)
        yield Row("largest_gap", gap, len(values), "iqr", labels)


def tie_rows(fields: Measured, beside: Measured) -> Iterator[Row]:
    for axis, field in TIES:
        value = spearman(beside[f"{axis}.{field}"], fields[field])
        yield Row("rank_correlation", value, len(fields[field]), "", {"of": axis, "field": field})


def spearman(values: Values, others: Values) -> float:
    """Spearman's rank correlation, equal values sharing a rank; 0 if one side does not vary."""
    first, second = rank(values), rank(others)
    if min(first.std(), second.std()) == 0.0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def rank(values: Values) -> Values:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2.0)[where])


def show(rows: Sequence[Row], real: Real) -> str:
    """Tables of quantiles and of ties, as Markdown."""
    levels = [f"q{level:g}" for level in real.levels]
    lines = [f"| field | of | {' | '.join(levels)} | area | gap | n |", "|---|---|" + "---:|" * (len(levels) + 3)]
    rows_of: dict[str, dict[str, Row]] = {}
    for row in rows:
        if "of" not in row.labels:
            rows_of.setdefault(str(row.labels["field"]), {})[row.metric] = row
    for field, own in rows_of.items():
        cells = " | ".join(f"{own[key].value:.3g}" for key in (*levels, "area", "largest_gap"))
        lines.append(f"| {field} | studio | {cells} | {own['area'].n} |")
        lines.append(f"| {field} | real | {' | '.join(f'{value:.3g}' for value in real.fields[field])} | | | |")
    areas = [own["area"].value for own in rows_of.values()]
    lines.append(f"| mean of {len(areas)} fields | studio |{' |' * len(levels)} {np.mean(areas):.3f} | | |")
    lines += ["", "| latent | field | rank correlation | n |", "|---|---|---:|---:|"]
    for row in rows:
        if "of" in row.labels:
            lines.append(f"| {row.labels['of']} | {row.labels['field']} | {row.value:+.2f} | {row.n} |")
    return "\n".join(lines) + "\n"


def picture(measured: Measured, real: Real, path: Path) -> None:
    """One small plot a field: the quantile functions of the studio and of real material."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    fields = common_fields(measured, real)
    across = 4
    down = -(-len(fields) // across)
    figure, grid = pyplot.subplots(down, across, figsize=(3.0 * across, 2.0 * down), squeeze=False)
    at = np.linspace(real.levels[0], real.levels[-1], STEPS)
    for axes, field in zip(grid.ravel(), fields, strict=False):
        axes.plot(at, np.quantile(measured[field], at), lw=1.2, label="studio")
        axes.plot(real.levels, real.fields[field], "k.-", lw=0.8, ms=3, label="real")
        axes.set_title(field, fontsize=7)
        axes.tick_params(labelsize=6)
    for axes in grid.ravel()[len(fields) :]:
        axes.axis("off")
    grid[0, 0].legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
