"""Answers of a `Runtime` to questions, each timed by a stopwatch."""

from stream.core.events import Answer, Question

from .runtime import Runtime
from .stopwatch import Stopwatch, stage_of


def answer(runtime: Runtime, question: Question, stopwatch: Stopwatch) -> Answer:
    """``runtime.answer``, timed. Blocks."""
    begun = stopwatch.start()
    result = runtime.answer(question)
    stopwatch.lap(stage_of(question, runtime.model), begun)
    return result
