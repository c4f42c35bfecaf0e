"""OBS as a source of ``watch``: lists while it is there, words while it is not, and an end where it cannot be used."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fake_obs import FakeObs
from fake_program import FakeProgram

from stream import cli
from stream.core.events import Accepted, End, Notice, Scene, Suggestions, Warned
from stream.core.session import SessionOptions
from stream.errors import StreamError
from stream.obs.address import parse_address
from stream.obs.errors import ObsError
from stream.watch_obs import watch_obs


class Heard:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def put(self, notice: Notice) -> None:
        self.notices.append(notice)

    def of(self, kind: type) -> list[Any]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def test_lists_come_and_go_on_when_obs_is_back(runtime: Any) -> None:
    async def scene() -> None:
        obs, heard = FakeObs(), Heard()
        program = FakeProgram(obs, "Game", "BRB")
        await obs.start()
        await obs.stop()
        watching = asyncio.create_task(watch_obs(parse_address(obs.url), runtime, SessionOptions(), heard))
        await heard.until(lambda: heard.of(Warned))
        assert "OBS is not there" in heard.of(Warned)[0].reason
        program.studio = True
        await obs.start()
        await heard.until(lambda: heard.of(Suggestions))
        reasons = [warned.reason for warned in heard.of(Warned)]
        assert reasons[-1] == "OBS is there" and sum("studio mode" in reason for reason in reasons) == 1
        program.show("BRB")
        await heard.until(lambda: heard.of(Scene))
        assert [accepted.command for accepted in heard.of(Accepted)] == ["place", "place"]
        await obs.stop()
        await heard.until(lambda: "1001" in heard.of(Warned)[-1].reason or "not there" in heard.of(Warned)[-1].reason)
        lists = len(heard.of(Suggestions))
        await obs.start()
        await heard.until(lambda: len(heard.of(Suggestions)) > lists)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await obs.stop()
        assert heard.of(End) and heard.notices[-1] == heard.of(End)[0]

    asyncio.run(scene())


def test_a_wrong_password_ends_it_with_the_cure(runtime: Any) -> None:
    async def scene() -> None:
        async with FakeObs("secret") as obs:
            with pytest.raises(ObsError, match="password is wrong"):
                await watch_obs(parse_address(obs.url, "hunter22"), runtime, SessionOptions(), Heard())

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("argv", "reason"),
    [(["obs://127.0.0.1:4455", "--fast"], "leave out --fast"), (["obs://:hunter22@/", "-c", "x"], "names no host")],
)
def test_what_cannot_be_is_said_before_anything_is_opened(argv: list[str], reason: str) -> None:
    with pytest.raises(StreamError, match=reason) as caught:
        cli.watch([*argv, "-c", "nowhere"])
    assert "hunter22" not in str(caught.value)
