"""Late messages cost closeness a step at a time, early ones bring it back, and nothing swings."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import Notice, Suggestions
from stream.core.quality_level import FULL, STEPS, QualityLevel
from stream.driver.live import LiveStats
from stream.server import hub as hub_module
from stream.server.hub import Hub, HubOptions
from stream.server.load_shedding import CALM_MOST_S, CALM_S, FORGET_S, HOLD_S, LoadShedding
from stream.sinks.base import Sinks

LIMIT_MS = 1000.0


def told(
    shedding: LoadShedding, start_s: float, seconds: float, late_ms: float | None
) -> list[tuple[float, QualityLevel]]:
    """The level at each half second."""
    times = [start_s + 0.5 * i for i in range(int(seconds / 0.5))]
    return [(now_s, shedding.judge(now_s, late_ms)) for now_s in times]


def test_a_step_at_a_time_and_each_is_given_time_to_show() -> None:
    levels = told(LoadShedding(LIMIT_MS), 0.0, 20.0, 600.0)
    assert levels[0][1] is STEPS[1]
    assert next(now_s for now_s, level in levels if level is STEPS[2]) == HOLD_S
    assert levels[-1][1] is STEPS[-1]


def test_in_between_nothing_changes() -> None:
    shedding = LoadShedding(LIMIT_MS)
    told(shedding, 0.0, 1.0, 600.0)
    assert {level for _, level in told(shedding, 1.0, 300.0, 100.0)} == {STEPS[1]}


def test_early_messages_bring_it_back_a_step_at_a_time() -> None:
    shedding = LoadShedding(LIMIT_MS)
    told(shedding, 0.0, 8.0, 600.0)
    assert shedding.level is STEPS[2]
    levels = told(shedding, 8.0, 60.0, 40.0)
    back = [next(now_s for now_s, level in levels if level is step) for step in (STEPS[1], STEPS[0])]
    assert back[0] >= 7.5 + CALM_S - 0.5 and back[1] >= back[0] + CALM_S


def test_what_relapses_waits_twice_as_long() -> None:
    """The machine can carry its sessions at the second level, never in full."""
    shedding = LoadShedding(LIMIT_MS)
    now_s, changes = 0.0, []
    before = shedding.level
    while now_s < 3600.0:
        level = shedding.judge(now_s, 700.0 if shedding.level is FULL else 50.0)
        if level is not before:
            changes.append(now_s)
            before = level
        now_s += 0.5
    attempts = [b - a for a, b in zip(changes[::2], changes[1::2], strict=False)]
    assert attempts[:4] == pytest.approx([CALM_S, 2 * CALM_S, 4 * CALM_S, 8 * CALM_S], abs=1.0)
    assert max(attempts) <= CALM_MOST_S + 1.0
    assert len(changes) < 40  # an hour of it


def test_silence_is_forgotten_and_zero_eases_nothing() -> None:
    shedding = LoadShedding(LIMIT_MS)
    told(shedding, 0.0, 8.0, 600.0)
    assert shedding.judge(8.0 + FORGET_S, 50.0) is FULL
    assert {level for _, level in told(LoadShedding(0.0), 0.0, 30.0, 1e9)} == {FULL}
    assert {level for _, level in told(LoadShedding(LIMIT_MS), 0.0, 30.0, None)} == {FULL}


@given(st.lists(st.tuples(st.floats(0, 9), st.none() | st.floats(0, 5000)), max_size=200))
def test_steps_are_neighbours_and_never_hurried(told: list[tuple[float, float | None]]) -> None:
    shedding = LoadShedding(LIMIT_MS)
    now_s, last_s, step = 0.0, -100.0, 0
    for gap_s, late_ms in told:
        now_s += gap_s
        new = STEPS.index(shedding.judge(now_s, late_ms))
        assert abs(new - step) <= 1
        if new != step:
            assert now_s - last_s >= HOLD_S
            last_s, step = now_s, new


class Follower:
    """A live half that notes its level."""

    def __init__(self, sinks: Sinks) -> None:
        self.publish = sinks.put
        self.stats = LiveStats()
        self.levels: list[QualityLevel] = []
        self.over = asyncio.Event()

    def offer(self, frame: object) -> None:
        raise AssertionError("nobody sends in these tests")

    listen = offer

    def follow(self, level: QualityLevel) -> None:
        self.levels.append(level)

    async def run(self) -> None:
        await self.over.wait()

    async def close(self) -> None:
        self.over.set()


class Nobody:
    """A publisher that sends nothing and notes its level."""

    connected, frames = True, 0

    def __init__(self) -> None:
        self.levels: list[QualityLevel] = []

    def follow(self, level: QualityLevel) -> None:
        self.levels.append(level)

    async def close(self) -> None:
        pass


def test_every_session_is_eased_and_who_comes_begins_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(hub_module.time, "monotonic", lambda: now[0])

    async def act() -> None:
        lives: list[Follower] = []
        publishers = [Nobody() for _ in range(4)]

        def start(publish: Callable[[Notice], None]) -> Follower:
            lives.append(Follower(publish))
            return lives[-1]

        hub = Hub(start, HubOptions(late_ms=LIMIT_MS))  # type: ignore[arg-type]
        for label, publisher in zip("ab", publishers, strict=False):
            hub.begin(label, label, lambda *_, who=publisher: who)
        for _ in range(6):
            now[0] += 1.0
            lives[0].publish(Suggestions(1.0, 1.0, "stay", (), 700.0))
        assert [live.levels for live in lives] == [[STEPS[1]]] * 2
        assert hub.refusal() is None  # what was late in full says nothing of the new level
        hub.begin("c", "", lambda *_: publishers[2])
        assert lives[2].levels == [STEPS[1]]
        assert [publisher.levels for publisher in publishers[:3]] == [[FULL, STEPS[1]], [FULL, STEPS[1]], [STEPS[1]]]
        hub.begin("a", "a", lambda *_: publishers[3])  # who takes a session over follows it as it is followed
        assert publishers[3].levels == [STEPS[1]]
        for _ in range(40):
            now[0] += 1.0
            lives[2].publish(Suggestions(1.0, 1.0, "stay", (), 20.0))
        assert lives[0].levels[-1] is FULL and publishers[3].levels[-1] is FULL
        await hub.close()

    asyncio.run(act())
