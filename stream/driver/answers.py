"""Questions answered by a `Runtime`, each with its time told to the stopwatch."""

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


async def answered(runtime: Runtime, question: Question, workers: Executor, stopwatch: Stopwatch) -> Answer:
    """The same on an event loop. An engine with a queue of its own is asked from here, anything else in a thread of
    ``workers``: each thread between a question and its answer is one more wait for a core."""
    begun = stopwatch.start()
    waiting = runtime.submit(question)
    if waiting is None:
        return await asyncio.get_running_loop().run_in_executor(workers, answer, runtime, question, stopwatch)
    result = await asyncio.wrap_future(waiting)
    stopwatch.lap(stage_of(question, runtime.model), begun)
    return result
