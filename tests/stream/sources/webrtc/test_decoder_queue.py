"""Decoders that share threads: order, fairness, their end, and that nobody waits for another."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stream.sources.webrtc.decoder_queue import DecoderQueue, decoder_threads

PATIENCE_S = 10.0


@pytest.fixture
def one_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def served(turns: DecoderQueue, take: Any) -> threading.Thread:
    thread = threading.Thread(target=turns.serve, args=(take,), daemon=True)
    thread.start()
    return thread


def ended(turns: DecoderQueue, thread: threading.Thread) -> None:
    turns.put(None)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def wait_until(true: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true() and time.monotonic() < until:
        time.sleep(0.002)
    assert true()


def test_all_that_is_put_is_taken_in_order_what_came_before_too(one_thread: ThreadPoolExecutor) -> None:
    turns, taken = DecoderQueue(one_thread), list[tuple[int, str]]()
    for number in range(50):
        turns.put((number, "before"))
    assert turns.qsize() == 50
    thread = served(turns, lambda *task: taken.append(task))
    for number in range(50):
        turns.put((number, "after"))
    wait_until(lambda: len(taken) == 100)
    assert taken == [(number, when) for when in ("before", "after") for number in range(50)] and turns.qsize() == 0
    ended(turns, thread)


def test_each_has_a_turn_after_the_others(one_thread: ThreadPoolExecutor) -> None:
    taken: list[str] = []
    gate = threading.Event()
    one_thread.submit(gate.wait, PATIENCE_S)  # until all have put theirs
    several = {name: DecoderQueue(one_thread) for name in "abc"}
    threads = [served(turns, lambda name: taken.append(name)) for turns in several.values()]
    for name, turns in several.items():
        for _ in range(4):
            turns.put((name,))
    wait_until(lambda: all(turns._take is not None for turns in several.values()))
    gate.set()
    wait_until(lambda: len(taken) == 12)
    assert all(set(taken[at : at + 3]) == set("abc") for at in range(0, 12, 3))
    for turns, thread in zip(several.values(), threads, strict=True):
        ended(turns, thread)


def test_what_is_passed_over_costs_no_turn(one_thread: ThreadPoolExecutor) -> None:
    taken: list[tuple[str, int]] = []

    def take(name: str, number: int) -> bool:
        taken.append((name, number))
        return name == "a" and number < 3

    gate = threading.Event()
    one_thread.submit(gate.wait, PATIENCE_S)
    several = {name: DecoderQueue(one_thread) for name in "ab"}
    threads = [served(turns, take) for turns in several.values()]
    for name, turns in several.items():
        for number in range(5):
            turns.put((name, number))
    wait_until(lambda: all(turns._take is not None for turns in several.values()))
    gate.set()
    wait_until(lambda: len(taken) == 10)
    assert [number for name, number in taken if name == "a"] == list(range(5))
    assert taken.index(("b", 0)) in (0, 4), "before its first turn or behind it, which took four"
    for turns, thread in zip(several.values(), threads, strict=True):
        ended(turns, thread)


def test_one_is_never_taken_twice_at_once() -> None:
    inside, most, total = [0], [0], [0]

    def take(_: int) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.0005)
        inside[0] -= 1
        total[0] += 1

    with ThreadPoolExecutor(4) as threads:
        turns = DecoderQueue(threads)
        thread = served(turns, take)
        for number in range(200):
            turns.put((number,))
            if number % 20 == 0:
                time.sleep(0.003)  # it runs dry in between
        wait_until(lambda: total[0] == 200)
        ended(turns, thread)
    assert most[0] == 1


def test_the_end_does_not_wait_for_what_is_under_way_or_waits(one_thread: ThreadPoolExecutor) -> None:
    turns, begun, gate, taken = DecoderQueue(one_thread), threading.Event(), threading.Event(), list[int]()

    def take(number: int) -> None:
        begun.set()
        gate.wait(PATIENCE_S)
        taken.append(number)

    thread = served(turns, take)
    for number in range(5):
        turns.put((number,))
    assert begun.wait(PATIENCE_S)
    ended(turns, thread)
    assert not taken and turns.qsize() == 0
    turns.put((9,))  # too late
    gate.set()
    wait_until(lambda: taken == [0])
    assert turns.qsize() == 0


def test_a_failure_ends_one_and_is_told_there(one_thread: ThreadPoolExecutor) -> None:
    def take(number: int) -> None:
        if number == 1:
            raise ZeroDivisionError("on purpose")

    bad, good, taken = DecoderQueue(one_thread), DecoderQueue(one_thread), list[int]()
    thread = served(good, taken.append)
    for number in range(3):
        bad.put((number,))
        good.put((number,))
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        bad.serve(take)
    good.put((3,))
    wait_until(lambda: taken == [0, 1, 2, 3])
    ended(good, thread)


def test_threads_that_are_shut_down_take_nothing() -> None:
    threads = ThreadPoolExecutor(1)
    turns, taken = DecoderQueue(threads), list[int]()
    thread = served(turns, taken.append)
    turns.put((1,))
    wait_until(lambda: taken == [1])
    threads.shutdown()
    turns.put((2,))
    ended(turns, thread)
    assert taken == [1]


def test_where_no_thread_can_be_started_one_turn_waits_and_no_second(caplog: pytest.LogCaptureFixture) -> None:
    class Full(ThreadPoolExecutor):
        """What the standard library's does then: the work is kept, and the caller is told."""

        def __init__(self) -> None:
            super().__init__(1)
            self.kept: list[Any] = []

        def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Any:
            self.kept.append(work)
            raise RuntimeError("can't start new thread")

    threads, taken = Full(), list[int]()
    turns = DecoderQueue(threads)
    thread = served(turns, taken.append)
    for number in range(3):
        turns.put((number,))
    wait_until(lambda: threads.kept)
    assert len(threads.kept) == 1 and "can't start new thread" in caplog.text
    threads.kept[0]()  # a thread came free
    assert taken == [0] and len(threads.kept) == 2
    ended(turns, thread)


def test_there_are_as_many_as_cores() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with decoder_threads() as threads:
        assert threads._max_workers == cores
