"""What OBS has on air: asked for at each change, never believed from an event; and when OBS must be left alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fake_obs import FakeObs, RefusedError
from fake_program import FakeProgram

from stream.obs.address import parse_address
from stream.obs.link import ObsLink
from stream.obs.program import Program


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def connected(*scenes: str) -> AsyncIterator[tuple[FakeProgram, Program, list[tuple[str, bool]]]]:
    """An OBS with these scenes, what we know of it, and what was told of scenes."""
    told: list[tuple[str, bool]] = []
    async with FakeObs() as obs:
        fake = FakeProgram(obs, *scenes)
        program = Program(lambda name, cut: told.append((name, cut)), lambda: None)
        task = asyncio.create_task(ObsLink(parse_address(obs.url), [program]).run())
        await until(lambda: program.connected_now)
        try:
            yield fake, program, told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_the_new_scene_is_known_when_its_transition_starts() -> None:
    async def scene() -> None:
        async with connected("Game", "BRB") as (fake, program, told):
            assert told == [("Game", True)] and program.scene == "Game"
            fake.show("BRB", over=False)
            await until(lambda: program.scene == "BRB")
            fake.obs.event("CurrentProgramSceneChanged", {"sceneName": "BRB"})
            fake.obs.event("StudioModeStateChanged", {"studioModeEnabled": True})
            await until(lambda: program.studio)
            assert told == [("Game", True), ("BRB", True)]

    asyncio.run(scene())


def test_an_event_that_comes_late_is_not_believed() -> None:
    """A fade to BRB ends when Game is back on air already."""

    async def scene() -> None:
        async with connected("Game", "BRB") as (fake, program, told):
            asked = fake.names_of_requests
            fake.obs.event("CurrentProgramSceneChanged", {"sceneName": "BRB"})
            await until(lambda: fake.names_of_requests > asked)
            await asyncio.sleep(0.05)
            assert program.scene == "Game" and len(told) == 1

    asyncio.run(scene())


def test_a_change_while_the_answer_is_under_way_is_asked_for_again() -> None:
    async def scene() -> None:
        async with connected("Game", "BRB", "Chat") as (fake, program, told):
            gate = asyncio.Event()

            async def slow(data: Any) -> dict[str, Any]:
                name = fake.scene
                await gate.wait()
                return {"currentProgramSceneName": name}

            fake.obs.handlers["GetCurrentProgramScene"] = slow
            asked = len(fake.obs.asked)
            fake.show("BRB", over=False)
            await until(lambda: len(fake.obs.asked) > asked)
            fake.show("Chat", over=False)
            await asyncio.sleep(0.05)
            gate.set()
            await until(lambda: program.scene == "Chat")
            assert told[-2:] == [("BRB", True), ("Chat", True)]

    asyncio.run(scene())


@pytest.mark.parametrize("again", [False, True])
def test_a_scene_that_obs_does_not_tell_is_asked_for_again(again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a change, and after a connection was lost."""
    monkeypatch.setattr("stream.obs.program.AGAIN_S", 0.01)

    async def scene() -> None:
        async with connected("Game", "BRB") as (fake, program, told):
            usual, refused = fake.obs.handlers["GetCurrentProgramScene"], list[int]()

            def late(data: Any) -> Any:
                if len(refused) < 2:
                    refused.append(1)
                    raise RefusedError(702)
                return usual(data)

            fake.obs.handlers["GetCurrentProgramScene"] = late
            if again:
                fake.scene = "BRB"
                fake.obs.kill()
            else:
                fake.show("BRB", over=False)
            await until(lambda: program.scene == "BRB")
            assert told == [("Game", True), ("BRB", True)]

    asyncio.run(scene())


def test_another_name_is_no_cut() -> None:
    async def scene() -> None:
        async with connected("Game", "BRB") as (fake, program, told):
            fake.obs.event("SceneNameChanged", {"oldSceneName": "BRB", "sceneName": "Back soon"})
            fake.rename("Play")
            await until(lambda: program.scene == "Play")
            assert told == [("Game", True), ("Play", False)]

    asyncio.run(scene())


def test_obs_is_left_alone_while_it_changes_its_scenes_and_when_it_quits() -> None:
    async def scene() -> None:
        async with connected("Game", "BRB") as (fake, program, _):
            fake.obs.event("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
            await until(lambda: program.hushed)
            asked = fake.names_of_requests
            fake.show("BRB")
            await asyncio.sleep(0.05)
            assert fake.names_of_requests == asked
            fake.obs.event("CurrentSceneCollectionChanged", {"sceneCollectionName": "new"})
            await until(lambda: program.scene == "BRB")
            assert not program.hushed
            fake.obs.event("ExitStarted")
            await until(lambda: program.hushed)

    asyncio.run(scene())


def test_studio_mode_and_outputs_are_known_at_once_and_forgotten_with_obs() -> None:
    async def scene() -> None:
        async with FakeObs() as obs:
            fake = FakeProgram(obs, "Game")
            fake.studio = fake.streaming = True
            changes = []
            program = Program(lambda name, cut: None, lambda: changes.append(None))
            task = asyncio.create_task(ObsLink(parse_address(obs.url), [program]).run())
            await until(lambda: program.connected_now)
            assert (program.studio, program.streaming, program.recording) == (True, True, False)
            assert "studio mode" in program.note
            obs.event("RecordStateChanged", {"outputActive": True})
            obs.event("StreamStateChanged", {"outputActive": False})
            await until(lambda: program.recording and not program.streaming)
            assert len(changes) == 3
            await obs.stop()
            await until(lambda: not program.connected_now)
            assert not (program.studio or program.recording) and program.note == "" and program.scene == "Game"
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
