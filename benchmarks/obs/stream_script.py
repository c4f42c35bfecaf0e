"""The script of a stream with the real OBS: what is done and when, and what is seen and heard of it."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.served import Served
from benchmarks.soak import ServerProbe
from stream.obs.address import parse_address
from stream.obs.client import ObsClient, Subscription
from stream.obs.errors import ObsError
from stream.obs.rig import SOURCES

from .stream_rows import Seen

SILENT: Final = "BRB"  # the scene whose rule silences the music
SCENES: Final = ("Game", "Talk", SILENT)
KEY: Final = "obs"
SCENE_S: Final = (20.0, 60.0)  # between changes of scene
ACTION_S: Final = (8.0, 30.0)  # between keys
DOWN_S: Final = 8.0  # OBS stays away after a kill
SAMPLE_S: Final = 5.0
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
