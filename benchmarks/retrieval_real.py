"""``segue bench retrieval --corpus real``: pictures of real videos against real music, by the live path.

Each video is asked with by its pictures alone. *Pairs*: a video and the sound of its own file, which somebody chose;
how many of the other tracks score lower (``real_measures``), by the score and by each part of it alone. *Lists*: what a
viewer is shown at the end, whether few tracks are shown to all, whether what is suggested goes with the pictures'
motion and light, what the dials do to it (``steering``), and whether the same pictures in another form get the same
(``variants``).
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
from .heard import SoundMeter
from .real_lists import VideoResult, write_lists
from .real_pairs import Video, gallery, videos_of
from .real_queries import Footage, Remembering, footage, lists, ranking
from .steering import NEUTRAL, SETTINGS, class_rows, steered, steering_rows
from .variants import invariance_rows

FEW: Final = 20  # pairs, below which intervals say little
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
    """``work``: a folder for the catalogue and what was heard; ``classes``: patterns of file names."""

    work: Path
    distractors: Path | None = None
    seconds: float = 60.0  # of each video
    jobs: int = 2
    classes: tuple[str, ...] = ()
    steer: bool = True
    variants: tuple[str, ...] = ()  # of `variants.VARIANTS`
    variant_s: float = 10.0  # of each video
    lists: Path | None = None  # where each video's first suggestions are written


def measure(data: Path, engine: Engine, options: RealOptions, tell: Callable[[str], None]) -> Report:
    """Raises BenchError for folders without videos or pairs, errors of catalogues and bundles."""
    for folder in (data, options.distractors):
        if folder is not None and options.work.resolve().is_relative_to(folder.resolve()):
            raise BenchError(f"--work {options.work}: lies in {folder}, which is looked through; keep it elsewhere")
    videos = videos_of(data)
    owned, folder = gallery(videos, options.distractors, options.work, engine, options.jobs, tell)
    with Catalog.open(folder, engine.bundle) as catalog:
        runtime = Runtime(engine, catalog)
        heard = SoundMeter(catalog, options.work / "heard")
        asked = []
        for number, video in enumerate(owned, 1):
            tell(f"ask {number}/{len(owned)} {video.name}")
            try:
                shot = footage(video.path, runtime, options.seconds)
            except (BenchError, StreamError) as error:
                tell(f"left out: {error}")
                continue
            asked.append(ask(video, shot, Remembering(runtime), catalog, heard, options))
        pairs = [one for one in asked if one.video.own]
        if not pairs:
            raise BenchError(f"{data}: no video has both pictures and music that can be used, so there is no pair")
        if options.lists is not None:
            write_lists(asked, catalog.track, heard.measures, options.lists)
        shown = [track for track in catalog.tracks() if track.duration_s >= JINGLE_S] or catalog.tracks()
        names = [track.path.name.casefold() for track in shown]
        classes = {one: sum(fnmatch(name, one.casefold()) for name in names) / len(names) for one in options.classes}
        rows = [
            *own_rows(pairs),
            *hub_rows(asked, len(shown)),
            *agreement_rows(asked),
            *(steering_rows([one.steered for one in asked]) if options.steer else ()),
            *(class_rows([one.steered for one in asked], classes) if options.steer else ()),
        ]
        if options.variants:
            paths = [one.video.path for one in asked]
            rows += invariance_rows(paths, runtime, options.variants, options.variant_s, tell)
        settings: dict[str, str | int | float] = {
            "corpus": "real",
            "bundle": engine.bundle.identity[:12],
            "videos": len(asked),
            "pairs": len(pairs),
            "tracks": len(catalog),
            "shown": len(shown),
            "seconds": options.seconds,
        }
    return Report("retrieval", rows, settings)


def ask(
    video: Video, shot: Footage, runtime: Remembering, catalog: Catalog, heard: SoundMeter, options: RealOptions
) -> VideoResult:
    """Every question about one video."""
    ranked = ranking(shot, runtime, len(catalog))
    scores = {name: {each.candidate.track.id: of(each) for each in ranked} for name, of in SCORES.items()}
    told = [each for each in lists(shot, runtime) if each.items]
    found = {NEUTRAL: steered(last_of(told), heard, catalog, options.classes)}
    for name, dials in SETTINGS.items() if options.steer else ():
        if dials:
            leant = lists(shot, runtime, [{"type": "steer", **dials}])
            found[name] = steered(last_of(leant), heard, catalog, options.classes)
    return VideoResult(
        video,
        {name: getattr(shot, name) for name in PICTURES},
        scores,
        told[0].items[0].track if told else "",
        tuple(last_of(told)),
        found,
    )


def last_of(told: Sequence[Suggestions]) -> Sequence[Item]:
    """What was suggested last."""
    return next((each.items for each in reversed(told) if each.items), ())


def own_rows(pairs: Sequence[VideoResult]) -> Iterator[Row]:
    """Of each kind of score: AUC over all tracks, among the videos' own, within groups and of each group, the rank,
    recall. Quartiles are of percentiles: the share of the other tracks that stand behind, in percent. A track is as
    good as its best segment, so among all the long ones have more chances; own tracks are about as long as each other.
    """
    owners: dict[str, set[str]] = {}
    for pair in pairs:
        for track in pair.video.own:
            owners.setdefault(track, set()).add(pair.video.group)
    for kind in SCORES:
        labels: dict[str, str | int | float] = {"score": kind}
        judged = [(pair, *split(pair.scores[kind], pair.video.own)) for pair in pairs]
        judged = [one for one in judged if one[1] is not None and one[2]]
        if not judged:
            continue
        shares = [figures.share_below(own, list(others.values())) for _, own, others in judged if own is not None]
        tracks = 1 + max(len(others) for _, _, others in judged)
        yield _row("auc", figures.mean_of(shares), len(shares), "share", labels)
        for quarter, name in ((25, "percentile_25"), (50, "percentile_50"), (75, "percentile_75")):
            yield Row(name, float(np.percentile(shares, quarter)) * 100, len(shares), "percent", labels)
        ranks = [figures.rank_of(own, list(others.values())) for _, own, others in judged if own is not None]
        yield _row("median_rank", figures.median_of(ranks), len(ranks), "rank", {**labels, "of": tracks})
        for level in figures.levels(tracks):
            share = figures.share_of([rank <= level for rank in ranks])
            recall = Interval(*(100.0 * part for part in (share.value, share.low, share.high)))
            chance = {"chance": 100.0 * level / tracks}
            yield _row(f"r{level}", recall, len(ranks), "percent", {**labels, **chance})
        among: list[float] = []
        within: dict[str, list[float]] = {}
        for pair, own, others in judged:
            chosen = {track: score for track, score in others.items() if track in owners}
            near = [score for track, score in chosen.items() if pair.video.group in owners[track]]
            if chosen and own is not None:
                among.append(figures.share_below(own, list(chosen.values())))
            if pair.video.group and near and own is not None:
                within.setdefault(pair.video.group, []).append(figures.share_below(own, near))
        if among:
            yield _row("auc_among_own", figures.mean_of(among), len(among), "share", labels)
        if within:
            every = [share for each in within.values() for share in each]
            yield _row("auc_within_groups", figures.mean_of(every), len(every), "share", labels)
        for group, each in sorted(within.items()):
            yield _row("auc_of_group", figures.mean_of(each), len(each), "share", {**labels, "group": group})


def split(scores: Mapping[str, float], own: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """The best score of a video's own tracks, None where none of them was ranked, and those of the others."""
    mine = [scores[track] for track in own if track in scores]
    return max(mine, default=None), {track: score for track, score in scores.items() if track not in own}


