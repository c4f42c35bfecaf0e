"""When a recording ran, from looks at how far it is: to the moment, though it changes between two looks."""

import pytest

from stream.cues import runs as module
from stream.cues.runs import Runs
from stream.cues.timecodes import Timecodes
from stream.obs.clock import OutputClock

LOOK_S = 1.0


def ran(
    *states: tuple[float, str], gone: tuple[float, float] = (0.0, 0.0), until: float = 60.0
) -> list[tuple[object, ...]]:
    """The runs of a session whose media time is OBS's time less 100 s, with a look each second. ``states``: what OBS
    says, by media time; ``gone``: when nobody hears it."""
    clock, runs, waiting = OutputClock(), Runs(), [*states]
    for tick in range(int(until / 0.1) + 1):
        s = tick * 0.1
        while waiting and waiting[0][0] <= s + 1e-6:
            at, state = waiting.pop(0)
            clock.state(state, 100 + at)
        if tick % round(LOOK_S / 0.1) == 0:
            known = not gone[0] <= s < gone[1]
            place_s, ended_s = (clock.place_s(100 + s), clock.ended_s) if known else (None, None)
            runs.look(Timecodes(record_s=place_s, record_ended_s=ended_s), s, 1000 + s)
    return [(run.take, run.pts_s, run.at_s, run.end_pts_s, run.end_at_s) for run in runs.all]


def test_begun_and_ended_between_two_looks() -> None:
    assert ran((10.4, "STARTED"), (30.7, "STOPPED")) == [(1, 10.4, 0.0, 30.7, 20.3)]
    assert ran((10.4, "STARTED")) == [(1, 10.4, 0.0, None, None)]
    assert ran() == []


def test_it_ran_before_the_session_did() -> None:
    assert ran((-50.0, "STARTED"), (3.2, "STOPPED")) == [(1, 0.0, 50.0, 3.2, 53.2)]


def test_a_pause_parts_it() -> None:
    found = ran((10.4, "STARTED"), (20.6, "PAUSED"), (35.3, "RESUMED"), (40.0, "STOPPED"))
    assert found == [(1, 10.4, 0.0, 20.6, 10.2), (1, 35.3, 10.2, 40.0, 14.9)]
    assert ran((10.4, "STARTED"), (20.6, "PAUSED"), (35.3, "STOPPED")) == [(1, 10.4, 0.0, 20.6, 10.2)]


def test_the_next_one_is_another() -> None:
    found = ran((10.4, "STARTED"), (20.2, "STOPPED"), (20.5, "STARTED"), (30.0, "STOPPED"), (40.0, "STARTED"))
    assert found == [(1, 10.4, 0.0, 20.2, 9.8), (2, 20.5, 0.0, 30.0, 9.5), (3, 40.0, 0.0, None, None)]


def test_looks_that_are_close_together_see_a_pause_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LOOK_S", 0.1)
    found = ran((10.4, "STARTED"), (20.6, "PAUSED"), (35.3, "RESUMED"), (40.0, "STOPPED"))
    assert found == [(1, 10.4, 0.0, 20.6, 10.2), (1, 35.3, 10.2, 40.0, 14.9)]


def test_obs_that_is_gone_and_comes_back() -> None:
    assert ran((10.4, "STARTED"), gone=(20.0, 30.0)) == [(1, 10.4, 0.0, None, None)]
    assert ran((10.4, "STARTED"), gone=(20.0, 90.0)) == [(1, 10.4, 0.0, 19.0, 8.6)]
    found = ran((10.4, "STARTED"), (22.0, "STOPPED"), (28.0, "STARTED"), gone=(20.0, 30.0))
    assert found == [(1, 10.4, 0.0, 19.0, 8.6), (2, 28.0, 0.0, None, None)]
    paused = ran((10.4, "STARTED"), (15.2, "PAUSED"), (45.0, "RESUMED"), gone=(20.0, 30.0))
    assert paused == [(1, 10.4, 0.0, 15.2, 4.8), (1, 45.0, 4.8, None, None)]


def test_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS", 2)
    states = [(10.0 * n + part, state) for n in range(1, 5) for part, state in ((0.0, "STARTED"), (5.0, "STOPPED"))]
    assert [run[1:] for run in ran(*states)] == [(10.0, 0.0, 15.0, 5.0), (20.0, 0.0, 25.0, 5.0)]
