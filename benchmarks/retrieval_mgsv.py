"""``segue bench retrieval --corpus mgsv``: MGSV-EC's published features, in its split, by its measures.

Our systems use the stored vectors (CLIP of each second, AST of each 2.5 s): a video, and the moment that was chosen for
it, are up to seven even parts each, like a window. A gallery is every track of the list, once. A track's score for a
video is that of its best window of the video's length, and that window is the moment found.

*Measures*: ``R@k``, the right track is among the first k; ``mIoU``, of the moment found in the right track with the
chosen one; ``MoRk``, both: the right track among the first k, and an IoU above 0.7. ``begin`` always starts the
right track at its beginning, ``chance`` anywhere: baselines of mIoU.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from towers.batch import Batch, Labels, Side, Sizes
from towers.fit import FitOptions, fit_system
from towers.intervals import Interval, bootstrap
from towers.system import System, make

from .harness import Row
from .mgsv_release import STRIDE_S, Floats, Moment, Release, read_release

PARTS: Final = 7
ROWS: Final = 4096  # windows embedded at once
GOOD_IOU: Final = 0.7
RANKS: Final = (1, 5, 10)
MOMENT_RANKS: Final = (1, 10, 100)
PLAN: Final = ("linear/cca", "two-branch/b-content", "segue/clips")
OPTIONS: Final = FitOptions(epochs=40, patience=8, batch=256)
# Of the test list, 2,000 videos and their tracks; as their papers (ICCV 2025, ICASSP 2026) report.
PUBLISHED: Final[Mapping[str, Mapping[str, float]]] = {
    "MaDe": {"r1": 8.9, "r5": 16.7, "r10": 18.9, "miou": 0.725, "mor1": 8.3, "mor10": 17.5, "mor100": 30.9},
    "HarmoNet": {"r1": 10.7, "r5": 19.5, "r10": 22.8, "miou": 0.735, "mor1": 9.6, "mor10": 19.7, "mor100": 32.8},
}
HEADINGS: Final = {
    **{f"r{k}": f"R@{k}" for k in RANKS},
    "miou": "mIoU",
    **{f"mor{k}": f"MoR{k}" for k in MOMENT_RANKS},
}


@dataclass(frozen=True, slots=True, eq=False)
class QueryResults:
    """For each query, (n,): the rank of the right track, and the IoU of the moment found in it."""

    ranks: npt.NDArray[np.float64]
    overlaps: npt.NDArray[np.float64]


class FeatureCache:
    """A release whose tracks are read once, and whose videos are read on each call."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._music: dict[str, Floats] = {}

    def music(self, name: str) -> Floats:
        if name not in self._music:
            self._music[name] = self._release.vectors("music", name)
        return self._music[name]

    def videos(self, moments: Sequence[Moment]) -> Side:
        """One window for each moment, (n, 7, C)."""
        return side_of([parts(sums(self._release.vectors("video", moment.video)), 0, None) for moment in moments])


def measure(
    data: Path,
    plan: Sequence[str],
    seeds: Sequence[int],
    say: Callable[[str], None],
    options: FitOptions = OPTIONS,
) -> tuple[list[Row], dict[str, str | int | float]]:
    """All rows, and the report's settings. Raises BenchError for a release that cannot be read."""
    release = read_release(data)
    cache = FeatureCache(release)
    train, val, test = (release.moments(split) for split in ("train", "val", "test"))
    say(f"read {len(train)} training, {len(val)} validation, {len(test)} test moments")
    train_batch, val_batch, test_videos = batch_of(train, cache), batch_of(val, cache), cache.videos(test)
    rows: list[Row] = []
    for entrant in plan:
        results = []
        for seed in seeds:
            torch.manual_seed(seed)
            name, setting = entrant.split("/")
            system = make(
                name, setting, Sizes(train_batch.video.clips.shape[2], train_batch.music.clips.shape[2], 0, 0)
            )
            fit_system(system, train_batch, val_batch, options, seed)
            results.append(judge(system, test_videos, test, cache))
            say(f"{entrant} seed {seed}: R@10 {100 * (results[-1].ranks <= 10).mean():.1f}, "
                f"mIoU {results[-1].overlaps.mean():.3f}")  # fmt: skip
        rows += report(entrant, results)
    rows += floors(test, len({moment.music for moment in test}))
    for published, values in PUBLISHED.items():
        for metric, value in values.items():
            unit = "share" if metric == "miou" else "percent"
            rows.append(Row(metric, value, 2000, unit, {"system": f"{published}, published"}))
    settings: dict[str, str | int | float] = {
        "corpus": "MGSV-EC",
        "train": len(train),
        "test": len(test),
        "gallery": len({moment.music for moment in test}),
        "seeds": len(seeds),
    }
    return rows, settings


