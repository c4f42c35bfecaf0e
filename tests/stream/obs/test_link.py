"""One connection, several parts: each is told, and one that fails does not stop the others."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from fake_obs import FakeObs

from stream.obs.address import parse_address
from stream.obs.client import ObsClient, Subscription
from stream.obs.errors import ObsError
from stream.obs.link import ObsLink


class Part:
    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.told: list[str] = []

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if self.fails:
            raise RuntimeError("broken")

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        self._tell(kind)

    async def connected(self, client: ObsClient) -> None:
        self._tell("connected")

    def lost(self, reason: str) -> None:
        self._tell("lost")


async def until_told(part: Part, count: int) -> None:
    async with asyncio.timeout(20):
        while len(part.told) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def test_every_part_is_told_though_another_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            broken, whole = Part(fails=True), Part()
            link = ObsLink(parse_address(obs.url), [broken], Subscription.INPUT_VOLUME_METERS)
            link.add(whole)
            task = asyncio.create_task(link.run())
            await until_told(whole, 1)
            assert obs.subscriptions & Subscription.INPUT_VOLUME_METERS and obs.subscriptions & Subscription.SCENES
            assert link.state.startswith("OBS 29")
            obs.event("ExitStarted")
            await until_told(whole, 2)
            await obs.close()
            await until_told(whole, 4)
            assert whole.told == broken.told == ["connected", "ExitStarted", "lost", "connected"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert "broken" in caplog.text


def test_a_final_failure_stands_in_its_state() -> None:
    async def scene() -> None:
        async with FakeObs("secret") as obs:
            link = ObsLink(parse_address(obs.url, "wrong"))
            with pytest.raises(ObsError):
                await link.run()
            assert link.failure is not None and "password is wrong" in link.state

    asyncio.run(scene())
