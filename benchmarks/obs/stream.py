"""``segue bench obs-stream``: a scripted stream of hours with the real OBS (Linux, a checkout with tests).

OBS shows films in its scenes and plays the music that ``segue serve --obs --obs-play`` hands it, while a script changes
scenes, presses keys over HTTP as a Stream Deck does, and kills OBS three times. Counted are: lists that did not come,
keys that were refused, takes that are in no cue, seconds in which music should be heard in OBS and is not (and the
reverse), what comes back after a kill and when, memory, descriptors and threads of the server, and each export of the
cues at the end. Every wait is drawn from ``seed``.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from rich.console import Console
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.errors import BenchError
from benchmarks.harness import Report, Row, print_rows
from benchmarks.report.progress import expect
from benchmarks.report.run import publish, run_of
from benchmarks.served import ROOT, Served, cores, free_port, served
from benchmarks.soak import Sample, ServerProbe, second_half, slope
from benchmarks.streams import Shape, write_stream
from catalog.clips import CLIPS
from stream.cues.export.formats import FORMATS
from stream.obs.address import parse_address
from stream.obs.client import ObsClient, Subscription
from stream.obs.errors import ObsError
from stream.obs.rig import SOURCES

FILM: Final = Shape(640, 360, 20, 800_000)
FILM_S: Final = 60
SILENT: Final = "BRB"  # the scene whose rule silences the music
SCENES: Final = ("Game", "Talk", SILENT)
RULES: Final = f'[obs.scenes."{SILENT}"]\nmusic = "silent"\n'
KEY: Final = "obs"
SCENE_S: Final = (20.0, 60.0)  # between changes of scene
ACTION_S: Final = (8.0, 30.0)  # between keys
DOWN_S: Final = 8.0  # OBS stays away after a kill
SAMPLE_S: Final = 5.0
LATE_S: Final = 2.5  # between two lists: one was lost
HEARD: Final = 10 ** (-60 / 20)  # of full scale: quieter is silence
SETTLED_S: Final = 6.0  # after a key, a change of scene, a kill: until what is heard must be what is told
BACK_S: Final = 60.0
SAY_S: Final = 300.0
ACTIONS: Final[tuple[tuple[str, dict[str, str], int], ...]] = (  # how often, against each other
    ("take", {"n": "1"}, 4), ("take", {"n": "2"}, 2), ("next", {}, 3), ("pause", {}, 1), ("play", {}, 3),
    ("like", {}, 1), ("pin", {"n": "1"}, 1), ("unpin", {}, 1), ("undo", {}, 1), ("duck", {"on": "1"}, 1),
    ("duck", {"on": "auto"}, 2),
)  # fmt: skip


@dataclass(frozen=True)
class StreamOptions:
    """``minutes`` of stream, in which OBS is killed ``kills`` times."""

    minutes: float = 120.0
    kills: int = 3
    seed: int = 1
    bundle: Path | None = None


@dataclass
class Seen:
    """What happened. Times by the monotonic clock."""

    lists_s: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    downs: list[tuple[float, float]] = field(default_factory=list)  # OBS was away
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    action_ms: list[float] = field(default_factory=list)
    back_list_s: list[float] = field(default_factory=list)
    back_sound_s: list[float] = field(default_factory=list)
    scenes: int = 0
    restless_s: float = 0.0  # until then nothing is judged by ear
    right: Counter[tuple[bool, bool]] = field(default_factory=Counter)  # seconds: (should be heard, is heard)
    in_silence: int = 0  # seconds of music that somebody has begun in the silent scene
    ends: list[str] = field(default_factory=list)
    takes: set[str] = field(default_factory=set)  # tracks that were on air
    samples: list[Sample] = field(default_factory=list)


class Ear:
    """What OBS's meters say of our sources."""

    def __init__(self) -> None:
        self.heard_s = 0.0
        self.levels = dict.fromkeys(SOURCES, 0.0)

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind != "InputVolumeMeters":
            return
        for each in data.get("inputs") or ():
            if each.get("inputName") in SOURCES:
                level = max(
                    (max(channel[:2], default=0.0) for channel in each.get("inputLevelsMul") or ()), default=0.0
                )
                if level > HEARD:
                    self.heard_s = time.monotonic()


