"""``segue bench live``: how soon something is said, how soon a new scene is answered, how steady a steady one is.

The catalogue and the videos are the studio's, so that the right style of each scene is known. Scenes run through the
session in media time (each hop's few milliseconds beside it are what ``latency`` measures); the first suggestion is
timed at a real server with a WebRTC publisher.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from catalog.catalog import Catalog
from catalog.indexer import index_folder
from engines.bundle import default_bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.frame import FrameMeter
from features.spec import FEATURES, MOTION_FPS
from stream.core.events import Question, Suggestions
from stream.core.session import Session
from stream.runtime import Runtime, needs_small
from studio import pairs
from studio.library import demo_tracks, write_track
from studio.video import render

from .harness import Report, Row
from .served import cores, free_port, loaded, served
from .streams import write_stream

Say = Callable[[str], None]
SCENE_S: Final = 24
STEADY_S: Final = 56
TOP: Final = 5
FIRST_S: Final = 5.0  # how long each publisher of the first suggestion stays
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LiveBenchOptions:
    """``tracks`` of the studio are the catalogue, its styles in turn; ``scenes``: joins, and steady scenes half as
    many; ``publishers``: for the first suggestion."""

    tracks: int = 56
    scenes: int = 60
    publishers: int = 10
    jobs: int = 2


@dataclass(frozen=True)
class Heard:
    """One hop: when, and the styles of the listed tracks, best first."""

    pts_s: float
    tracks: tuple[str, ...]
    styles: tuple[str, ...]


def measure(options: LiveBenchOptions, say: Say) -> Report:
    bundle = load_bundle(default_bundle(), FEATURES)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        catalog = make_catalog(Path(folder), options, say)
        engine = OnnxEngine(bundle)
        try:
            with Catalog.open(catalog, bundle) as opened:
                runtime = Runtime(engine, opened)
                styles = {track.id: track.tags[0] for track in opened.tracks()}
                rows += reaction_rows(runtime, styles, options.scenes, say)
                rows += steady_rows(runtime, styles, max(1, options.scenes // 2), say)
        finally:
            engine.close()
        rows += first_rows(catalog, Path(folder), options.publishers, say)
    return Report("live", rows, {"tracks": options.tracks, "styles": len(pairs.TEMPO_OF), "bundle": bundle.identity})


def make_catalog(folder: Path, options: LiveBenchOptions, say: Say) -> Path:
    """The studio's tracks, indexed with the bundle that ships; the style of each is its first tag."""
    music = folder / "music"
    music.mkdir()
    for number, track in enumerate(demo_tracks(options.tracks, seed=7)):
        write_track(track, music)
        if number % 14 == 13:
            say(f"{number + 1}/{options.tracks} tracks")
    engine = OnnxEngine(load_bundle(default_bundle(), FEATURES))
    try:
        index_folder(music, folder / "catalog", engine, options.jobs, lambda *_: None)
    finally:
        engine.close()
    return folder / "catalog"


def drawn(rng: np.random.Generator, unlike: pairs.Latent | None = None) -> pairs.Latent:
    """A latent of another style, and of a mood at least a third away, where one is given."""
    while True:
        latent = pairs.draw_latent(rng)
        if unlike is None:
            return latent
        apart = abs(latent.valence - unlike.valence) + abs(latent.tension - unlike.tension)
        if latent.style != unlike.style and apart > 1 / 3:
            return latent


def pictures(latent: pairs.Latent, seconds: int, rng: np.random.Generator) -> Iterable[Pictures]:
    beats_s = np.arange(0.0, seconds, 60.0 / latent.tempo_bpm)
    return render.render(pairs.video_recipe(latent, rng, beats_s), seconds, fps=MOTION_FPS)


def hops(runtime: Runtime, frames: Iterable[Pictures], styles: Mapping[str, str]) -> list[Heard]:
    """What a session says to pictures at the motion rate."""
    session, meter = Session(runtime.model), FrameMeter(small=needs_small(runtime.model))
    heard: list[Heard] = []
    for slot, picture in enumerate(frames):
        waiting = list(session.push(meter.push(picture, slot / MOTION_FPS), slot))
        while waiting:
            event = waiting.pop(0)
            if isinstance(event, Question):
                waiting += session.result(event.id, runtime.answer(event))
            elif isinstance(event, Suggestions):
                tracks = tuple(item.track for item in event.items[:TOP])
                heard.append(Heard(event.pts_s, tracks, tuple(styles[track] for track in tracks)))
    return heard


