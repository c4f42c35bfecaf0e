"""Answers of a `Runtime` to questions, each timed by a stopwatch."""

import asyncio
from concurrent.futures import Executor

from stream.core.events import Answer, Question

from .runtime import Runtime
from .stopwatch import Stopwatch, stage_of


def answer(runtime: Runtime, question: Question, stopwatch: Stopwatch) -> Answer:
    """``runtime.answer``, timed. Blocks."""
    begun = stopwatch.start()
    result = runtime.answer(question)
    stopwatch.lap(stage_of(question, runtime.model), begun)
    return result


async def answer_async(runtime: Runtime, question: Question, workers: Executor, stopwatch: Stopwatch) -> Answer:
    """The same on an event loop. A question for an engine with its own queue is submitted from here, any other runs in
    a thread of ``workers``: each thread between a question and its answer is one more wait for a core."""
    begun = stopwatch.start()
    future = runtime.submit(question)
    if future is None:
        return await asyncio.get_running_loop().run_in_executor(workers, answer, runtime, question, stopwatch)
    result = await asyncio.wrap_future(future)
    stopwatch.lap(stage_of(question, runtime.model), begun)
    return result
