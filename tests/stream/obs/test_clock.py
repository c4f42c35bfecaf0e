"""How far OBS's outputs are: by the arrival of events, pauses left out; by asking where the beginning was not seen."""

import asyncio
from typing import Any

import pytest
from fake_obs import FakeObs, RefusedError

from stream.cues.timecodes import Timecodes
from stream.obs.address import parse_address
from stream.obs.clock import ObsClock, OutputClock
from stream.obs.link import ObsLink


def played(*steps: tuple[str, float]) -> OutputClock:
    clock = OutputClock()
    for state, at_s in steps:
        clock.state(state, at_s)
    return clock


def test_time_runs_from_started_and_stands_while_paused() -> None:
    assert OutputClock().place_s(10.0) is None
    assert played(("STARTING", 99.0)).place_s(100.0) is None
    clock = played(("STARTING", 99.0), ("STARTED", 100.0))
    assert clock.place_s(107.5) == 7.5
    clock.state("PAUSED", 110.0)
    clock.state("PAUSED", 111.0)  # told twice
    assert clock.place_s(112.0) == 10.0
    clock.state("RESUMED", 113.0)
    clock.state("RESUMED", 114.0)
    assert clock.place_s(115.0) == 12.0
    clock.state("STOPPING", 116.0)
    assert clock.place_s(116.5) == 13.5
    clock.state("STOPPED", 117.0)
    assert clock.place_s(118.0) is None and clock.ended_s == 14.0


def test_a_pause_without_a_beginning_is_none() -> None:
    assert played(("PAUSED", 1.0), ("RESUMED", 2.0)).place_s(3.0) is None


@pytest.mark.parametrize(
    ("duration_s", "place_s"),
    [(49.4, 50.0), (52.9, 50.0), (46.9, 46.9), (3.0, 3.0)],  # the same output, seen from its beginning; another one
)
def test_what_was_seen_is_kept_where_obs_agrees(duration_s: float, place_s: float) -> None:
    clock = played(("STARTED", 100.0))
    clock.status(active=True, paused=False, duration_s=duration_s, now_s=150.0)
    assert clock.place_s(150.0) == pytest.approx(place_s)
    assert clock.place_s(151.0) == pytest.approx(place_s + 1.0)


def test_a_pause_or_an_end_that_was_not_seen_is_learnt_by_asking() -> None:
    clock = played(("STARTED", 100.0))
    clock.status(active=True, paused=True, duration_s=40.0, now_s=150.0)
    assert clock.place_s(160.0) == 40.0
    clock.state("RESUMED", 170.0)
    assert clock.place_s(171.0) == 41.0
    clock.status(active=False, paused=False, duration_s=0.0, now_s=180.0)
    assert clock.place_s(181.0) is None


def test_it_hears_obs_and_knows_nothing_while_obs_is_gone() -> None:
    def refuse(data: Any) -> None:
        raise RefusedError(204)

    async def until(true: Any) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def scene() -> None:
        now = [1000.0]
        async with FakeObs() as obs:
            obs.handlers |= {
                "GetStreamStatus": lambda data: {"outputActive": True, "outputDuration": 90_000},
                "GetRecordStatus": refuse,
            }
            clock = ObsClock(lambda: now[0])
            task = asyncio.create_task(ObsLink(parse_address(obs.url), [clock]).run())
            assert clock.timecodes() == Timecodes()
            await until(lambda: clock.timecodes().stream_s == 90.0)
            obs.event("RecordStateChanged", {"outputActive": True, "outputState": "OBS_WEBSOCKET_OUTPUT_STARTED"})
            await until(lambda: clock.timecodes().record_s == 0.0)
            now[0] += 5.0
            assert clock.timecodes() == Timecodes(95.0, 5.0)
            await obs.stop()
            await until(lambda: clock.timecodes() == Timecodes())
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
