"""Counts of the work that a machine does not change: what the guard (``tests/guard``) compares with the kept ones."""

import asyncio
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from catalog.catalog import Catalog
from catalog.index.base import IndexOptions, Segments
from catalog.index.compact import CompactIndex
from catalog.index.compact_build import build
from catalog.index.compact_sizes import Sizes
from catalog.records import Candidate, Track
from engines.batcher import MicroBatcher
from engines.bundle import Bundle
from engines.graph_cut import cut, shared_inputs
from engines.onnx_engine import OnnxEngine
from engines.onnx_wire import read_model
from features.decode.picture import Scaler
from features.frame import FrameFeatures
from features.spec import MOTION_FPS
from stream.core.events import Infer, Question, Search, Suggestions
from stream.core.sampler import Sampler
from stream.core.session import Session, SessionOptions
from stream.driver.analysis import FrameAnalyzer
from stream.driver.live import LiveDriver, LiveOptions
from stream.driver.runtime import Runtime
from stream.sinks.base import FunctionSink

Counts = dict[str, int]
OURS: Final = tuple(str(Path(__file__).parents[2] / name) for name in ("catalog", "engines", "features", "stream"))
SECONDS: Final = 12  # of pictures before a hop is counted: then nothing is done for the first time
CANDIDATES: Final = 32
VECTORS, WIDTH = 3000, 133  # of the index
CODED: Final = Sizes(kept=1, coded=300, listed=1000)


def of_graphs(bundle: Bundle) -> Counts:
    """Operators and bytes of each graph, and of the parts of one that is cut."""
    counts: Counts = {}
    for name in bundle.manifest.graphs:
        data = bundle.read(name)
        counts[f"graph {name}: operators"] = len(read_model(data).nodes)
        counts[f"graph {name}: bytes"] = len(data)
        if (parts := cut(data, shared_inputs(bundle.graphs, name))) is not None:
            counts[f"graph {name}: operators run for each candidate"] = len(parts.nodes)
            counts[f"graph {name}: operators run once a hop"] = len(read_model(parts.lone).nodes)
    return counts


def frames(seconds: int) -> list[tuple[int, FrameFeatures]]:
    """What is measured of a block that wanders over a ground, by motion slot."""
    analyzer, features = FrameAnalyzer(small=True), list[tuple[int, FrameFeatures]]()
    for slot in range(seconds * MOTION_FPS):
        picture = np.full((90, 160, 3), 40, np.uint8)
        picture[20:60, 3 * slot % 120 : 3 * slot % 120 + 30] = (200, 80, 30)
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        features.append((slot, analyzer.analyze(frame, slot / MOTION_FPS).features))
    return features


def of_hop(runtime: Any) -> Counts:
    """Of a hop in the middle of a stream: what the session alone does for 32 candidates, whose networks and index
    answer from memory. ``runtime`` answers questions, as the streams' fake one does."""
    pictures = frames(SECONDS + 2)
    session = Session(runtime.model, SessionOptions(candidates=CANDIDATES))
    for slot, features in pictures[: SECONDS * MOTION_FPS - 1]:
        _answer_all(session, session.push(features, slot), runtime.answer)
    counted: Counter[str] = Counter()

    def push(slot: int, features: FrameFeatures, profile: bool) -> tuple[int, int]:
        """The questions of a hop, and the bytes that it needed at most."""
        questions, most = 0, 0
        waiting: list[tuple[Question | None, Any]] = [(None, None)]
        while waiting:
            question, answer = waiting.pop(0)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            if profile:
                sys.setprofile(_counter(counted))
            events = session.push(features, slot) if question is None else session.result(question.id, answer)
            sys.setprofile(None)
            most = max(most, tracemalloc.get_traced_memory()[1] - before)
            asked = [event for event in events if isinstance(event, Infer | Search)]
            questions += len(asked)
            waiting += [(one, runtime.answer(one)) for one in asked]
        return questions, most

    counted_hop, *between, measured_hop = pictures[SECONDS * MOTION_FPS - 1 :][: MOTION_FPS + 1]
    questions, _ = push(*counted_hop, profile=True)
    for slot, features in between:
        _answer_all(session, session.push(features, slot), runtime.answer)
    tracemalloc.start()
    _, most = push(*measured_hop, profile=False)
    tracemalloc.stop()
    python = f"python {sys.version_info.major}.{sys.version_info.minor}"
    return {
        "hop: questions": questions,
        f"hop: calls in the session, {python}": counted["calls"],
        f"hop: KiB allocated at once in the session, {python}": round(most / 1024),
    }


def _counter(counted: "Counter[str]") -> Callable[[FrameType, str, object], None]:
    """Counts calls of our functions and what these call themselves: what libraries do inside changes with them."""

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(OURS):
            counted["calls"] += 1

    return count


def _answer_all(session: Session, events: Sequence[Any], answer: Callable[[Question], Any]) -> None:
    waiting = [event for event in events if isinstance(event, Infer | Search)]
    while waiting:
        question = waiting.pop(0)
        more = session.result(question.id, answer(question))
        waiting += [event for event in more if isinstance(event, Infer | Search)]


