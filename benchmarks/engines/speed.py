"""Each graph, engine, precision and batch: how long a run takes, and how that compares with the reference."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Row
from engines.errors import EngineError

from .contenders import FLOAT32, REFERENCE, Contender
from .material import draw_inputs
from .timing import OwnLabels, Times, in_turns, median_row, ratio_of, rows_of

Cell = tuple[int, int]  # contender, batch
Run = Callable[[], Any]


def speed_rows(
    field: Sequence[Contender], twin: Contender | None, batches: Sequence[int], seconds: float, trained: bool
) -> Iterator[tuple[str, list[Row]]]:
    """Rows of one graph after another. ``seconds``: of each graph.

    ``twin``: the reference on the weights of the engines that run torch, where those are others than the bundle's;
    ``ratio`` is against the reference of the same weights and batch, by processor time on the CPU (``wall_ratio`` is
    given beside it) and by the wall where a GPU does the work.
    """
    reference = next((one for one in field if (one.name, one.precision) == (REFERENCE, FLOAT32)), None)
    ready = [one for one in field if one.engine is not None]
    everyone = ready if twin is None else [*ready, twin]
    if reference is None or reference.engine is None:
        return
    for graph, spec in reference.engine.bundle.manifest.graphs.items():
        inputs = {batch: draw_inputs(spec, batch, np.random.default_rng(batch)) for batch in batches}
        tried: dict[Cell, Run] = {
            (at, batch): partial(one.ready.run, graph, inputs[batch])
            for at, one in enumerate(everyone)
            for batch in batches
            if one.runs(graph)
        }
        cells, broken = usable(tried)
        times = in_turns(cells, seconds)
        rows: list[Row] = []
        for at, one in enumerate(everyone):
            against = twin if twin is not None and one.torch else reference
            for batch in batches:
                labels: OwnLabels = {"graph": graph, "engine": one.name, "precision": one.precision, "batch": batch}
                labels |= {"weights": "untrained"} if (one.torch or one is twin) and not trained else {}
                if (at, batch) in broken:
                    rows.append(Row("failed", 1.0, 1, "", {**labels, "reason": broken[at, batch]}))
                elif (at, batch) in times:
                    rows += cell_rows(times[at, batch], times.get((everyone.index(against), batch)), one, labels)
        yield graph, rows


def cell_rows(times: Times, reference: Times | None, one: Contender, labels: OwnLabels) -> list[Row]:
    """With ``page_faults``, the median of a run: where the system gives and takes memory, it is that which is timed."""
    rows = [*rows_of(times, labels), median_row("page_faults", times.faults, labels, "")]
    if reference is not None:
        count = len(times.wall)
        rows.append(Row("ratio", ratio_of(times, reference, "wall" if one.gpu else "cpu"), count, "", labels))
        if not one.gpu:
            rows.append(Row("wall_ratio", ratio_of(times, reference, "wall"), count, "", labels))
    return rows


def usable(cells: dict[Cell, Run]) -> tuple[dict[Cell, Run], dict[Cell, str]]:
    """The cells that run, and why the others do not: one engine's failure must not end the measurement."""
    good, bad = {}, {}
    for key, cell in cells.items():
        try:
            cell()
            good[key] = cell
        except EngineError as error:
            bad[key] = str(error).splitlines()[0]
    return good, bad
