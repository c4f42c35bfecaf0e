"""What running several sessions' requests together saves: graph by graph, and for a whole hop."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import numpy as np

from benchmarks.harness import Row
from engines.base import Engine
from engines.batcher import MicroBatcher
from engines.bundle import Bundle
from engines.graphs import Kind
from engines.rows import cut

from .contenders import Contender
from .material import Inputs, draw_inputs, slice_rows
from .timing import Labels, OwnLabels, Times, in_turns, ratio_row

SESSIONS: Final = 8
CANDIDATES: Final = 32  # that a session scores with the matcher in each hop
WINDOW_MS: Final = 0.0  # as in the server: requests that arrive while the engine works form the next batch
LARGEST: Final = 32


def batching_rows(contender: Contender, seconds: float, sessions: int = SESSIONS, threads: int = 1) -> list[Row]:
    """``batch8_cost_ratio`` (processor time) and ``batch8_wall_ratio``: one batch of ``sessions`` by as many runs of
    one row, taken in turns. ``seconds``: of each graph. ``threads``: of the engine."""
    engine, rows = contender.ready, []
    for graph, spec in engine.bundle.manifest.graphs.items():
        if not contender.runs(graph):
            continue
        inputs = draw_inputs(spec, sessions, np.random.default_rng(1))
        singles = [slice_rows(inputs, at, at + 1) for at in range(sessions)]
        times = in_turns(
            {
                "together": partial(engine.run, graph, inputs),
                "alone": partial(run_each, engine, graph, singles),
            },
            seconds,
        )
        labels: OwnLabels = {
            "graph": graph,
            "engine": contender.name,
            "precision": contender.precision,
            "sessions": sessions,
            "threads": threads,
        }
        rows += ratio_rows(times["together"], times["alone"], f"batch{sessions}", labels)
    return rows


def ratio_rows(times: Times, reference: Times, name: str, labels: Labels) -> list[Row]:
    return [
        ratio_row(f"{name}_cost_ratio", times, reference, labels, "cpu"),
        ratio_row(f"{name}_wall_ratio", times, reference, labels, "wall"),
    ]


def hop_inputs(bundle: Bundle, sessions: int, candidates: int = CANDIDATES) -> dict[str, list[Inputs]]:
    """For each graph of a hop, each session's request: one row; ``candidates`` rows for a graph of pairs."""
    rng = np.random.default_rng(2)
    rows = {graph.name: candidates if graph.kind is Kind.PAIR else 1 for graph in bundle.graphs.live}
    return {
        graph: [draw_inputs(bundle.spec(graph), count, rng) for _ in range(sessions)] for graph, count in rows.items()
    }


def run_each(engine: Engine, graph: str, requests: Sequence[Inputs]) -> None:
    for inputs in requests:
        engine.run(graph, inputs)


def one_by_one(engine: Engine, requests_of: Mapping[str, Sequence[Inputs]]) -> None:
    """One session's hop after another's, each graph alone."""
    for hop in zip(*requests_of.values(), strict=True):
        for graph, inputs in zip(requests_of, hop, strict=True):
            engine.run(graph, inputs)


def by_batcher(batcher: MicroBatcher, requests_of: Mapping[str, Sequence[Inputs]]) -> None:
    """All sessions submit a graph's request, wait for the answer, and go on to the next graph."""
    for graph, requests in requests_of.items():
        for answer in [batcher.submit(graph, inputs) for inputs in requests]:
            answer.result()


def by_hand(engine: Engine, joined: Mapping[str, Inputs], largest: int) -> None:
    """Each graph once for all sessions, in slices of at most ``largest`` rows."""
    for graph, inputs in joined.items():
        for part, _ in cut(inputs, largest):
            engine.run(graph, part)


def join_requests(requests_of: Mapping[str, Sequence[Inputs]]) -> dict[str, Inputs]:
    return {
        graph: {name: np.concatenate([inputs[name] for inputs in requests]) for name in requests[0]}
        for graph, requests in requests_of.items()
    }


class SharedEngine:
    """An engine that outlives the batcher in front of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def close(self) -> None: ...


def hop_rows(
    contender: Contender,
    seconds: float,
    counts: Sequence[int] = (SESSIONS,),
    largest: int = LARGEST,
    threads: int = 1,
) -> list[Row]:
    """The whole path of a hop for ``counts`` sessions: one by one, each graph in one batch, and through the batcher.

    Rows ``hop_ms`` and ``hop_p99_ms`` (wall), ``hop_cost_ratio`` (processor time), ``hop_wall_ratio``. ``largest``:
    rows in one run. ``threads``: of the engine.
    """
    rows: list[Row] = []
    batcher = MicroBatcher(cast("Engine", SharedEngine(contender.ready)), window_ms=WINDOW_MS)
    try:
        for sessions in counts:
            requests_of = hop_inputs(contender.ready.bundle, sessions)
            together = join_requests(requests_of)
            times = in_turns(
                {
                    "alone": partial(one_by_one, contender.ready, requests_of),
                    "batched": partial(by_hand, contender.ready, together, largest),
                    "batcher": partial(by_batcher, batcher, requests_of),
                },
                seconds,
            )
            base: OwnLabels = {
                "engine": contender.name,
                "precision": contender.precision,
                "sessions": sessions,
                "threads": threads,
            }
            for how, path_times in times.items():
                labels: OwnLabels = {**base, "how": how}
                half, most = np.percentile(path_times.wall, (50, 99))
                rows += [
                    Row("hop_ms", float(half), len(path_times.wall), "ms", labels),
                    Row("hop_p99_ms", float(most), len(path_times.wall), "ms", labels),
                ]
                if how != "alone":
                    rows += ratio_rows(path_times, times["alone"], "hop", labels)
    finally:
        batcher.close()
    return rows