class _Loop(asyncio.SelectorEventLoop):
    """Counts what other threads wake it for, and its tasks."""

    def __init__(self, counted: "Counter[str]") -> None:
        self.counted = counted
        super().__init__()

    def call_soon_threadsafe(self, *arguments: Any, **named: Any) -> asyncio.Handle:
        self.counted["answers that wake the loop"] += 1
        return super().call_soon_threadsafe(*arguments, **named)

    def create_task(self, *arguments: Any, **named: Any) -> "asyncio.Task[Any]":
        self.counted["tasks"] += 1
        return super().create_task(*arguments, **named)


class _Threads(ThreadPoolExecutor):
    def __init__(self, counted: "Counter[str]") -> None:
        self._counted = counted
        super().__init__(1)

    def submit(self, *arguments: Any, **named: Any) -> "Future[Any]":
        self._counted["pieces of work for a thread"] += 1
        return super().submit(*arguments, **named)


def of_live_hop(bundle: Bundle, folder: Path) -> Counts:
    """Of one hop of a live session whose engine joins requests: calls of engine and index, and hand-overs."""
    counted: Counter[str] = Counter()
    engine = OnnxEngine(bundle)
    run = engine.run_checked

    def run_checked(graph: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        counted["engine calls"] += 1
        counted["rows that engines are given"] += len(next(iter(inputs.values())))
        return run(graph, inputs)

    engine.run_checked = run_checked  # type: ignore[method-assign]
    batcher = MicroBatcher(engine, window_ms=0.0)
    with Catalog.open(folder, bundle) as catalog, _Threads(counted) as threads:
        index: Any = catalog._index
        search = index.search

        def searched(*arguments: Any) -> Any:
            counted["index searches"] += 1
            return search(*arguments)

        index.search = searched

        async def play() -> Counts:
            listed = asyncio.Event()
            sink = FunctionSink(lambda notice: listed.set() if isinstance(notice, Suggestions) else None)
            live = LiveDriver(Runtime(batcher, catalog), LiveOptions(), sink, workers=threads)
            for slot, features in frames(SECONDS):
                before = counted.copy()
                live._handle(live._session.push(features, slot))
                if (slot + 1) % MOTION_FPS == 0:
                    await listed.wait()
                    listed.clear()
            live._driver.close()
            return {f"live hop: {name}": counted[name] - before[name] for name in sorted(counted)}

        with asyncio.Runner(loop_factory=lambda: _Loop(counted)) as runner:
            counts = runner.run(play())
    batcher.close()
    return counts


def of_search(bundle: Bundle, folder: Path) -> Counts:
    """Calls of Python in a search whose tracks were all found before."""
    with Catalog.open(folder, bundle) as catalog:
        query = np.eye(1, bundle.manifest.embedding_dim, dtype=np.float32)[0]
        found: list[Candidate] = catalog.search(query, CANDIDATES)
        counted: Counter[str] = Counter()
        sys.setprofile(_counter(counted))
        catalog.search(query, CANDIDATES)
        sys.setprofile(None)
    python = f"python {sys.version_info.major}.{sys.version_info.minor}"
    return {f"search: calls for {len(found)} candidates, {python}": counted["calls"]}


def of_picture(monkeypatch: Any) -> Counts:
    """Pixels that are read and made of a second of video of 640x360, 30 pictures a second."""
    counted: Counter[str] = Counter()
    scale = Scaler._scale

    def counting(scaler: Scaler, frame: av.VideoFrame, width: int, height: int, pixels: str) -> av.VideoFrame:
        counted["pixels read"] += frame.width * frame.height
        counted["pixels made"] += width * height
        return scale(scaler, frame, width, height, pixels)

    monkeypatch.setattr(Scaler, "_scale", counting)
    sampler, analyzer = Sampler(), FrameAnalyzer(small=True)
    picture = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    for number in range(90):
        if number % 30 == 0:
            counted.clear()
        frame = av.VideoFrame.from_ndarray(np.roll(picture, number, axis=1), "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        if isinstance(sampler.offer(frame.pts, frame.time_base), int):
            analyzer.analyze(frame, number / 30)
    return {f"a second of video: {name}": counted[name] for name in sorted(counted)}


def of_index(folder: Path) -> Counts:
    """Bytes of the compact index's files, for each segment of a fixed catalogue of random vectors."""
    random = np.random.default_rng(0)
    tracks = [Track(f"{n:016x}", f"Song {n}", "", Path(f"/music/{n}.ogg"), 60.0, 100.0, "", ()) for n in range(600)]
    vectors = random.standard_normal((VECTORS, WIDTH), np.float32)
    index = CompactIndex(IndexOptions(folder, WIDTH), CODED, build)
    index.upsert(Segments(tracks, np.full(len(tracks), VECTORS // len(tracks), np.int64), vectors))
    assert index.generation is not None
    size = sum(path.stat().st_size for path in index.generation.rglob("*") if path.is_file())
    index.close()
    return {"compact index: bytes a segment": round(size / VECTORS)}
