"""``segue bench live``: how soon the first list comes, how soon lists follow a new scene, and whether a person can
act on them: lists hold still, and where a suggestion starts, music plays and goes on.

Scenes are the studio's, and the catalogue holds the music that was made for each, so that the right style and the
right track are known. Scenes run through the session in media time (``latency`` measures the few milliseconds
of each hop); the first suggestion is timed at a real server with a WebRTC publisher.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from catalog.catalog import Catalog
from catalog.indexer import index_folder
from engines.bundle import default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.frame import FrameMeter
from features.spec import FEATURES, MOTION_FPS, MUSIC_RATE_HZ
from stream.core.events import Suggestions
from stream.core.session import Session
from stream.driver.runtime import Runtime, needs_small
from studio import pairs
from studio.world.film import frames
from studio.world.pairs import film, track
from studio.world.sound import render

from .auto import auto_rows, play_auto
from .drawn import DrawnCatalog
from .footage import answer_all, lists_of
from .harness import Report, Row
from .report.progress import reached
from .served import cores, free_port, loaded, served
from .steadiness import Sounds, steadiness_rows
from .streams import write_stream

Say = Callable[[str], None]
SCENE_S: Final = 24
STEADY_S: Final = 56
MUSIC_S: Final = 75
TOP: Final = 5
CUT_S: Final = 120
AUTO_S: Final = 600.0
FIRST_S: Final = 5.0  # how long each publisher of the first suggestion stays
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LiveBenchOptions:
    """``scenes``: joins of two scenes, whose music is the catalogue, and as many steady ones; ``pairings``: how many
    other scenes each one is joined to; ``publishers``: for the first suggestion."""

    scenes: int = 40
    pairings: int = 3
    publishers: int = 10
    jobs: int = 2
    cut: int = 6  # runs of cut footage
    grown: tuple[int, ...] = (20, 1_000, 10_000)  # tracks of drawn catalogues
    grown_scenes: int = 8
    videos: tuple[Path, ...] = ()
    catalog: Path | None = None  # for the videos; without one, the studio's music


@dataclass(frozen=True)
class Join:
    """Two scenes, one after the other."""

    number: int
    first: pairs.Latent
    second: pairs.Latent
    title: str  # of the music made for the second

    def rng(self) -> np.random.Generator:
        return np.random.default_rng([5, self.number])


@dataclass(frozen=True)
class HopTracks:
    """The list of one hop: its time and its tracks, best first, with their styles."""

    pts_s: float
    tracks: tuple[str, ...]
    styles: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """Track id -> its title, which names its scene, and its style."""

    titles: Mapping[str, str]
    styles: Mapping[str, str]


def measure(options: LiveBenchOptions, say: Say) -> Report:
    bundle = load_bundle(default_bundle(), FEATURES)
    joins = [join(number) for number in range(options.scenes)]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        styles = write_music(joins, Path(folder) / "music", say)
        engine = OnnxEngine(bundle)
        try:
            index_folder(Path(folder) / "music", Path(folder) / "catalog", engine, options.jobs, lambda *_: None)
            with Catalog.open(Path(folder) / "catalog", bundle) as catalog:
                titles = {track.id: track.title for track in catalog.tracks()}
                known = Known(titles, {track: styles[title] for track, title in titles.items()})
                runtime = Runtime(engine, catalog)
                rows += reaction_rows(runtime, known, pair_scenes(joins, options.pairings), say)
                sounds = Sounds(catalog.tracks())
                rows += steady_rows(runtime, sounds, joins, say)
                rows += cut_rows(runtime, sounds, joins, options.cut, say)
                rows += grown_rows(engine, catalog, joins[: options.grown_scenes], options.grown, say)
                if options.videos and options.catalog is None:
                    rows += video_rows(runtime, catalog, options.videos, say)
            if options.videos and options.catalog is not None:
                with Catalog.open(options.catalog, bundle) as own:
                    rows += video_rows(Runtime(engine, own), own, options.videos, say)
        finally:
            engine.close()
        rows += first_rows(Path(folder) / "catalog", Path(folder), options.publishers, say)
    return Report("live", rows, {"tracks": len(styles), "styles": len(pairs.TEMPO_OF), "bundle": bundle.identity})


def join(number: int) -> Join:
    rng = np.random.default_rng([3, number])
    first = draw_latent(rng)
    return Join(number, first, draw_latent(rng, first), f"{number}b")


def pair_scenes(joins: Sequence[Join], pairings: int) -> list[Join]:
    """Each first scene with ``pairings`` second ones of other styles, filmed anew each time."""
    every_join = list(joins)
    for shift in range(1, pairings):
        for number, base in enumerate(joins):
            other = joins[(number + shift) % len(joins)]
            if other.second.style != base.first.style:
                every_join.append(Join(base.number + shift * len(joins), base.first, other.second, other.title))
    return every_join


def write_music(joins: Sequence[Join], folder: Path, say: Say) -> dict[str, str]:
    """The music of both scenes of every join, ``MUSIC_S`` long, the 28 s that fit somewhere in it; title -> style."""
    styles: dict[str, str] = {}
    folder.mkdir(parents=True)
    for joined in joins:
        rng = np.random.default_rng([6, joined.number])
        for place, latent in (("a", joined.first), ("b", joined.second)):
            title = f"{joined.number}{place}"
            recipe = track(latent, rng)
            whole = replace(
                recipe, music=pairs.longer(recipe.music, float(rng.integers(0, MUSIC_S - 28)), MUSIC_S, rng)
            )
            soundfile.write(folder / f"{title}.flac", render(whole, MUSIC_S, MUSIC_RATE_HZ), MUSIC_RATE_HZ)
            styles[title] = latent.style
        reached(say, joined.number + 1, 5 * len(joins))
        if joined.number % 10 == 9:
            say(f"music of {joined.number + 1}/{len(joins)} joins")
    return styles


def draw_latent(rng: np.random.Generator, unlike: pairs.Latent | None = None) -> pairs.Latent:
    """A latent; if ``unlike`` is given, of another style and with a mood at least a third away."""
    while True:
        latent = pairs.draw_latent(rng)
        if unlike is None:
            return latent
        apart = abs(latent.valence - unlike.valence) + abs(latent.tension - unlike.tension)
        if latent.style != unlike.style and apart > 1 / 3:
            return latent


def pictures(latent: pairs.Latent, seconds: int, rng: np.random.Generator) -> Iterable[Pictures]:
    beats_s = np.arange(0.0, seconds, 60.0 / latent.tempo_bpm)
    return frames(film(latent, rng, beats_s), seconds, MOTION_FPS)


def lists(runtime: Runtime, frames: Iterable[Pictures]) -> list[Suggestions]:
    """The lists of a session over pictures at the motion rate."""
    session, meter = Session(runtime.model), FrameMeter(small=needs_small(runtime.model))
    suggestions: list[Suggestions] = []
    for slot, picture in enumerate(frames):
        suggestions += answer_all(session, runtime, session.push(meter.push(picture, slot / MOTION_FPS), slot))
    return suggestions


def hops(runtime: Runtime, frames: Iterable[Pictures], known: Known) -> list[HopTracks]:
    """The lists of a session, each as its tracks and styles."""
    listed: list[HopTracks] = []
    for suggestions in lists(runtime, frames):
        tracks = tuple(item.track for item in suggestions.items[:TOP])
        listed.append(HopTracks(suggestions.pts_s, tracks, tuple(known.styles[track] for track in tracks)))
    return listed


def reaction_s(listed: Sequence[HopTracks], join_s: float, fits: Callable[[HopTracks], bool]) -> float | None:
    """Seconds from the join of two scenes to the first list that ``fits``; infinite if none does; None if the list
    before the join already did."""
    before = [hop for hop in listed if hop.pts_s <= join_s]
    if not before or fits(before[-1]):
        return None
    return next((hop.pts_s - join_s for hop in listed if hop.pts_s > join_s and fits(hop)), float("inf"))


def reaction_rows(runtime: Runtime, known: Known, joins: Sequence[Join], say: Say) -> list[Row]:
    """Two scenes of different styles and moods, joined. Also: how often the right track is listed in the end, and how
    often a style drawn at random is in a list, which is chance."""
    reactions: list[float] = []
    right_track = right_style = by_chance = counted = 0
    for number, joined in enumerate(joins):
        rng = joined.rng()
        footage = [*pictures(joined.first, SCENE_S, rng), *pictures(joined.second, SCENE_S, rng)]
        listed = hops(runtime, footage, known)
        reaction = reaction_s(listed, SCENE_S, lambda hop, style=joined.second.style: style in hop.styles)  # type: ignore[misc]
        right_track += joined.title in [known.titles[track] for track in listed[-1].tracks]
        right_style += joined.second.style in listed[-1].styles
        counted += len(listed)
        by_chance += sum(str(rng.choice(list(pairs.TEMPO_OF))) in hop.styles for hop in listed)
        if reaction is not None:
            reactions.append(reaction)
        reached(say, 0.3 + 0.4 * (number + 1) / len(joins), 1)
        if number % 20 == 19:
            say(f"{number + 1}/{len(joins)} joins, median so far {np.median(reactions):.1f} s")
    return [
        *_reactions(reactions, len(joins)),
        Row("right_style_in_top5", 100 * right_style / len(joins), len(joins), "percent", {"after_s": SCENE_S}),
        Row("right_track_in_top5", 100 * right_track / len(joins), len(joins), "percent", {"after_s": SCENE_S}),
        Row("any_style_in_top5", 100 * by_chance / counted, counted, "percent"),
    ]


def _reactions(reactions: Sequence[float], joins: int) -> list[Row]:
    """No rows if the list before every join already held the style, as in a catalogue of a few tracks."""
    if not reactions:
        return []
    quartiles = [float(np.quantile(reactions, at, method="inverted_cdf")) for at in (0.25, 0.5, 0.75)]
    counts = {"never": int(np.isinf(reactions).sum()), "joins": joins}
    spread = {"lower": quartiles[0], "upper": quartiles[2] if np.isfinite(quartiles[2]) else "never"}
    return [
        Row("scene_reaction_s_median", min(quartiles[1], float(SCENE_S)), len(reactions), "s", {**counts, **spread})
    ]


def steady_rows(runtime: Runtime, sounds: Sounds, joins: Sequence[Join], say: Say) -> list[Row]:
    """One scene of even energy, with its own cuts, once the window is full."""
    runs = [[list_ for list_ in lists(runtime, steady(joined)) if list_.pts_s >= 28] for joined in joins]
    rows = steadiness_rows(runs, sounds, "steady")
    say(f"{len(joins)} steady scenes: {one_line(rows)}")
    return rows


def steady(joined: Join) -> Iterable[Pictures]:
    mean = float(np.mean([level for _, level in joined.first.energy]))
    return pictures(replace(joined.first, energy=((0.0, mean), (float(STEADY_S), mean))), STEADY_S, joined.rng())


def cut_rows(runtime: Runtime, sounds: Sounds, joins: Sequence[Join], runs: int, say: Say) -> list[Row]:
    """Scenes of 8 to 24 s, one after another, two minutes of them a run."""
    lists_of_runs = []
    for run in range(runs):
        rng = np.random.default_rng([8, run])
        frames: list[Pictures] = []
        while len(frames) < CUT_S * MOTION_FPS:
            joined = joins[int(rng.integers(len(joins)))]
            frames.extend(pictures(joined.first, int(rng.integers(8, 25)), rng))
        lists_of_runs.append(lists(runtime, frames))
    rows = steadiness_rows(lists_of_runs, sounds, "cut")
    say(f"{runs} runs of cut footage: {one_line(rows)}")
    return rows


def grown_rows(
    engine: OnnxEngine, catalog: Catalog, joins: Sequence[Join], sizes: Sequence[int], say: Say
) -> list[Row]:
    """How often the first place changes on steady scenes as the catalogue grows."""
    rows = []
    for size in sizes:
        runtime = Runtime(engine, DrawnCatalog(catalog, size))
        runs = [[list_ for list_ in lists(runtime, steady(joined)) if list_.pts_s >= 28] for joined in joins]
        changes = [row for row in steadiness_rows(runs, None, "steady") if row.metric == "top1_changes_per_min"]
        rows += [replace(row, labels={**row.labels, "tracks": size}) for row in changes]
        say(f"{size} drawn tracks: {one_line(changes)}")
    return rows


def video_rows(runtime: Runtime, catalog: Catalog, videos: Sequence[Path], say: Say) -> list[Row]:
    """The files one after another, and ten minutes of Auto on them, which repeat when they end."""
    tracks = catalog.tracks()
    rows = steadiness_rows([lists_of(runtime, videos)], Sounds(tracks), "video")
    say(f"{len(videos)} videos: {one_line(rows)}")
    auto = auto_rows(play_auto(runtime, videos, AUTO_S), tracks)
    say(f"{AUTO_S / 60:g} minutes of Auto: {one_line(auto)}")
    return rows + auto


def one_line(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.metric} {row.value:.2f}" for row in rows)


def first_rows(catalog: Path, folder: Path, publishers: int, say: Say) -> list[Row]:
    """From the first frame that a publisher sends to the first suggestions, one publisher after another."""
    available = cores()
    stream, port, waits = write_stream(folder / "stream.mp4", 5), free_port(), []
    with served("segue", ["serve", "-c", str(catalog), "--port", str(port)], port, available[:1]) as server:
        for _ in range(publishers):
            with loaded(server.url, stream, 1, FIRST_S, available[1:] or available) as load:
                (publisher,) = load.result()
            if publisher["messages"]:
                waits.append(publisher["messages"][0][0] - publisher["first_s"])
    say(f"first suggestion after {np.median(waits):.2f} s ({len(waits)} publishers)")
    return [
        Row("first_suggestion_s", float(np.median(waits)), len(waits), "s", {"most": round(max(waits), 3)}),
    ]
