"""Each graph, engine, precision and batch: how long a run takes, and how that compares with the reference."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Row
from engines.errors import EngineError

from .contenders import FLOAT32, REFERENCE, Contender
from .material import draw_inputs
from .timing import OwnLabels, Times, in_turns, median_row, ratio_row, rows_of

Cell = tuple[int, int]  # contender, batch
Run = Callable[[], Any]


def speed_rows(
    field: Sequence[Contender], twin: Contender | None, batches: Sequence[int], seconds: float, trained: bool
) -> Iterator[tuple[str, list[Row]]]:
    """Rows of one graph after another. ``seconds``: of each graph.

    ``twin``: the reference on the weights of the engines that run torch, if those differ from the bundle's;
    ``ratio`` is against the reference of the same weights and batch, by processor time on the CPU (beside it
    ``wall_ratio``) and by the wall where a GPU does the work.
    """
    reference = next(
        (contender for contender in field if (contender.name, contender.precision) == (REFERENCE, FLOAT32)), None
    )
    ready = [contender for contender in field if contender.engine is not None]
    everyone = ready if twin is None else [*ready, twin]
    if reference is None or reference.engine is None:
        return
    for graph, spec in reference.engine.bundle.manifest.graphs.items():
        inputs = {batch: draw_inputs(spec, batch, np.random.default_rng(batch)) for batch in batches}
        runs: dict[Cell, Run] = {
            (at, batch): partial(contender.ready.run, graph, inputs[batch])
            for at, contender in enumerate(everyone)
            for batch in batches
            if contender.runs(graph)
        }
        cells, broken = usable(runs)
        times = in_turns(cells, seconds)
        rows: list[Row] = []
        for at, contender in enumerate(everyone):
            against = twin if twin is not None and contender.torch else reference
            for batch in batches:
                labels: OwnLabels = {
                    "graph": graph,
                    "engine": contender.name,
                    "precision": contender.precision,
                    "batch": batch,
                }
                labels |= {"weights": "untrained"} if (contender.torch or contender is twin) and not trained else {}
                if (at, batch) in broken:
                    rows.append(Row("failed", 1.0, 1, "", {**labels, "reason": broken[at, batch]}))
                elif (at, batch) in times:
                    rows += cell_rows(times[at, batch], times.get((everyone.index(against), batch)), contender, labels)
        yield graph, rows


def cell_rows(times: Times, reference: Times | None, contender: Contender, labels: OwnLabels) -> list[Row]:
    """With ``page_faults``, the median of a run: many of them mean that the times measure the system's memory."""
    rows = [*rows_of(times, labels), median_row("page_faults", times.faults, labels, "")]
    if reference is not None:
        rows.append(ratio_row("ratio", times, reference, labels, "wall" if contender.gpu else "cpu"))
        if not contender.gpu:
            rows.append(ratio_row("wall_ratio", times, reference, labels, "wall"))
    return rows


def usable(cells: dict[Cell, Run]) -> tuple[dict[Cell, Run], dict[Cell, str]]:
    """The cells that run, and the reasons of those that fail: one engine's failure must not end the measurement."""
    working, reasons = {}, {}
    for key, cell in cells.items():
        try:
            cell()
            working[key] = cell
        except EngineError as error:
            reasons[key] = str(error).splitlines()[0]
    return working, reasons
