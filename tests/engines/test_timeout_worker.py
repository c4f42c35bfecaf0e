"""A call that hangs is left to its thread, and costs its caller the limit and no more."""

import threading

import pytest

from engines.timeout_worker import TimeoutWorker, WorkerTimeout


def test_answers_and_errors_come_back() -> None:
    lane = TimeoutWorker("test")
    assert lane.call(lambda: 1 + 1, 10) == 2
    with pytest.raises(ZeroDivisionError):
        lane.call(lambda: 1 / 0, 10)

    def own() -> None:
        raise TimeoutError("the work's own")

    with pytest.raises(TimeoutError, match="the work's own"):
        lane.call(own, 10)
    assert lane.close(lambda: None, 10)


def test_what_waits_behind_a_call_that_hangs_is_taken_out() -> None:
    lane, go, done = TimeoutWorker("test"), threading.Event(), []
    begun = threading.Event()

    def hang() -> None:
        begun.set()
        assert go.wait(10)
        done.append("hung")

    with pytest.raises(WorkerTimeout, match=r"no answer within 0\.05 s"):
        lane.call(hang, 0.05)
    assert begun.wait(10) and lane.busy_s > 0
    with pytest.raises(WorkerTimeout):
        lane.call(lambda: done.append("never"), 0.01)
    later = lane.post(lambda: done.append("posted"))
    assert not lane.close(lambda: done.append("closed"), 0.01)
    go.set()
    later.result(10)
    assert lane.close(lambda: None, 10)
    assert done == ["hung", "posted", "closed"] and lane.busy_s == 0


def test_one_thread_whatever_hangs() -> None:
    before, lane, go = threading.active_count(), TimeoutWorker("test"), threading.Event()
    for _ in range(20):
        with pytest.raises(WorkerTimeout):
            lane.call(lambda: go.wait(10), 0.001)
    assert threading.active_count() == before + 1
    go.set()
    assert lane.close(lambda: None, 10)
