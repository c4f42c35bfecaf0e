"""Asking for pictures: eight a second in their slots, one at a time, none of a scene that is off air."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fake_obs import FakeObs, RefusedError
from fake_program import FakeProgram

from features.spec import MOTION_FPS
from stream.core.quality_level import STEPS
from stream.obs.address import parse_address
from stream.obs.client import ObsClient
from stream.obs.link import ObsLink
from stream.obs.program import Program
from stream.sources.arrival import Arrival
from stream.sources.obs import pictures as module
from stream.sources.obs.pictures import SLOT_US, Pictures


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Taking:
    """A part that asks as long as OBS is there; keeps what came."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.troubles: list[str] = []
        self.told: list[tuple[str, int]] = []  # scenes, and how many pictures there were before
        self.program = Program(lambda name, cut: self.told.append((name, len(self.arrivals))), lambda: None)
        self.pictures = Pictures(self.program, self.arrivals.append, self.troubles.append)
        self.task: asyncio.Task[None] | None = None

    async def connected(self, client: ObsClient) -> None:
        self.task = asyncio.create_task(self.pictures.run(client))

    def event(self, kind: str, data: Mapping[str, Any]) -> None: ...

    def lost(self, reason: str) -> None:
        assert self.task is not None
        self.task.cancel()

    @property
    def slots(self) -> list[int]:
        return [int(arrival.frame.pts or 0) // SLOT_US for arrival in self.arrivals]


@contextlib.asynccontextmanager
async def taking(*scenes: str, at_first: Callable[[FakeProgram], None] = lambda fake: None) -> AsyncIterator[Any]:
    async with FakeObs() as obs:
        fake, part = FakeProgram(obs, *scenes), Taking()
        at_first(fake)
        link = asyncio.create_task(ObsLink(parse_address(obs.url), [part.program, part]).run())
        try:
            yield fake, part
        finally:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
            if part.task is not None:
                part.task.cancel()
                await asyncio.gather(part.task, return_exceptions=True)


def test_each_picture_has_a_slot_of_its_own_at_a_whole_eighth_of_a_second() -> None:
    async def scene() -> None:
        async with taking("Game") as (_, part):
            await until(lambda: len(part.arrivals) >= 6)
            assert all(arrival.frame.pts % SLOT_US == 0 for arrival in part.arrivals)
            assert part.slots == sorted(set(part.slots)) and not part.troubles
            for arrival, slot in zip(part.arrivals, part.slots, strict=True):
                assert arrival.arrived_s is not None and slot == int(arrival.arrived_s * MOTION_FPS)
            lost = sum(arrival.replaced for arrival in part.arrivals)
            assert part.slots[-1] - part.slots[0] == len(part.slots) - 1 + lost  # each slot has come or is counted

    asyncio.run(scene())


def test_one_request_at_a_time_and_what_a_slow_obs_leaves_out_is_counted() -> None:
    async def scene() -> None:
        at_once: list[int] = []

        async def slow() -> None:
            at_once.append(1)
            assert len(at_once) == 1
            await asyncio.sleep(2.5 / MOTION_FPS)
            at_once.clear()

        def set_slow(fake: FakeProgram) -> None:
            fake.delay = slow

        async with taking("Game", at_first=set_slow) as (_, part):
            await until(lambda: len(part.arrivals) >= 3)
            assert part.arrivals[0].replaced == 0 and min(a.replaced for a in part.arrivals[1:]) >= 1
            assert part.slots[-1] - part.slots[0] == 2 + sum(a.replaced for a in part.arrivals[:3])

    asyncio.run(scene())


def test_no_picture_of_the_scene_before_comes_after_the_new_name() -> None:
    async def scene() -> None:
        async with taking("Game", "BRB") as (fake, part):
            await until(lambda: len(part.arrivals) >= 2)
            gate, asked = asyncio.Event(), asyncio.Event()

            async def held() -> None:
                asked.set()
                await gate.wait()

            fake.delay = held
            await asked.wait()  # for a picture of Game
            fake.show("BRB")
            await until(lambda: part.told[-1][0] == "BRB")
            fake.delay = None
            gate.set()
            await until(lambda: len(part.arrivals) >= part.told[-1][1] + 2)
            assert part.pictures.dropped == 1
            first = part.arrivals[part.told[-1][1]].frame.to_ndarray(format="rgb24")
            before = part.arrivals[part.told[-1][1] - 1].frame.to_ndarray(format="rgb24")
            last = part.arrivals[-1].frame.to_ndarray(format="rgb24")
            assert (first == last).all() and (first != before).any()

    asyncio.run(scene())


def test_a_renamed_scene_is_asked_for_by_its_new_name_though_no_event_told() -> None:
    async def scene() -> None:
        async with taking("Game") as (fake, part):
            await until(lambda: part.arrivals)
            fake.scenes, fake.scene = ["Play"], "Play"
            await until(lambda: fake.shots.get("Play", 0) >= 2)
            assert part.told[-1][0] == "Play" and not part.troubles

    asyncio.run(scene())


def test_no_scene_and_a_refusal_are_told_once_and_it_goes_on(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)

    def refuse(data: Any) -> None:
        raise RefusedError(702, "The image could not be rendered.")

    async def scene() -> None:
        async with taking("Game") as (fake, part):
            await until(lambda: part.arrivals)
            screenshot = fake.obs.handlers["GetSourceScreenshot"]
            fake.obs.handlers["GetSourceScreenshot"] = refuse
            await until(lambda: part.troubles)
            assert part.troubles == ["no picture from OBS: OBS refuses GetSourceScreenshot with 702: "
                                     "The image could not be rendered."]  # fmt: skip
            fake.obs.handlers["GetSourceScreenshot"] = screenshot
            fake.scenes, fake.scene = [], ""
            await until(lambda: len(part.troubles) > 1)
            assert "OBS has no scene" in part.troubles[1]
            fake.scenes, fake.scene = ["New"], "New"
            count = len(part.arrivals)
            await until(lambda: len(part.arrivals) > count)
            assert len(part.troubles) <= 3

    asyncio.run(scene())


def test_obs_is_not_asked_while_it_must_be_left_alone(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)

    async def scene() -> None:
        async with taking("Game") as (fake, part):
            await until(lambda: part.arrivals)
            fake.obs.event("CurrentSceneCollectionChanging")
            await until(lambda: part.program.hushed)
            await asyncio.sleep(2 / MOTION_FPS)  # an answer that was under way
            asked = len(fake.obs.asked)
            await asyncio.sleep(3 / MOTION_FPS)
            assert len(fake.obs.asked) == asked
            fake.obs.event("CurrentSceneCollectionChanged")
            count = len(part.arrivals)
            await until(lambda: len(part.arrivals) > count)

    asyncio.run(scene())


def test_a_lower_level_asks_for_fewer() -> None:
    now = [10.05]
    program = Program(lambda name, cut: None, lambda: None)
    pictures = Pictures(program, lambda arrival: None, lambda text: None, lambda: now[0])
    assert pictures._next_slot() == 81
    pictures.follow(STEPS[-1])
    assert STEPS[-1].stride == 2 and pictures._next_slot() == 82
    now[0] = 10.3
    assert pictures._next_slot() == 84


def test_time_goes_on_where_it_was_when_obs_comes_back() -> None:
    async def scene() -> None:
        async with taking("Game") as (fake, part):
            await until(lambda: len(part.arrivals) >= 2)
            fake.obs.kill()
            count = len(part.arrivals)
            await until(lambda: len(part.arrivals) >= count + 2)
            assert part.slots == sorted(part.slots)
            gap_s = part.arrivals[count].arrived_s - part.arrivals[count - 1].arrived_s
            assert (part.slots[count] - part.slots[count - 1]) / MOTION_FPS - gap_s < 1 / MOTION_FPS
            assert part.arrivals[count].replaced == 0  # nobody was there to be asked

    asyncio.run(scene())
