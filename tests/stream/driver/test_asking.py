"""Questions are handed over once, and what becomes of their answers, whatever answers them."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from stream.core.events import Beats, Infer, Question
from stream.driver.asking import Asking
from stream.driver.stopwatch import Stopwatch

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")
QUESTION = Infer(1, "mood", {"embedding": np.zeros((1, 2), np.float32)})


class Queue:
    """A runtime that joins requests (``joins``), and answers when it is told to."""

    def __init__(self, fake: Any, joins: bool = True) -> None:
        self.model = fake.model
        self.joins, self.futures = joins, list[Future[Any]]()

    def submit(self, question: Question) -> "Future[Any] | None":
        if not self.joins:
            return None
        self.futures.append(Future())
        return self.futures[-1]

    def answer(self, question: Question) -> Any:
        if isinstance(question, Beats):
            raise ValueError("no such track")
        return {"mood": NAME.get()}


@pytest.fixture
def play(fake_runtime: Callable[..., Any]) -> Callable[..., list[Any]]:
    """``play(scenario, joins)``: what was taken of the answers, each with the name that the taker sees."""

    def run(scenario: Callable[[Asking, Queue], Awaitable[None]], joins: bool = True) -> list[Any]:
        taken: list[Any] = []

        def take(question: Question, future: "Future[Any]") -> None:
            taken.append((question.id, future.exception() or future.result(), NAME.get()))

        async def main() -> None:
            queue = Queue(fake_runtime(), joins)
            with ThreadPoolExecutor(1) as pool:
                asking = Asking(queue, pool, Stopwatch(lambda *lap: taken.append(lap[0]), lambda: 0.0), take)  # type: ignore[arg-type]
                NAME.set("the asker")
                await scenario(asking, queue)

        asyncio.run(main())
        return taken

    return run


def test_an_answer_is_taken_on_the_loop_for_the_one_who_asked(play: Callable[..., list[Any]]) -> None:
    async def scenario(asking: Asking, queue: Queue) -> None:
        asking.ask(QUESTION)
        assert len(asking) == 1
        with ThreadPoolExecutor(1) as other:
            other.submit(queue.futures[0].set_result, {"mood": 1}).result()
        assert len(asking) == 1  # until the loop comes to it
        await asking.wait(5)
        assert not len(asking)

    assert play(scenario) == ["mood", (1, {"mood": 1}, "the asker")]


def test_an_answer_that_is_there_at_once_waits_for_its_turn(play: Callable[..., list[Any]]) -> None:
    async def scenario(asking: Asking, queue: Queue) -> None:
        done: Future[Any] = Future()
        done.set_result({"mood": 2})
        queue.submit = lambda question: done  # type: ignore[method-assign]
        asking.ask(QUESTION)
        assert len(asking) == 1
        await asking.wait(5)

    assert play(scenario)[1:] == [(1, {"mood": 2}, "the asker")]


def test_what_no_engine_joins_runs_in_a_thread(play: Callable[..., list[Any]]) -> None:
    async def scenario(asking: Asking, queue: Queue) -> None:
        asking.ask(QUESTION)
        await asking.wait(5)
        asking.ask(Beats(2, "t"))
        await asking.wait(5)

    lap, first, (number, error, name) = play(scenario, joins=False)
    assert (lap, first) == ("mood", (1, {"mood": "nobody"}, "the asker"))  # a bare pool has no context of its own
    assert (number, str(error), name) == (2, "no such track", "the asker")


def test_what_cannot_be_handed_over_is_an_answer_too(play: Callable[..., list[Any]]) -> None:
    async def scenario(asking: Asking, queue: Queue) -> None:
        def refuse(question: Question) -> None:
            raise RuntimeError("closed")

        queue.submit = refuse  # type: ignore[method-assign]
        asking.ask(QUESTION)
        await asking.wait(5)

    [(number, error, _)] = play(scenario)
    assert number == 1 and str(error) == "closed"


def test_after_the_end_nothing_is_taken(play: Callable[..., list[Any]]) -> None:
    """Neither what comes late, nor what was cancelled; and a loop that is gone is left alone."""
    kept: list[Queue] = []

    async def scenario(asking: Asking, queue: Queue) -> None:
        kept.append(queue)
        for _ in range(3):
            asking.ask(QUESTION)
        queue.futures[0].set_running_or_notify_cancel()
        queue.futures[1].set_result({})
        asking.cancel()
        assert not len(asking) and queue.futures[2].cancelled()
        await asking.wait(5)  # at once
        await asyncio.sleep(0)

    assert play(scenario) == []
    kept[0].futures[0].set_result({})


def test_a_wait_ends(play: Callable[..., list[Any]]) -> None:
    async def scenario(asking: Asking, queue: Queue) -> None:
        asking.ask(QUESTION)
        await asking.wait(0.01)
        assert len(asking) == 1
        asking.cancel()

    assert play(scenario) == []