def batch_of(moments: Sequence[Moment], cache: FeatureCache) -> Batch:
    """Videos with the moments chosen for them; pairs of the same track are not false pairs."""
    music_windows = []
    for moment in moments:
        vectors = cache.music(moment.music)
        first = min(round(moment.begin_s / STRIDE_S), len(vectors) - 1)
        music_windows.append(parts(sums(vectors), first, span(moment.end_s - moment.begin_s, len(vectors) - first)))
    names = {name: number for number, name in enumerate(dict.fromkeys(moment.music for moment in moments))}
    count = len(moments)
    nothing = torch.full((count, PARTS), float("nan"))
    labels = Labels(
        tags=torch.zeros(count, 0),
        mood=torch.full((count, 3), float("nan")),
        emotion=torch.full((count,), -1),
        polarity=torch.full((count,), float("nan")),
        music=torch.tensor([names[moment.music] for moment in moments]),
        course=nothing,
    )
    return Batch(cache.videos(moments), side_of(music_windows), labels, nothing, nothing)


def span(length_s: float, most: int) -> int:
    """How many music vectors cover a length, at least one."""
    return max(1, min(round(length_s / STRIDE_S), most))


def sums(vectors: Floats) -> npt.NDArray[np.float64]:
    """(n + 1, C): running sums; their differences give the mean of any stretch."""
    return np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0, dtype=np.float64)])


def parts(running: npt.NDArray[np.float64], first: int, count: int | None) -> Floats:
    """(k <= 7, C): the means of even parts of ``count`` vectors (None: all) from ``first``."""
    means: Floats = windows(running, np.array([first]), len(running) - 1 - first if count is None else count)[0]
    return means


def windows(running: npt.NDArray[np.float64], firsts: npt.NDArray[np.int64], count: int) -> Floats:
    """(n, k, C) of ``count`` vectors each."""
    pieces = min(PARTS, count)
    edges = firsts[:, None] + np.round(np.linspace(0, count, pieces + 1)).astype(np.int64)
    sums_at_edges = running[edges]
    return np.asarray(np.diff(sums_at_edges, axis=1) / np.diff(edges, axis=1)[..., None], np.float32)


def side_of(clips: Sequence[Floats]) -> Side:
    padded = np.zeros((len(clips), PARTS, clips[0].shape[1]), np.float32)
    mask = np.zeros((len(clips), PARTS), np.bool_)
    for row, window in enumerate(clips):
        padded[row, : len(window)], mask[row, : len(window)] = window, True
    return Side(torch.from_numpy(padded), torch.from_numpy(mask))


@torch.inference_mode()
def judge(system: System, videos: Side, moments: Sequence[Moment], cache: FeatureCache) -> QueryResults:
    """Every video of a list, (n, 7, C) of its windows, against every track of the list."""
    system.module().eval()
    tracks = list(dict.fromkeys(moment.music for moment in moments))
    running = [sums(cache.music(track)) for track in tracks]
    chunks = torch.split(torch.arange(len(videos)), ROWS)
    queries = np.concatenate([system.video(videos.rows(rows)).numpy() for rows in chunks])
    ranks, overlaps = np.zeros(len(moments)), np.zeros(len(moments))
    lengths = np.array([span(moment.length_s, 10**6) for moment in moments])
    for length in np.unique(lengths):
        embedded, begins = _embed_tracks(system, running, int(length))
        for row in np.flatnonzero(lengths == length).tolist():
            moment = moments[row]
            scores = embedded @ queries[row]
            best = np.maximum.reduceat(scores, begins[:-1])
            right = tracks.index(moment.music)
            ranks[row] = 1 + (best > best[right]).sum() + 0.5 * ((best == best[right]).sum() - 1)
            start_s = STRIDE_S * int(np.argmax(scores[begins[right] : begins[right + 1]]))
            overlaps[row] = iou(moment, start_s)
    return QueryResults(ranks, overlaps)