class Script:
    """The stream: its tasks share one `Seen`."""

    def __init__(self, real: Any, server: Served, options: StreamOptions, say: Callable[[str], None]) -> None:
        self.real, self.server, self.options, self.say = real, server, options, say
        self.rng = random.Random(options.seed)
        self.seen, self.ear = Seen(), Ear()
        self.client: ObsClient | None = None
        self.scene = SCENES[0]
        self.player: Mapping[str, Any] = {}
        self.until_s = time.monotonic() + 60 * options.minutes
        self.up = asyncio.Event()
        self.http = httpx.AsyncClient(base_url=server.url, timeout=20)

    async def run(self, probe: ServerProbe) -> None:
        async def ready(client: ObsClient) -> None:
            with contextlib.suppress(ObsError):
                self.scene = (await client.request("GetCurrentProgramScene"))["currentProgramSceneName"]
            self.up.set()

        self.client = ObsClient(
            parse_address(self.real.url, self.real.password),
            on_event=self.ear.event,
            on_connected=ready,
            on_lost=lambda reason: self.up.clear(),
            subscriptions=Subscription.INPUT_VOLUME_METERS,
        )
        async with self.http, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(work)
                for work in (
                    self.client.run(),
                    self.watch(),
                    self.judge(),
                    self.sample(probe),
                    self.scenes(),
                    self.keys(),
                )
            ]
            await self.kills()
            await asyncio.sleep(max(0.0, self.until_s - time.monotonic()))
            for task in tasks:
                task.cancel()

    async def watch(self) -> None:
        """A viewer, as a page is one."""
        address = f"{self.server.url.replace('http', 'ws')}/events?key={KEY}"
        while True:
            try:
                async with connect(address, proxy=None) as socket:
                    async for text in socket:
                        self.take(json.loads(text))
            except (OSError, ConnectionClosed):
                pass
            self.seen.ends.append(f"viewer's connection ended at {time.monotonic():.0f}")
            await asyncio.sleep(1.0)

    def take(self, message: Mapping[str, Any]) -> None:
        now_s = time.monotonic()
        if message["type"] == "suggestions":
            self.seen.lists_s.append(now_s)
            if message["late_ms"] is not None:
                self.seen.late_ms.append(message["late_ms"])
        elif message["type"] == "player":
            if message.get("track") != self.player.get("track") or message.get("paused") != self.player.get("paused"):
                self.restless()
            self.player = message
            if message.get("track") and not message.get("paused"):
                self.seen.takes.add(message["track"])
        elif message["type"] in ("end", "error"):
            self.seen.ends.append(str(message))

    def restless(self) -> None:
        self.seen.restless_s = time.monotonic() + SETTLED_S

    async def judge(self) -> None:
        """Each second: is heard what the session tells?"""
        while True:
            await asyncio.sleep(1.0)
            now_s = time.monotonic()
            if self.up.is_set() and now_s > self.seen.restless_s:
                told = bool(self.player.get("track")) and not self.player.get("paused")
                self.seen.right[told, now_s - self.ear.heard_s < 1.0] += 1
                self.seen.in_silence += told and self.scene == SILENT

    async def sample(self, probe: ServerProbe) -> None:
        said_s = 0.0
        while True:
            sample = await asyncio.to_thread(probe.take_sample)
            self.seen.samples.append(sample)
            if sample.at_s - said_s >= SAY_S:
                said_s = sample.at_s
                keys = sum(self.seen.answers.values())
                self.say(
                    f"{sample.at_s / 60:5.1f} min {sample.memory_mb:6.0f} MB {sample.descriptors:3d} fds "
                    f"{sample.threads:3d} threads {len(self.seen.lists_s):6d} lists {keys:4d} keys "
                    f"{self.seen.scenes:4d} scenes {len(self.seen.downs)} kills"
                )
            await asyncio.sleep(SAMPLE_S)

    async def scenes(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(*SCENE_S))
            name = self.rng.choice([each for each in SCENES if each != self.scene])
            self.restless()
            try:
                assert self.client is not None
                await self.client.request("SetCurrentProgramScene", {"sceneName": name})
            except ObsError:
                continue
            self.restless()
            self.scene = name
            self.seen.scenes += 1

    async def keys(self) -> None:
        names = [(action, options) for action, options, _ in ACTIONS]
        weights = [weight for *_, weight in ACTIONS]
        while True:
            await asyncio.sleep(self.rng.uniform(*ACTION_S))
            (action, options), begun_s = self.rng.choices(names, weights)[0], time.monotonic()
            if not self.up.is_set():
                continue
            answer = await self.http.post(f"/actions/{action}", params={"key": KEY, **options})
            self.seen.action_ms.append(1e3 * (time.monotonic() - begun_s))
            self.seen.answers[action, answer.status_code] += 1
            if answer.status_code == 200 and answer.json()["changed"]:
                self.seen.changed[action] += 1
                self.restless()

    async def kills(self) -> None:
        span_s = 60 * self.options.minutes / (self.options.kills + 1)
        for _ in range(self.options.kills):
            await asyncio.sleep(span_s)
            told = bool(self.player.get("track")) and not self.player.get("paused")
            self.restless()
            down_s = time.monotonic()
            self.up.clear()
            await asyncio.to_thread(self.real.kill)
            await asyncio.sleep(DOWN_S)
            await asyncio.to_thread(self.real.start)
            await asyncio.wait_for(self.up.wait(), BACK_S)
            back_s = time.monotonic()
            self.restless()
            self.seen.downs.append((down_s, back_s))
            await self.until(lambda: self.newest_s, back_s)
            self.seen.back_list_s.append(time.monotonic() - back_s)
            if told and self.scene != SILENT:
                await self.until(lambda: self.ear.heard_s, back_s)
                self.seen.back_sound_s.append(time.monotonic() - back_s)
            self.restless()
            self.say(f"OBS was killed and is back: lists after {self.seen.back_list_s[-1]:.1f} s, sound told: {told}")

    @property
    def newest_s(self) -> float:
        return self.seen.lists_s[-1] if self.seen.lists_s else 0.0

    async def until(self, moment_s: Callable[[], float], after_s: float) -> None:
        """Wait until something has happened after a moment, `BACK_S` at most."""
        until_s = time.monotonic() + BACK_S
        while moment_s() <= after_s and time.monotonic() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def measure(catalog: Path, options: StreamOptions, say: Callable[[str], None]) -> Report:
    """Raises `BenchError` where OBS is not here, and where server or OBS do not come up."""
    folder = ROOT / "tests" / "tools"
    if not folder.is_dir():
        raise BenchError("obs-stream runs an OBS as the tests do: it needs a checkout with tests/tools")
    sys.path.append(str(folder))
    tools = importlib.import_module("real_obs")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        films = {scene: write_stream(place / f"{scene}.mp4", FILM_S, seed, FILM) for seed, scene in enumerate(SCENES)}
        with tools.obs(place, dict.fromkeys(SCENES, 0xFF303030), films=films) as real:
            os.environ["SEGUE_OBS_PASSWORD"] = real.password
            (place / "segue.toml").write_text(RULES)
            port = free_port()
            words = ["serve", "-c", str(catalog), "--port", str(port), "--config", str(place / "segue.toml")]
            words += ["--obs", real.url, "--obs-key", KEY, "--obs-play", "--cues", str(place / "cues")]
            words += ["--grace", "120", "--log-level", "error"]
            words += [] if options.bundle is None else ["--bundle", str(options.bundle)]
            with served("segue", words, port, cores()) as server:
                probe = ServerProbe(server, catalog.resolve() / CLIPS, time.monotonic())
                seen = asyncio.run(_stream(real, server, options, say, probe))
                cues, exports = _cues(server)
            return Report("obs-stream", rows(seen, cues, exports), {"minutes": options.minutes, "seed": options.seed})


