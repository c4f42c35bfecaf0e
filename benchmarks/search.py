"""``segue bench search``: the nearest of a thousand to a million segments, by every method that this machine has.

Vectors of unit norm are drawn in clusters, like the segments of tracks. One query at a time, as from a session, and
``--together`` of them in one call, as from many sessions; one thread on the CPU. ``recall``: the share of the hundred
nearest rows, by float64, that a search returns. ``--vectors`` measures the catalogue's compact index instead, see
``search_compact.py``.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from .engines.timing import in_turns, keep_memory, on_one_core, ratio_row, rows_of
from .errors import BenchError
from .harness import Report, Row
from .report.counts import enough
from .report.interval import interval, mean
from .report.progress import counted
from .report.run import publish, run_of

EXACT: Final = "faiss-cpu-flat"  # what the others are compared with
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES: Final = (1_000, 10_000, 100_000)
ROWS: Final = 100  # nearest rows to return
LEAST_COMPACT: Final = 20_000
TRACK: Final = 40  # segments of a track
SPREAD: Final = 0.5  # of the segments of a track around its middle, by norm
QUERIES: Final = 16  # for recall
ON_GPU: Final = ("torch-cuda", "faiss-gpu-flat")
Floats = NDArray[np.float32]
Search = Callable[[Floats, int], NDArray[np.int64]]


@dataclass(frozen=True)
class Way:
    """``open`` loads vectors (rows, E) for a search; ``reason``: why it cannot run here."""

    name: str
    open: Callable[[Floats], Search]
    reason: str = ""


def add_search(kinds: Any) -> None:
    """Add ``search`` to the parser of ``segue bench``."""
    parser = kinds.add_parser("search", help="nearest segments among many: CPU, torch, GPU")
    parser.add_argument("--dim", type=int, default=128, help="numbers in a vector (default 128, as the shipped bundle)")
    parser.add_argument("--together", type=int, default=8, metavar="N", help="queries in one call (default 8)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each size (default 5)")
    parser.add_argument("--quick", action="store_true", help="up to 100 000 vectors, below 45 s")
    parser.add_argument(
        "--vectors",
        type=int,
        metavar="N",
        help="instead: the compact index of a catalogue of N segments (20000 or more)",
    )
    parser.add_argument(
        "--catalogue", action="store_true", help="with --vectors: with the five numbers that a catalogue's index adds"
    )
    parser.add_argument("--index", metavar="ADDRESS", help="a server's, which is compared with the exact index alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def search(options: argparse.Namespace) -> int:
    from .harness import print_rows
    from .search_servers import search_server

    if not 1 <= options.dim <= 4096 or not 1 <= options.together <= 1024:
        raise BenchError("--dim must be from 1 to 4096, --together from 1 to 1024")
    if options.index is not None:
        return search_server(options)
    if options.vectors is not None:
        return compact(options)
    sizes, seconds = (QUICK_SIZES, 1.0) if options.quick else (SIZES, options.seconds)
    run = run_of(options)
    with on_one_core() as core:
        rows = enough(run.keep(measure(sizes, options.dim, options.together, seconds, run.say)))
    shown = [
        row for row in rows if row.metric in ("p50_ms", "cpu_p50_ms", "ratio", "recall") and "reason" not in row.labels
    ]
    print_rows(shown, Console(), f"{ROWS} nearest of N vectors of {options.dim}")
    for row in rows:
        if row.metric == "available" and not row.value:
            run.say(f"{row.labels['way']}: {row.labels['reason']}")
    pinned = "none" if core is None else core
    return publish(options, Report("search", rows, {"dim": options.dim, "rows": ROWS, "pinned to core": pinned}))


def compact(options: argparse.Namespace) -> int:
    from threadpoolctl import threadpool_limits

    from .harness import print_rows
    from .search_compact import measure_compact

    if options.vectors < LEAST_COMPACT:
        raise BenchError(f"--vectors must be at least {LEAST_COMPACT}: fewer are compared exactly")
    run = run_of(options)
    keep_memory()
    with on_one_core() as core, threadpool_limits(1):  # threads of BLAS spin for 10 ms after the exact index's products
        rows = enough(run.keep(measure_compact(options.vectors, options.dim, options.catalogue, run.say)))
    print_rows(rows, Console(), f"The compact index, {options.vectors} segments")
    pinned = "none" if core is None else core
    return publish(options, Report("search", rows, {"dim": options.dim, "pinned to core": pinned}))


def measure(
    sizes: tuple[int, ...], dim: int, together: int, seconds: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """Rows of every way at every size, in turns; ``ratio`` is against the CPU's flat index for as many queries, by
    processor time, and by the wall where a GPU does the work."""
    methods = ways()
    for way in methods:
        yield Row("available", float(not way.reason), 1, "", {"way": way.name, "reason": way.reason})
    for size in counted(sizes, say, lambda size: seconds + size / 20_000):
        say(f"{size} vectors")
        rng = np.random.default_rng(size)
        vectors = clustered(rng, size, dim)
        queries = near(rng, vectors, max(together, QUERIES))
        truth = exact(vectors, queries[:QUERIES])
        searches = {way.name: way.open(vectors) for way in methods if not way.reason}
        cells = {
            (name, count): partial(run, queries[:count], ROWS)
            for name, run in searches.items()
            for count in (1, together)
        }
        times = in_turns(cells, seconds)
        for (name, count), samples in times.items():
            labels: dict[str, str | int | float] = {"vectors": size, "way": name, "queries": count}
            yield from rows_of(samples, labels)
            clock = "wall" if name in ON_GPU else "cpu"
            yield ratio_row("ratio", samples, times[EXACT, count], labels, clock)
        for name, run in searches.items():
            shares = recalls(run(queries[:QUERIES], ROWS), truth)
            own: dict[str, str | int | float] = {"vectors": size, "way": name}
            yield Row("recall", float(np.mean(shares)), QUERIES, "", own, interval(shares, mean, drift=0.0))


def clustered(rng: np.random.Generator, rows: int, dim: int) -> Floats:
    """(rows, dim) float32 of unit norm, ``TRACK`` in a row around one middle."""
    middles = rng.standard_normal((rows // TRACK + 1, dim), np.float32)
    vectors = np.repeat(middles, TRACK, axis=0)[:rows]
    vectors += SPREAD * rng.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def near(rng: np.random.Generator, vectors: Floats, count: int) -> Floats:
    """(count, dim) of unit norm, each as far from some vector as segments of one track are from each other."""
    picked = vectors[rng.integers(0, len(vectors), count)]
    queries = picked + SPREAD * rng.standard_normal(picked.shape, np.float32) / np.sqrt(picked.shape[1])
    unit: Floats = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    return unit


def exact(vectors: Floats, queries: Floats, block: int = 100_000) -> NDArray[np.int64]:
    """(queries, ROWS) the nearest rows by float64, block by block."""
    scores = np.concatenate(
        [
            vectors[at : at + block].astype(np.float64) @ queries.T.astype(np.float64)
            for at in range(0, len(vectors), block)
        ]
    ).T
    return np.argpartition(-scores, min(ROWS, len(vectors)) - 1, axis=1)[:, :ROWS]


def recall(rows: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    return float(np.mean(recalls(rows, truth)))


def recalls(rows: NDArray[np.int64], truth: NDArray[np.int64]) -> list[float]:
    """Of each query: the share of its nearest rows that were found."""
    return [
        len(set(result.tolist()) & set(nearest.tolist())) / len(nearest)
        for result, nearest in zip(rows, truth, strict=True)
    ]


def ways() -> list[Way]:
    """The catalogue's own index first, then the methods to compare it with."""
    from catalog.index import gpu

    try:
        import torch

        no_torch = ""
        no_cuda = "" if torch.cuda.is_available() else f"torch {torch.__version__} finds no GPU"
    except ImportError:
        no_torch = no_cuda = 'torch is not installed; pip install ".[train]"'
    return [
        Way(EXACT, faiss_flat),
        Way("torch-cpu", lambda vectors: torch_topk(vectors, "cpu"), no_torch),
        Way("torch-cuda", lambda vectors: torch_topk(vectors, "cuda"), no_cuda),
        Way("faiss-gpu-flat", faiss_gpu, gpu.probe() or ""),
    ]