def _embed_tracks(
    system: System, running: Sequence[npt.NDArray[np.float64]], length: int
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """(N, E) of the windows of all tracks, a track after another, and where each track begins, (tracks + 1,)."""
    vectors: list[Floats] = []
    counts: list[int] = []
    pending: list[Floats] = []
    for number, track_sums in enumerate(running):
        count = min(length, len(track_sums) - 1)
        pending += list(windows(track_sums, np.arange(len(track_sums) - count), count))
        counts.append(len(track_sums) - count)
        if len(pending) >= ROWS or number == len(running) - 1:
            vectors.append(np.asarray(system.music(side_of(pending)).numpy(), np.float32))
            pending = []
    return np.concatenate(vectors), np.concatenate([[0], np.cumsum(counts)])


def iou(moment: Moment, start_s: float) -> float:
    """IoU of the part from ``start_s`` for the video's length, at most to the track's end, with the chosen moment."""
    end_s = min(start_s + moment.length_s, moment.track_s)
    shared = max(0.0, min(end_s, moment.end_s) - max(start_s, moment.begin_s))
    whole = (end_s - start_s) + (moment.end_s - moment.begin_s) - shared
    return shared / whole if whole > 0 else 0.0


def report(label: str, results: Sequence[QueryResults]) -> Iterator[Row]:
    """Means over seeds, with intervals by a bootstrap over queries."""
    ranks, overlaps = (np.stack([getattr(result, name) for result in results]) for name in ("ranks", "overlaps"))
    hits: dict[str, npt.NDArray[Any]] = {f"r{k}": 100.0 * (ranks <= k) for k in RANKS}
    hits["miou"] = overlaps
    hits |= {f"mor{k}": 100.0 * ((ranks <= k) & (overlaps > GOOD_IOU)) for k in MOMENT_RANKS}
    for metric, table in hits.items():
        interval: Interval = bootstrap(table, lambda drawn: drawn.mean(axis=-1))
        unit = "share" if metric == "miou" else "percent"
        yield Row(
            metric, interval.value, table.shape[1], unit, {"system": label, "low": interval.low, "high": interval.high}
        )


def floors(moments: Sequence[Moment], tracks: int, seed: int = 0) -> Iterator[Row]:
    """The mIoU of a start at the beginning, and of one anywhere with room for the video; recall by chance."""
    rng = np.random.default_rng(seed)
    begin = [iou(moment, 0.0) for moment in moments]
    yield Row("miou", float(np.mean(begin)), len(begin), "share", {"system": "begin"})
    anywhere = [
        iou(moment, start_s)
        for moment in moments
        for start_s in rng.uniform(0.0, max(0.0, moment.track_s - moment.length_s), 100).tolist()
    ]
    good = float(np.mean([overlap > GOOD_IOU for overlap in anywhere]))
    chance: dict[str, str | int | float] = {"system": "chance"}
    for k in RANKS:
        yield Row(f"r{k}", 100.0 * min(1.0, k / tracks), len(moments), "percent", chance)
    yield Row("miou", float(np.mean(anywhere)), len(moments), "share", chance)
    for k in MOMENT_RANKS:
        yield Row(f"mor{k}", 100.0 * min(1.0, k / tracks) * good, len(moments), "percent", chance)


def markdown(rows: Sequence[Row]) -> str:
    """A line a system."""
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        digits = 3 if row.metric == "miou" else 1
        text = f"{row.value:.{digits}f}"
        if "low" in row.labels:
            text += f" [{float(row.labels['low']):.{digits}f}, {float(row.labels['high']):.{digits}f}]"
        lines.setdefault(str(row.labels["system"]), {})[row.metric] = text
    head = ["system", *HEADINGS.values()]
    body = [[system, *(cells.get(metric, "") for metric in HEADINGS)] for system, cells in lines.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *body)) + "\n"
