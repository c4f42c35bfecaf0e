"""A recorded question answered again, in the same way as then.

A row's result depends on the batch that it is run in: on how many rows that has and on the place among them, by some
units in the last place (a runtime picks other kernels for other shapes, and its vector loops end elsewhere). It does
not depend on what the other rows hold. A server joins the requests of several sessions. So the recorded hash is
searched for among the few ways in which its batcher can have run the request: each fixed size, each place.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.rows import SIZES, padded_size
from stream.core.events import Answer, Infer, Question
from stream.driver.runtime import Runtime

from .values import answer_digest

Way = tuple[int, int]  # rows of the batch, rows before the request
Arrays = Mapping[str, NDArray[Any]]


class BatchSearch:
    """Answers questions by ``runtime``, whose engine joins no requests itself. ``batched``: as a micro-batcher with
    these ``sizes`` would.

    ``give_up`` ends the search: once no way gives the recorded answer, later answers differ as well.
    State: the ways that matched last, for each graph and number of rows; they are tried first.
    """

    def __init__(self, runtime: Runtime, batched: bool, sizes: tuple[int, ...] = SIZES) -> None:
        self._runtime = runtime
        self._sizes = sizes
        self._batched = batched
        self._searching = batched
        self._last: dict[tuple[str, int], Way] = {}

    def give_up(self) -> None:
        self._searching = False

    def answer(self, question: Question, recorded: str | None) -> tuple[Answer, bool]:
        """The answer, and whether its hash is ``recorded``; without a match, the answer of the plain way."""
        if not isinstance(question, Infer) or not self._batched:
            answer = self._runtime.answer(question)
            return answer, answer_digest(answer) == recorded
        rows = len(next(iter(question.inputs.values())))
        first: Answer | None = None
        for way in self._ways(question.graph, rows):
            outputs = self._run(question, rows, way)
            if answer_digest(outputs) == recorded:
                self._last[question.graph, rows] = way
                return outputs, True
            first = outputs if first is None else first
            if not self._searching:
                break
        assert first is not None
        return first, False

    def _ways(self, graph: str, rows: int) -> Iterator[Way]:
        plain = plain_way(rows, self._sizes)
        yield plain
        last = self._last.get((graph, rows), plain)
        if last != plain:
            yield last
        yield from (way for way in ways(rows, self._sizes) if way not in (plain, last))

    def _run(self, question: Infer, rows: int, way: Way) -> dict[str, NDArray[Any]]:
        size, before = way
        inputs = {name: place(array, size, before) for name, array in question.inputs.items()}
        outputs = self._runtime.engine.run(question.graph, inputs)
        return {name: array[before : before + rows].copy() for name, array in outputs.items()}


def plain_way(rows: int, sizes: tuple[int, ...] = SIZES) -> Way:
    """How a batcher runs a single request. More rows than its largest size are left as they are."""
    return (padded_size(rows, sizes) if rows <= sizes[-1] else rows), 0


def ways(rows: int, sizes: tuple[int, ...] = SIZES) -> Iterator[Way]:
    """Every way in which a batcher can have run so many rows, the likely ones first: small batches, and in each the
    ends before the middle. At most 63 with the usual sizes."""
    for size in sizes:
        if size >= rows:
            last = size - rows
            places = sorted(range(last + 1), key=lambda before: (min(before, last - before), before))
            yield from ((size, before) for before in places)


def place(array: NDArray[Any], size: int, before: int) -> NDArray[Any]:
    """``array`` as the rows from ``before`` on of a batch of ``size``; the others repeat its ends: valid rows."""
    after = size - before - len(array)
    if not before and not after:
        return array
    return np.concatenate([np.repeat(array[:1], before, axis=0), array, np.repeat(array[-1:], after, axis=0)])