def faiss_flat(vectors: Floats) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index: Any = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)

    def run(queries: Floats, rows: int) -> NDArray[np.int64]:
        nearest: NDArray[np.int64] = index.search(queries, rows)[1]
        return nearest

    return run


def faiss_gpu(vectors: Floats) -> Search:
    """The catalogue's searcher with its worker; it takes one query at a time, as from sessions."""
    from catalog.index.gpu import GpuSearcher

    searcher = GpuSearcher(vectors)

    def run(queries: Floats, rows: int) -> NDArray[np.int64]:
        results = [searcher.propose(query, rows) for query in queries]
        if any(result is None for result in results):
            raise BenchError(f"the GPU gave up: {searcher.state.reason}")
        return np.stack([result for result in results if result is not None])

    return run


def torch_topk(vectors: Floats, device: str) -> Search:
    """Exact: a matrix product and ``topk``; the time includes copying queries there and rows back."""
    import torch

    torch.set_num_threads(1)
    on_device = torch.from_numpy(vectors).to(device)

    def run(queries: Floats, rows: int) -> NDArray[np.int64]:
        with torch.inference_mode():
            scores = torch.from_numpy(queries).to(device) @ on_device.T
            nearest: NDArray[np.int64] = torch.topk(scores, min(rows, len(vectors))).indices.cpu().numpy()
        return nearest

    return run
