"""``segue bench retrieval --corpus real``: pictures of real videos against real music, by the live path.

Each video is a query by its pictures alone. *Pairs*: a video and the sound of its own file, which somebody chose; how
many of the other tracks score lower (``real_measures``), by the score and by each part of it alone. *Lists*: the list
at the end, whether all videos get the same few tracks, whether suggestions go with the pictures' motion and light, what
the dials do to them (``steering``), and whether the same pictures in another form get the same list (``variants``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import numpy as np

from catalog.catalog import Catalog
from catalog.records import JINGLE_S
from engines.base import Engine
from stream.core.events import Item, Suggestions
from stream.core.ranking import Ranked
from stream.driver.runtime import Runtime
from stream.errors import StreamError
from towers.intervals import Interval

from . import real_measures as figures
from .errors import BenchError
from .harness import Report, Row
from .real_lists import VideoResult, write_lists
from .real_pairs import Video, gallery, videos_of
from .real_queries import CachingRuntime, Footage, footage, lists, ranking
from .sound_measures import SoundMeter
from .steering import NEUTRAL, SETTINGS, class_rows, measure_list, steering_rows
from .variants import invariance_rows

FEW: Final = 20  # pairs; with fewer, intervals say little
PICTURES: Final = ("speed", "brightness", "cuts_per_s")
SOUNDS: Final = ("loudness_lufs", "onsets_per_s", "centroid_hz")
SCORES: Final[Mapping[str, Callable[[Ranked], float]]] = {
    "score": lambda ranked: ranked.score,
    "content": lambda ranked: ranked.reasons.content,
    "rhythm": lambda ranked: ranked.reasons.rhythm,
    "mood": lambda ranked: ranked.reasons.mood,
    "similarity": lambda ranked: ranked.candidate.similarity,
    "standard score": lambda ranked: ranked.candidate.zscore or 0.0,
}


@dataclass(frozen=True, slots=True)
class RealOptions:
    """``work``: a folder for the catalogue and measures of its sound; ``classes``: patterns of file names."""

    work: Path
    distractors: Path | None = None
    seconds: float = 60.0  # of each video
    jobs: int = 2
    classes: tuple[str, ...] = ()
    steer: bool = True
    variants: tuple[str, ...] = ()  # of `variants.VARIANTS`
    variant_s: float = 10.0  # of each video
    lists: Path | None = None  # where each video's first suggestions are written


def measure(data: Path, engine: Engine, options: RealOptions, say: Callable[[str], None]) -> Report:
    """Raises BenchError for folders without videos or pairs, errors of catalogues and bundles."""
    for folder in (data, options.distractors):
        if folder is not None and options.work.resolve().is_relative_to(folder.resolve()):
            raise BenchError(
                f"--work {options.work}: lies in {folder}, which is searched for videos and music; keep it elsewhere"
            )
    videos = videos_of(data)
    queries, folder = gallery(videos, options.distractors, options.work, engine, options.jobs, say)
    with Catalog.open(folder, engine.bundle) as catalog:
        runtime = Runtime(engine, catalog)
        meter = SoundMeter(catalog, options.work / "heard")
        results = []
        for number, video in enumerate(queries, 1):
            say(f"query {number}/{len(queries)} {video.name}")
            try:
                shot = footage(video.path, runtime, options.seconds)
            except (BenchError, StreamError) as error:
                say(f"left out: {error}")
                continue
            results.append(query(video, shot, CachingRuntime(runtime), catalog, meter, options))
        pairs = [result for result in results if result.video.own]
        if not pairs:
            raise BenchError(
                f"{data}: no video has both usable pictures and music, so there is no pair; give other videos"
            )
        if options.lists is not None:
            write_lists(results, catalog.track, meter.measures, options.lists)
        shown = [track for track in catalog.tracks() if track.duration_s >= JINGLE_S] or catalog.tracks()
        names = [track.path.name.casefold() for track in shown]
        classes = {
            pattern: sum(fnmatch(name, pattern.casefold()) for name in names) / len(names)
            for pattern in options.classes
        }
        rows = [
            *own_rows(pairs),
            *hub_rows(results, len(shown)),
            *agreement_rows(results),
            *(steering_rows([result.steered for result in results]) if options.steer else ()),
            *(class_rows([result.steered for result in results], classes) if options.steer else ()),
        ]
        if options.variants:
            paths = [result.video.path for result in results]
            rows += invariance_rows(paths, runtime, options.variants, options.variant_s, say)
        settings: dict[str, str | int | float] = {
            "corpus": "real",
            "bundle": engine.bundle.identity[:12],
            "videos": len(results),
            "pairs": len(pairs),
            "tracks": len(catalog),
            "shown": len(shown),
            "seconds": options.seconds,
        }
    return Report("retrieval", rows, settings)


def query(
    video: Video, shot: Footage, runtime: CachingRuntime, catalog: Catalog, meter: SoundMeter, options: RealOptions
) -> VideoResult:
    """Every question about one video."""
    ranked = ranking(shot, runtime, len(catalog))
    scores = {name: {item.candidate.track.id: score_of(item) for item in ranked} for name, score_of in SCORES.items()}
    plain_lists = [suggestions for suggestions in lists(shot, runtime) if suggestions.items]
    measures = {NEUTRAL: measure_list(last_of(plain_lists), meter, catalog, options.classes)}
    for name, dials in SETTINGS.items() if options.steer else ():
        if dials:
            steered_lists = lists(shot, runtime, [{"type": "steer", **dials}])
            measures[name] = measure_list(last_of(steered_lists), meter, catalog, options.classes)
    return VideoResult(
        video,
        {name: getattr(shot, name) for name in PICTURES},
        scores,
        plain_lists[0].items[0].track if plain_lists else "",
        tuple(last_of(plain_lists)),
        measures,
    )


def last_of(suggestions: Sequence[Suggestions]) -> Sequence[Item]:
    """The last list that is not empty."""
    return next((list_.items for list_ in reversed(suggestions) if list_.items), ())


def own_rows(pairs: Sequence[VideoResult]) -> Iterator[Row]:
    """For each kind of score: AUC over all tracks, among the videos' own, within groups and of each group, the rank,
    recall. Quartiles are of percentiles: the percent of other tracks that score lower. A track scores as its best
    segment, so long tracks have more chances; own tracks are of similar length.
    """
    owners: dict[str, set[str]] = {}
    for pair in pairs:
        for track in pair.video.own:
            owners.setdefault(track, set()).add(pair.video.group)
    for kind in SCORES:
        labels: dict[str, str | int | float] = {"score": kind}
        scored = [(pair, *split(pair.scores[kind], pair.video.own)) for pair in pairs]
        scored = [(pair, own, others) for pair, own, others in scored if own is not None and others]
        if not scored:
            continue
        shares = [figures.share_below(own, list(others.values())) for _, own, others in scored if own is not None]
        tracks = 1 + max(len(others) for _, _, others in scored)
        yield _row("auc", figures.mean_of(shares), len(shares), "share", labels)
        for quarter, name in ((25, "percentile_25"), (50, "percentile_50"), (75, "percentile_75")):
            yield Row(name, float(np.percentile(shares, quarter)) * 100, len(shares), "percent", labels)
        ranks = [figures.rank_of(own, list(others.values())) for _, own, others in scored if own is not None]
        yield _row("median_rank", figures.median_of(ranks), len(ranks), "rank", {**labels, "of": tracks})
        for level in figures.levels(tracks):
            share = figures.share_of([rank <= level for rank in ranks])
            recall = Interval(*(100.0 * part for part in (share.value, share.low, share.high)))
            chance = {"chance": 100.0 * level / tracks}
            yield _row(f"r{level}", recall, len(ranks), "percent", {**labels, **chance})
        among: list[float] = []
        within: dict[str, list[float]] = {}
        for pair, own, others in scored:
            own_scores = {track: score for track, score in others.items() if track in owners}
            group_scores = [score for track, score in own_scores.items() if pair.video.group in owners[track]]
            if own_scores and own is not None:
                among.append(figures.share_below(own, list(own_scores.values())))
            if pair.video.group and group_scores and own is not None:
                within.setdefault(pair.video.group, []).append(figures.share_below(own, group_scores))
        if among:
            yield _row("auc_among_own", figures.mean_of(among), len(among), "share", labels)
        if within:
            all_shares = [share for shares_of_group in within.values() for share in shares_of_group]
            yield _row("auc_within_groups", figures.mean_of(all_shares), len(all_shares), "share", labels)
        for group, shares_of_group in sorted(within.items()):
            yield _row(
                "auc_of_group",
                figures.mean_of(shares_of_group),
                len(shares_of_group),
                "share",
                {**labels, "group": group},
            )


def split(scores: Mapping[str, float], own: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """The best score of a video's own tracks, None if none of them is ranked, and the scores of the others."""
    mine = [scores[track] for track in own if track in scores]
    return max(mine, default=None), {track: score for track, score in scores.items() if track not in own}