def hub_rows(asked: Sequence[VideoResult], tracks: int) -> Iterator[Row]:
    """Of the lists at the end of each video, out of so many ``tracks``; beside each figure that of blind lists."""
    told = [one.last for one in asked if one.last]
    if not told:
        return
    random = figures.random_hubs([len(each) for each in told], tracks)
    units = {"largest": "lists", "shown": "tracks", "skewness": "", "gini": "", "overlap": "Jaccard"}
    for name, value in figures.hub_figures(told, tracks).items():
        blind = random[name]
        labels: dict[str, str | int | float] = {
            "random": blind.value,
            "random_low": blind.low,
            "random_high": blind.high,
            "of": tracks,
        }
        if name == "largest":
            labels["fair"] = sum(map(len, told)) / tracks
        yield Row(f"hub_{name}", value, len(told), units[name], labels)
    counts = figures.occurrences(told, tracks)
    blind_counts = figures.random_occurrences([len(each) for each in told], tracks)
    for place, (count, usual) in enumerate(zip(counts, blind_counts, strict=True), 1):
        yield Row("hub_count", float(count), len(told), "lists", {"place": place, "random": float(usual)})
    stays = [one.first == one.last[0] for one in asked if one.last]
    yield _row("first_stays", figures.share_of(stays), len(stays), "share", {})


def agreement_rows(asked: Sequence[VideoResult]) -> Iterator[Row]:
    """Spearman over videos of what is seen and what is suggested."""
    for seen in PICTURES:
        for sound in SOUNDS:
            both = [
                (one.pictures[seen], one.steered[NEUTRAL].measures[sound])
                for one in asked
                if sound in one.steered[NEUTRAL].measures
            ]
            if len(both) < 3 or len({left for left, _ in both}) < 2:
                continue
            rho = figures.agreement([left for left, _ in both], [right for _, right in both])
            labels: dict[str, str | int | float] = {"pictures": seen, "sound": sound}
            yield _row("agreement", rho, len(both), "correlation", labels)


def warnings_of(settings: Mapping[str, str | int | float]) -> list[str]:
    """What a reader of the figures must be told."""
    pairs = int(settings["pairs"])
    told = []
    if pairs < FEW:
        told.append(f"{pairs} pairs only: the intervals are wide, and a bootstrap of so few makes them look narrower")
    if figures.levels(int(settings["tracks"])) != figures.LEVELS:
        told.append(f"R@k is told up to half of the gallery of {settings['tracks']} tracks")
    return told


def _row(metric: str, found: Interval, n: int, unit: str, labels: Mapping[str, str | int | float]) -> Row:
    return Row(metric, found.value, n, unit, {**labels, "low": found.low, "high": found.high})
