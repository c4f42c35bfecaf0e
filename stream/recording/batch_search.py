"""A recorded question answered again, in the same way as then.

A row's result depends on the batch that it is run in: on how many rows that has and on the place among them, by some
units in the last place (a runtime picks other kernels for other shapes, and its vector loops end elsewhere). It does
not depend on what the other rows hold. A server joins the requests of several sessions. So the recorded hash is
searched for among the few ways in which its batcher can have run the request: each fixed size, each place. Rows that
all candidates share (``engines.shared_rows``) are read once where a request was run alone, which gives other last
digits than reading them for each; so both count as ways. Recordings from before that have the second alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.rows import SIZES, padded_size
from engines.shared_rows import is_shared, share
from stream.core.events import Answer, Infer, Question
from stream.driver.runtime import Runtime

from .values import answer_digest

Way = tuple[int, int]  # rows of the batch, rows before the request
ReadOnce = bool  # the rows that are shared
Arrays = Mapping[str, NDArray[Any]]


class BatchSearch:
    """Answers questions by ``runtime``, whose engine joins no requests itself. ``batched``: as a micro-batcher with
    these ``sizes`` would. ``shares``: shared rows may have been read once.

    ``give_up`` ends the search: once no way gives the recorded answer, later answers differ as well.
    State: the ways that matched last, for each graph and number of rows; they are tried first.
    """

    def __init__(self, runtime: Runtime, batched: bool, sizes: tuple[int, ...] = SIZES, shares: bool = True) -> None:
        self._runtime = runtime
        self._sizes = sizes
        self._batched, self._shares = batched, shares
        self._searching = batched
        self._last: dict[tuple[str, int], tuple[Way, ReadOnce]] = {}

    def give_up(self) -> None:
        self._searching = False

    def answer(self, question: Question, recorded: str | None) -> tuple[Answer, bool]:
        """The answer, and whether its hash is ``recorded``; without a match, the answer of the plain way."""
        if not isinstance(question, Infer) or not self._batched:
            answer = self._runtime.answer(self._as_recorded(question))
            return answer, answer_digest(answer) == recorded
        rows = len(next(iter(question.inputs.values())))
        first: Answer | None = None
        for way, once in self._ways(question, rows):
            outputs = self._run(question, rows, way, once)
            if answer_digest(outputs) == recorded:
                self._last[question.graph, rows] = way, once
                return outputs, True
            first = outputs if first is None else first
            if not self._searching:
                break
        assert first is not None
        return first, False

    def _as_recorded(self, question: Question) -> Question:
        return apart(question) if isinstance(question, Infer) and not self._shares else question

    def _ways(self, question: Infer, rows: int) -> Iterator[tuple[Way, ReadOnce]]:
        plain = plain_way(rows, self._sizes)
        once = self._shares and any(map(is_shared, question.inputs.values()))
        first = plain, once
        yield first
        last = self._last.get((question.graph, rows), first)
        if last != first:
            yield last
        yield from (found for way in ways(rows, self._sizes) if (found := (way, False)) not in (first, last))

    def _run(self, question: Infer, rows: int, way: Way, once: ReadOnce) -> dict[str, NDArray[Any]]:
        size, before = way
        inputs = {
            name: share(array[:1], size) if once and is_shared(array) else place(array, size, before)
            for name, array in (question if once else apart(question)).inputs.items()
        }
        outputs = self._runtime.engine.run(question.graph, inputs)
        return {name: array[before : before + rows].copy() for name, array in outputs.items()}


def apart(question: Infer) -> Infer:
    """A question with a copy of each row, where rows are shared."""
    return replace(question, inputs={name: np.ascontiguousarray(array) for name, array in question.inputs.items()})


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