def reaction_s(heard: list[Heard], join_s: float, style: str) -> float | None:
    """Seconds from the join of two scenes to the first list with a track of ``style``; infinite where none comes; None
    where the list held one already."""
    before = [one for one in heard if one.pts_s <= join_s]
    if not before or style in before[-1].styles:
        return None
    return next((one.pts_s - join_s for one in heard if one.pts_s > join_s and style in one.styles), float("inf"))


def reaction_rows(runtime: Runtime, styles: Mapping[str, str], scenes: int, say: Say) -> list[Row]:
    """Two scenes of different styles and moods, joined. Beside it: how often the second style is in a list drawn from
    elsewhere, which is what chance would find."""
    found: list[float] = []
    settled = chance = counted = 0
    for number in range(scenes):
        rng = np.random.default_rng([3, number])
        first = drawn(rng)
        second = drawn(rng, first)
        joined = [*pictures(first, SCENE_S, rng), *pictures(second, SCENE_S, rng)]
        heard = hops(runtime, joined, styles)
        reaction = reaction_s(heard, SCENE_S, second.style)
        settled += second.style in heard[-1].styles
        counted += len(heard)
        chance += sum(str(rng.choice(list(pairs.TEMPO_OF))) in one.styles for one in heard)
        if reaction is not None:
            found.append(reaction)
        if number % 10 == 9:
            say(f"{number + 1}/{scenes} joins, median so far {np.median(found):.1f} s")
    never = sum(np.isinf(found))
    quartiles = [float(np.quantile(found, at, method="inverted_cdf")) for at in (0.25, 0.5, 0.75)]
    return [
        Row("scene_reaction_s_median", quartiles[1], len(found), "s", {"never": int(never), "joins": scenes}),
        *(
            Row(f"scene_reaction_s_{name}", value, len(found), "s")
            for name, value in (("lower_quartile", quartiles[0]), ("upper_quartile", quartiles[2]))
            if np.isfinite(value)
        ),
        Row("right_style_in_top5", 100 * settled / scenes, scenes, "percent", {"after_s": SCENE_S}),
        Row("any_style_in_top5", 100 * chance / counted, counted, "percent"),
    ]


def steady_rows(runtime: Runtime, styles: Mapping[str, str], scenes: int, say: Say) -> list[Row]:
    """How often the first place changes on one scene, once the window is full."""
    changes = []
    for number in range(scenes):
        rng = np.random.default_rng([4, number])
        heard = [one for one in hops(runtime, pictures(drawn(rng), STEADY_S, rng), styles) if one.pts_s >= 28]
        firsts = [one.tracks[0] for one in heard]
        minutes = (heard[-1].pts_s - heard[0].pts_s) / 60
        changes.append(sum(one != other for one, other in pairwise(firsts)) / minutes)
    say(f"{scenes} steady scenes: {np.mean(changes):.2f} changes of the first place a minute")
    return [
        Row("top1_changes_per_min", float(np.mean(changes)), scenes, "1/min", {"most": round(max(changes), 2)}),
    ]


def first_rows(catalog: Path, folder: Path, publishers: int, say: Say) -> list[Row]:
    """From the first frame that a publisher sends to the first suggestions, one publisher after another."""
    have = cores()
    stream, port, waits = write_stream(folder / "stream.mp4", 5), free_port(), []
    with served("segue", ["serve", "-c", str(catalog), "--port", str(port)], port, have[:1]) as server:
        for _ in range(publishers):
            with loaded(server.url, stream, 1, FIRST_S, have[1:] or have) as load:
                (told,) = load.result()
            if told["messages"]:
                waits.append(told["messages"][0][0] - told["first_s"])
    say(f"first suggestion after {np.median(waits):.2f} s ({len(waits)} publishers)")
    return [
        Row("first_suggestion_s", float(np.median(waits)), len(waits), "s", {"most": round(max(waits), 3)}),
    ]