def hub_rows(results: Sequence[VideoResult], tracks: int) -> Iterator[Row]:
    """Figures of the lists at the end of each video, out of ``tracks`` tracks; beside each that of random lists."""
    shown = [result.last for result in results if result.last]
    if not shown:
        return
    random = figures.random_hubs([len(tracks_of_list) for tracks_of_list in shown], tracks)
    units = {"largest": "lists", "shown": "tracks", "skewness": "", "gini": "", "overlap": "Jaccard"}
    for name, value in figures.hub_figures(shown, tracks).items():
        blind = random[name]
        labels: dict[str, str | int | float] = {
            "random": blind.value,
            "random_low": blind.low,
            "random_high": blind.high,
            "of": tracks,
        }
        if name == "largest":
            labels["fair"] = sum(map(len, shown)) / tracks
        yield Row(f"hub_{name}", value, len(shown), units[name], labels)
    counts = figures.occurrences(shown, tracks)
    blind_counts = figures.random_occurrences([len(tracks_of_list) for tracks_of_list in shown], tracks)
    for place, (count, random_count) in enumerate(zip(counts, blind_counts, strict=True), 1):
        yield Row("hub_count", float(count), len(shown), "lists", {"place": place, "random": float(random_count)})
    stays = [result.first == result.last[0] for result in results if result.last]
    yield _row("first_stays", figures.share_of(stays), len(stays), "share", {})


