"""What else does parts of the same work, timed in the same run: torch, raw FAISS, decoding alone.

Each takes turns with our own way and is compared by processor time. A peer that cannot run here has a row ``available``
of 0 with the reason, and the extra that brings what is missing. Peers that need a server (aiortc that only decodes,
fastrtc) are in ``segue bench capacity``, librosa in ``segue bench index``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from catalog.catalog import Catalog
from catalog.stats import stats
from engines.base import Engine
from engines.errors import EngineError
from stream.core.session import SessionOptions
from stream.driver.runtime import Runtime
from stream.sinks.base import FunctionSink
from stream.sources.pull.pull import Pull
from stream.watch import watch_fast

from .engines.timing import OwnLabels, Times, in_turns, ratio_row
from .errors import BenchError
from .harness import Row
from .rolling import rolling_rows

CANDIDATES: Final = 32  # that a hop searches for and re-ranks
TURNS: Final = 3  # of whole passes of a file
LONGEST_S: Final = 20.0  # no further pass after so long
EXTRAS: Final = {"torch": "train", "faiss": "cpu"}  # that bring a peer's module
WORDS: Final = {
    "afresh": "the whole window embedded afresh each second",
    "torch": "the same graphs in torch",
    "faiss": "FAISS alone",
    "decode": "a file that is decoded and dropped",
}

Say = Callable[[str], None]


def peer_rows(
    source: str, runtime: Runtime, catalog: Catalog, seconds: float, names: Sequence[str], say: Say
) -> list[Row]:
    """The rows of the peers ``names``, of ``PEERS``; ``seconds``: of each that is repeated."""
    rows: list[Row] = []
    for name in names:
        say(f"now in turns with {name}: {WORDS[name]}")
        try:
            rows += PEERS[name](source, runtime, catalog, seconds)
        except (ImportError, BenchError) as error:
            reason = str(error)
            if isinstance(error, ImportError) and name in EXTRAS:
                reason = f'{name} is not installed; pip install ".[{EXTRAS[name]}]" brings it'
            say(f"{name}: {reason}")
            rows.append(Row("available", 0.0, 1, "", {"peer": name, "reason": reason}))
    return rows


def afresh(source: str, runtime: Runtime, catalog: Catalog, seconds: float) -> list[Row]:
    return rolling_rows(source, runtime.engine)


def torch_eager(source: str, runtime: Runtime, catalog: Catalog, seconds: float) -> list[Row]:
    """One hop's graphs, one after another, exported and in eager torch: there with fresh weights of the default recipe,
    which take the same time. Raises ``BenchError`` for a bundle of another recipe."""
    from .engines.batching import hop_inputs
    from .engines.material import untrained_run
    from .engines.torch_engine import TorchEngine

    bundle = runtime.engine.bundle
    requests = {graph: inputs for graph, (inputs,) in hop_inputs(bundle, 1, CANDIDATES).items()}
    try:
        eager = TorchEngine(bundle, untrained_run(bundle.path).graphs())
        hop(eager, requests)
    except EngineError as error:
        raise BenchError(f"bundle {bundle.path} is not of the default recipe: {error}") from error
    try:
        ways = {"exported": partial(hop, runtime.engine, requests), "torch-eager": partial(hop, eager, requests)}
        return side_by_side(in_turns(ways, seconds), "exported", "one hop's graphs")
    finally:
        eager.close()


def hop(engine: Engine, requests: Mapping[str, Any]) -> None:
    for graph, inputs in requests.items():
        engine.run(graph, inputs)


def raw_faiss(source: str, runtime: Runtime, catalog: Catalog, seconds: float) -> list[Row]:
    """A search of the catalogue (filters, starts, clips of the candidates), and FAISS on as many drawn vectors."""
    import faiss

    rng = np.random.default_rng(0)
    width = catalog.layout.embedding_dim
    segments = stats(catalog.folder).segments
    vectors, query = drawn(rng, max(segments, 1), width), drawn(rng, 1, width)
    faiss.omp_set_num_threads(1)
    index: Any = faiss.IndexFlatIP(width)
    index.add(vectors)
    times = in_turns(
        {
            "catalogue": partial(catalog.search, query[0], CANDIDATES),
            "raw FAISS": partial(index.search, query, min(CANDIDATES, len(vectors))),
        },
        seconds,
    )
    return side_by_side(times, "catalogue", f"{CANDIDATES} nearest of {segments} segments")


def drawn(rng: np.random.Generator, rows: int, width: int) -> Any:
    vectors = rng.standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def decode_only(source: str, runtime: Runtime, catalog: Catalog, seconds: float) -> list[Row]:
    """The file as fast as it goes: every frame decoded and dropped, and the whole path to messages."""
    times = {"whole path": Times(), "decode only": Times()}
    played_s = 0.0

    def whole() -> None:
        with Pull(source) as pull:
            watch_fast(pull, runtime, SessionOptions(), FunctionSink(lambda notice: None))

    def decode() -> None:
        nonlocal played_s
        with Pull(source) as pull:
            for frame in pull.frames():
                played_s = max(played_s, frame.time or 0.0)

    ways = {"whole path": whole, "decode only": decode}
    begun_s = time.perf_counter()
    for turn in range(TURNS):
        if turn and time.perf_counter() - begun_s > LONGEST_S:
            break
        for name in ways if turn % 2 else reversed(ways):
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            ways[name]()
            times[name].cpu.append(1e3 * (time.process_time() - cpu_s))
            times[name].wall.append(1e3 * (time.perf_counter() - wall_s))
    if played_s <= 0:
        raise BenchError(f"{source}: is a single picture, so there is no second of it to cost anything; take a video")
    rows = [
        Row("cost_cpu_s", float(np.median(samples.cpu)) / 1e3 / played_s, len(samples.cpu), "s/s", {"way": name})
        for name, samples in times.items()
    ]
    labels: OwnLabels = {"of": "a second of the file", "way": "decode only"}
    return [*rows, ratio_row("ratio", times["whole path"], times["decode only"], labels, unit="times")]


def side_by_side(times: Mapping[str, Times], ours: str, of: str) -> list[Row]:
    """``cpu_p50_ms`` of both, and how many times ours the other's is."""
    rows = []
    for way, samples in times.items():
        labels: OwnLabels = {"of": of, "way": way}
        rows.append(Row("cpu_p50_ms", float(np.median(samples.cpu)), len(samples.cpu), "ms", labels))
    (other,) = (way for way in times if way != ours)
    labels = {"of": of, "way": f"{other} by {ours}"}
    return [*rows, ratio_row("ratio", times[other], times[ours], labels, unit="times")]


PEERS: Final[Mapping[str, Callable[[str, Runtime, Catalog, float], list[Row]]]] = {
    "afresh": afresh,
    "torch": torch_eager,
    "faiss": raw_faiss,
    "decode": decode_only,
}