async def _stream(
    real: Any, server: Served, options: StreamOptions, say: Callable[[str], None], probe: ServerProbe
) -> Seen:
    script = Script(real, server, options, say)
    await script.run(probe)
    return script.seen


def _cues(server: Served) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The cues of every session that was kept, and the status of each export, by its format."""
    cues, statuses = [], {}
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for session in client.get("/api/cues").raise_for_status().json()["sessions"]:
            cues += client.get(f"/api/cues/{session['id']}").raise_for_status().json()["cues"]
            for each in FORMATS.values():
                statuses[each.file] = client.get(f"/api/cues/{session['id']}/{each.file}").status_code
    return cues, statuses


def rows(seen: Seen, cues: list[dict[str, Any]], exports: Mapping[str, int]) -> list[Row]:
    """The figures of a stream."""
    gaps = np.diff(seen.lists_s)
    away = sum(
        1 for at_s, gap in zip(seen.lists_s[1:], gaps, strict=True)
        if gap > LATE_S and not any(down - 1 < at_s and at_s - gap < up + LATE_S for down, up in seen.downs)
    )  # fmt: skip
    taken = {cue["track"] for cue in cues if cue["kind"] == "taken"}
    right, samples = seen.right, seen.samples
    half = second_half(samples)
    out = [
        Row("lists", len(seen.lists_s), 1, "lists"),
        Row("gaps", away, len(gaps), "count", {"longer_than_s": LATE_S}),
        Row("late_p50", float(np.median(seen.late_ms)), len(seen.late_ms), "ms"),
        Row("late_p95", float(np.percentile(seen.late_ms, 95)), len(seen.late_ms), "ms"),
        Row("scenes", seen.scenes, 1, "count"),
        Row("kills", len(seen.downs), 1, "count"),
        Row("sessions_ended", len(seen.ends), 1, "count"),
        Row("action_p50", float(np.median(seen.action_ms)), len(seen.action_ms), "ms"),
        Row("action_p95", float(np.percentile(seen.action_ms, 95)), len(seen.action_ms), "ms"),
        Row("heard_as_told", right[True, True], right[True, True] + right[True, False], "s"),
        Row("silent_as_told", right[False, False], right[False, False] + right[False, True], "s"),
        Row("begun_in_the_silent_scene", seen.in_silence, sum(right.values()), "s"),
        Row("tracks_on_air", len(seen.takes), 1, "count"),
        Row("tracks_without_a_cue", len(seen.takes - taken), len(seen.takes), "count"),
        Row("cues", sum(cue["kind"] == "taken" for cue in cues), 1, "count", {"kind": "taken"}),
        Row("cues", sum(cue["kind"] == "proposed" for cue in cues), 1, "count", {"kind": "proposed"}),
    ]
    out += [
        Row("actions", n, 1, "count", {"action": a, "status": code}) for (a, code), n in sorted(seen.answers.items())
    ]
    for name, times in (("back_list", seen.back_list_s), ("back_sound", seen.back_sound_s)):
        out += [Row(f"{name}_most", max(times), len(times), "s")] if times else []
    out += [Row("export_status", code, 1, "status", {"file": file}) for file, code in sorted(exports.items())]
    if (memory := slope([each.at_s for each in half], [each.memory_mb for each in half])) is not None:
        labels = {"error": round(memory.error, 3), "of_min": round((half[-1].at_s - half[0].at_s) / 60, 1)}
        out.append(Row("memory_slope_mb_per_hour", memory.per_hour, memory.blocks, "MB/h", labels))
    for name, at in (("start", samples[0]), ("middle", samples[len(samples) // 2]), ("end", samples[-1])):
        out += [
            Row("memory_mb", at.memory_mb, 1, "MB", {"at": name}),
            Row("descriptors", at.descriptors - at.clip_files, 1, "count", {"at": name}),
            Row("threads", at.threads, 1, "count", {"at": name}),
        ]
    seconds = samples[-1].at_s - samples[0].at_s
    return [*out, Row("cpu_cores", (samples[-1].cpu_s - samples[0].cpu_s) / seconds, 1, "cores")]


def add_obs_stream(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kind = kinds.add_parser("obs-stream", help="hours of a scripted stream with the real OBS: scenes, keys, kills")
    kind.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    kind.add_argument("--minutes", type=float, default=120.0, help="of stream (default 120)")
    kind.add_argument("--kills", type=int, default=3, help="of OBS (default 3)")
    kind.add_argument("--seed", type=int, default=1, help="of the script (default 1)")
    kind.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def obs_stream(options: argparse.Namespace) -> int:
    """``segue bench obs-stream``."""
    console = Console()
    asked = StreamOptions(options.minutes, options.kills, options.seed)
    expect(run_of(options).say, 60 * options.minutes)
    report = measure(options.catalog, asked, run_of(options).say)
    print_rows(report.rows, console, f"a stream of {options.minutes:g} minutes with the real OBS")
    return publish(options, report)