def agreement_rows(results: Sequence[VideoResult]) -> Iterator[Row]:
    """Spearman over videos of measures of the pictures and of the suggestions."""
    for picture in PICTURES:
        for sound in SOUNDS:
            pairs = [
                (result.pictures[picture], result.steered[NEUTRAL].measures[sound])
                for result in results
                if sound in result.steered[NEUTRAL].measures
            ]
            if len(pairs) < 3 or len({left for left, _ in pairs}) < 2:
                continue
            rho = figures.agreement([left for left, _ in pairs], [right for _, right in pairs])
            labels: dict[str, str | int | float] = {"pictures": picture, "sound": sound}
            yield _row("agreement", rho, len(pairs), "correlation", labels)


def warnings_of(settings: Mapping[str, str | int | float]) -> list[str]:
    """Warnings for a reader of the figures."""
    pairs = int(settings["pairs"])
    warnings = []
    if pairs < FEW:
        warnings.append(
            f"{pairs} pairs only: the intervals are wide, and a bootstrap of so few makes them look narrower"
        )
    if figures.levels(int(settings["tracks"])) != figures.LEVELS:
        warnings.append(f"R@k is reported up to half of the gallery of {settings['tracks']} tracks")
    return warnings


def _row(metric: str, interval: Interval, n: int, unit: str, labels: Mapping[str, str | int | float]) -> Row:
    return Row(metric, interval.value, n, unit, {**labels, "low": interval.low, "high": interval.high})
