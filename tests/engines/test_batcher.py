"""Batching changes when things run, never what comes out; every bound and failure is where the docstring says."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.base import Arrays, Engine
from engines.batcher import QUEUEING_EDGES_S, BatchStats, MicroBatcher
from engines.bundle import Bundle, load_bundle
from engines.errors import EngineBusy, EngineClosed, EngineError, EngineLate
from engines.manifest import GraphSpec
from engines.onnx_engine import OnnxEngine
from engines.rows import SIZES
from features.spec import FEATURES


class FakeEngine:
    """Two graphs' worth of arithmetic; remembers its calls, can be held up and can fail on a row's value."""

    name = "fake"

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.calls: list[tuple[str, NDArray[Any]]] = []
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Event()
        self.poison: float | None = None
        self.closed = 0
        self.short = False

    def spec(self, graph: str) -> GraphSpec:
        return self.bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        self.started.set()
        assert self.go.wait(10)
        values = inputs[next(iter(inputs))].reshape(len(next(iter(inputs.values()))), -1)[:, 0].astype(np.float32)
        self.calls.append((graph, values))
        if self.poison is not None and (values == self.poison).any():
            raise RuntimeError(f"poisoned by {self.poison}")
        factor = 2 if graph == "mood" else 3
        result = np.repeat(values[:, None] * factor, 3, axis=1)
        return {"out": result[:-1] if self.short else result}

    def warmup(self) -> None:
        self.calls.append(("warmup", np.zeros(0)))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


@contextmanager
def batching(engine: Engine, window_ms: float = 0, limit: int = 256) -> Iterator[MicroBatcher]:
    batcher = MicroBatcher(engine, window_ms=window_ms, limit=limit)
    try:
        yield batcher
    finally:
        if isinstance(engine, FakeEngine):
            engine.go.set()
        batcher.close()


def mood(*values: float) -> dict[str, NDArray[Any]]:
    return {"embedding": np.repeat(np.array(values, np.float32)[:, None], 32, axis=1)}


def clip(*values: int) -> dict[str, NDArray[Any]]:
    return {"clip_image": np.broadcast_to(np.array(values, np.uint8)[:, None, None], (len(values), 64, 256))}


def hold(engine: FakeEngine, batcher: MicroBatcher) -> "Future[Any]":
    """Occupy the worker with one request, so that what follows queues up until ``engine.go`` is set."""
    engine.go.clear()
    engine.started.clear()
    future = batcher.submit("mood", mood(-1))
    assert engine.started.wait(10)
    return future


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(0, 255), min_size=1, max_size=40)), min_size=1, max_size=20
    ),
    window_ms=st.sampled_from([0, 1]),
    held=st.booleans(),
)
def test_any_mix_equals_single_runs(
    bundle: Bundle, requests: list[tuple[bool, list[int]]], window_ms: float, held: bool
) -> None:
    engine = FakeEngine(bundle)
    with batching(engine, window_ms) as batcher:
        if held:
            hold(engine, batcher)
        futures = [
            batcher.submit("mood", mood(*values)) if is_mood else batcher.submit("video_clip", clip(*values))
            for is_mood, values in requests
        ]
        engine.go.set()
        for (is_mood, values), future in zip(requests, futures, strict=True):
            expected = np.repeat(np.array(values, np.float32)[:, None] * (2 if is_mood else 3), 3, axis=1)
            np.testing.assert_array_equal(future.result(10)["out"], expected)
    calls = engine.calls
    assert all(len(values) in SIZES for _, values in calls)
    asked = held + sum(len(values) for _, values in requests)
    stats = batcher.stats
    assert (stats.requests, stats.runs, stats.rows) == (held + len(requests), len(calls), asked)
    assert stats.rows + stats.padded_rows == sum(len(values) for _, values in calls)


def test_queued_requests_are_joined_and_padded_with_a_valid_row(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        futures = [batcher.submit("mood", mood(value)) for value in (1, 2, 3, 4, 5)]
        engine.go.set()
        assert [float(future.result(10)["out"][0, 0]) for future in futures] == [2, 4, 6, 8, 10]
    assert engine.calls[1][1].tolist() == [1, 2, 3, 4, 5, 5, 5, 5]
    assert batcher.stats.padded_rows == 3


def test_at_most_32_rows_and_no_overtaking(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        for start, rows in ((0, 20), (20, 20), (40, 2)):
            batcher.submit("mood", mood(*range(start, start + rows)))
        engine.go.set()
    real = [values for _, values in engine.calls[1:]]
    assert [len(values) for values in real] == [32, 32]
    assert real[0][:20].tolist() == list(range(20))
    assert real[1][:22].tolist() == list(range(20, 42))


def test_the_oldest_request_is_next_whatever_its_graph(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        for number in range(4):
            batcher.submit("video_clip", clip(number))
            batcher.submit("mood", mood(number))
        engine.go.set()
    assert [graph for graph, _ in engine.calls] == ["mood", "video_clip", "mood"]


def test_a_busy_graph_does_not_starve_another(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        for number in range(5):
            batcher.submit("mood", mood(*[number] * 32))
            if number == 1:
                rare = batcher.submit("video_clip", clip(9))
        engine.go.set()
        rare.result(10)
    assert [graph for graph, _ in engine.calls].index("video_clip") == 3


def test_a_large_request_runs_in_slices(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        result = batcher.run("mood", mood(*range(70)))["out"]
    np.testing.assert_array_equal(result[:, 0], 2.0 * np.arange(70))
    assert [len(values) for _, values in engine.calls] == [32, 32, 8]
    stats = batcher.stats
    waited = {"queueing_s": stats.queueing_s, "queueing": stats.queueing}
    assert stats == BatchStats(requests=1, runs=3, rows=70, padded_rows=2, **waited) and sum(stats.queueing) == 1


def test_other_sizes(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    batcher = MicroBatcher(engine, window_ms=0, sizes=range(1, 6))
    result = batcher.run("mood", mood(*range(13)))["out"]
    batcher.close()
    np.testing.assert_array_equal(result[:, 0], 2.0 * np.arange(13))
    assert [len(values) for _, values in engine.calls] == [5, 5, 3]
    assert batcher.stats.padded_rows == 0


def test_the_bound(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine, limit=2) as batcher:
        hold(engine, batcher)
        kept = [batcher.submit("mood", mood(value)) for value in (1, 2)]
        assert batcher.waiting == 2
        with pytest.raises(EngineBusy, match="fake-batched: 2 requests wait, the bound"):
            batcher.submit("mood", mood(3))
        engine.go.set()
        assert [float(future.result(10)["out"][0, 0]) for future in kept] == [2, 4]
        assert batcher.run("mood", mood(4))["out"][0, 0] == 8
    assert batcher.stats.refused == 1


def test_one_bad_request_fails_alone(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    engine.poison = 13
    with batching(engine) as batcher:
        hold(engine, batcher)
        futures = [batcher.submit("mood", mood(value)) for value in (1, 13, 3)]
        engine.go.set()
        assert futures[0].result(10)["out"][0, 0] == 2
        assert futures[2].result(10)["out"][0, 0] == 6
        with pytest.raises(RuntimeError, match=r"poisoned by 13"):
            futures[1].result(10)
        assert batcher.run("mood", mood(7))["out"][0, 0] == 14


def test_invalid_inputs_are_refused_before_they_queue(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        with pytest.raises(EngineError, match="holds NaN"):
            batcher.submit("mood", mood(float("nan")))
        with pytest.raises(EngineError, match="has no graph oracle"):
            batcher.submit("oracle", {})
    assert engine.calls == []


def test_an_engine_that_loses_rows_is_caught(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    engine.short = True
    with (
        batching(engine) as batcher,
        pytest.raises(EngineError, match=r"output out has shape \(1, 3\) for a batch of 2"),
    ):
        batcher.run("mood", mood(1, 2))


def test_a_cancelled_request_is_not_run(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        futures = [batcher.submit("mood", mood(value)) for value in (1, 2)]
        assert futures[0].cancel()
        engine.go.set()
        assert futures[1].result(10)["out"][0, 0] == 4
    assert [values.tolist() for _, values in engine.calls] == [[-1], [2]]


def test_close_answers_what_waits(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    batcher = MicroBatcher(engine, window_ms=1000)
    futures = [batcher.submit("mood", mood(value)) for value in (1, 2)]
    start = time.monotonic()
    batcher.close()
    assert time.monotonic() - start < 0.9, "closing must not sit out the window"
    assert [float(future.result(0)["out"][0, 0]) for future in futures] == [2, 4]
    assert engine.closed == 1
    with pytest.raises(EngineClosed, match="fake-batched is closed"):
        batcher.submit("mood", mood(1))
    batcher.close()


def test_close_without_draining_cancels(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    batcher = MicroBatcher(engine, window_ms=0)
    running = hold(engine, batcher)
    waiting = batcher.submit("mood", mood(1))
    closer = threading.Thread(target=batcher.close, kwargs={"drain": False})
    closer.start()
    with pytest.raises(CancelledError):
        waiting.result(10)
    engine.go.set()
    closer.join(10)
    assert running.result(0)["out"][0, 0] == -2
    assert not closer.is_alive() and engine.closed == 1


def test_a_lone_request_waits_for_the_window_and_no_longer(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine, window_ms=60) as batcher:
        start = time.monotonic()
        batcher.run("mood", mood(1))
        waited_s = time.monotonic() - start
    assert 0.055 <= waited_s < 1
    assert 0.055 <= batcher.stats.queueing_s <= waited_s


def test_company_within_the_window_is_joined(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine, window_ms=500) as batcher:
        first = batcher.submit("mood", mood(1))
        time.sleep(0.02)
        second = batcher.submit("mood", mood(2))
        assert second.result(10)["out"][0, 0] == 4 and first.done()
    assert len(engine.calls) == 1


def test_a_full_batch_does_not_wait(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine, window_ms=1000) as batcher:
        start = time.monotonic()
        for future in [batcher.submit("mood", mood(*[n] * 16)) for n in range(2)]:
            future.result(10)
        assert time.monotonic() - start < 0.9


def test_waiting_burns_no_processor_time(bundle: Bundle) -> None:
    with batching(FakeEngine(bundle), window_ms=300) as batcher:
        before = time.process_time()
        batcher.run("mood", mood(1))
        time.sleep(0.2)
        assert time.process_time() - before < 0.1


def test_running_from_a_callback_is_refused_rather_than_hung(bundle: Bundle) -> None:
    seen: list[BaseException | None] = []
    done = threading.Event()

    def nested(_: object) -> None:
        try:
            batcher.run("mood", mood(2))
        except EngineError as error:
            seen.append(error)
        done.set()

    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        future = hold(engine, batcher)
        future.add_done_callback(nested)
        engine.go.set()
        assert done.wait(10)
    assert "callback" in str(seen[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"window_ms": -1}, "window_ms is -1"),
        ({"window_ms": float("nan")}, "window_ms is nan"),
        ({"limit": 0}, "limit is 0"),
        ({"sizes": ()}, "sizes are"),
        ({"sizes": (0, 1)}, "sizes are"),
        ({"sizes": (1, 4, 4)}, "sizes are"),
    ],
)
def test_options_out_of_range(bundle: Bundle, options: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        MicroBatcher(FakeEngine(bundle), **options)


def test_it_is_an_engine_and_passes_the_rest_on(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        assert isinstance(batcher, Engine)
        assert batcher.bundle is bundle and batcher.spec("mood") is bundle.spec("mood")
        batcher.warmup()
    assert [graph for graph, _ in engine.calls] == ["warmup"]


def test_sizes_by_graph(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    batcher = MicroBatcher(engine, window_ms=0, sizes={"mood": (3, 64)})
    batcher.run("mood", mood(*range(40)))
    batcher.run("video_clip", clip(*range(40)))
    batcher.close()
    assert [len(values) for _, values in engine.calls] == [64, 32, 8]
    with pytest.raises(EngineError, match="sizes are"):
        MicroBatcher(FakeEngine(bundle), sizes={"mood": (4, 2)})


def test_a_request_past_its_deadline_is_dropped_and_counted(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        now_s = time.monotonic()
        late = [batcher.submit("mood", mood(value), deadline_s=now_s + 0.02) for value in (1, 2)]
        kept = batcher.submit("mood", mood(3), deadline_s=now_s + 3600)
        while time.monotonic() < now_s + 0.02:
            time.sleep(0.005)
        engine.go.set()
        assert kept.result(10)["out"][0, 0] == 6
        for future in late:
            with pytest.raises(EngineLate, match=r"a request for mood waited \d+ ms, past its deadline"):
                future.result(10)
        with pytest.raises(EngineLate, match="deadline passed before"):
            batcher.submit("mood", mood(4), deadline_s=time.monotonic())
        assert batcher.run("mood", mood(5))["out"][0, 0] == 10
    assert [values.tolist() for _, values in engine.calls] == [[-1], [3], [5]]
    stats = batcher.stats
    assert (stats.late, stats.requests, stats.refused) == (3, 3, 0)


def test_the_late_make_room_at_the_bound(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine, limit=2) as batcher:
        hold(engine, batcher)
        until_s = time.monotonic() + 0.01
        late = [batcher.submit("mood", mood(value), deadline_s=until_s) for value in (1, 2)]
        while time.monotonic() < until_s:
            time.sleep(0.005)
        kept = batcher.submit("mood", mood(3))
        assert all(isinstance(future.exception(0), EngineLate) for future in late)
        engine.go.set()
        assert kept.result(10)["out"][0, 0] == 6
    assert batcher.stats.late == 2 and batcher.stats.refused == 0


def test_all_late_and_then_nothing_leaves_the_worker_alive(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        late = batcher.submit("mood", mood(1), deadline_s=time.monotonic() + 0.01)
        time.sleep(0.02)
        engine.go.set()
        assert isinstance(late.exception(10), EngineLate)
        assert batcher.run("mood", mood(2))["out"][0, 0] == 4


def test_one_owner_cannot_starve_another(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        flood = [batcher.submit("mood", mood(*[n] * 32), owner="flood") for n in range(20)]
        quiet = batcher.submit("video_clip", clip(9), owner="quiet")
        engine.go.set()
        quiet.result(10)
        for future in flood:
            future.result(10)
    assert [graph for graph, _ in engine.calls].index("video_clip") == 2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(
        st.tuples(st.sampled_from("abc"), st.booleans(), st.lists(st.integers(0, 255), min_size=1, max_size=20)),
        min_size=1,
        max_size=25,
    ),
    spared=st.sets(st.integers(0, 24)),
    cancelled=st.sets(st.integers(0, 24), max_size=3),
)
def test_owners_deadlines_and_cancelling_change_no_answer(
    bundle: Bundle, requests: list[tuple[str, bool, list[int]]], spared: set[int], cancelled: set[int]
) -> None:
    """Each request ends once: answered as a single run would, dropped for its deadline, or cancelled. Those of one
    owner for one graph are run in their order."""
    engine = FakeEngine(bundle)
    ended: list[int] = []
    with batching(engine) as batcher:
        hold(engine, batcher)
        futures = []
        passes_s = time.monotonic() + 0.05
        for number, (owner, is_mood, values) in enumerate(requests):
            deadline_s = None if number in spared else passes_s
            graph, inputs = ("mood", mood(*values)) if is_mood else ("video_clip", clip(*values))
            future = batcher.submit(graph, inputs, owner=owner, deadline_s=deadline_s)
            future.add_done_callback(lambda _, number=number: ended.append(number))  # type: ignore[misc]
            futures.append(future)
            if number in cancelled:
                future.cancel()
        while time.monotonic() < passes_s:
            time.sleep(0.005)
        engine.go.set()
    assert sorted(ended) == list(range(len(requests)))
    run = []
    for number, ((_, is_mood, values), future) in enumerate(zip(requests, futures, strict=True)):
        if number in cancelled:
            assert future.cancelled()
        elif number not in spared:
            assert isinstance(future.exception(0), EngineLate)
        else:
            expected = np.repeat(np.array(values, np.float32)[:, None] * (2 if is_mood else 3), 3, axis=1)
            np.testing.assert_array_equal(future.result(0)["out"], expected)
            run.append(number)
    stats = batcher.stats
    dropped = len(requests) - len(run) - len([n for n in cancelled if n < len(requests)])
    assert (stats.requests, stats.late) == (1 + len(run), dropped)
    for owner in "abc":
        for graph in (True, False):
            mine = [n for n in ended if n in run and requests[n][0] == owner and requests[n][1] is graph]
            assert mine == sorted(mine)


def test_the_histogram_counts_every_request_that_was_run(bundle: Bundle) -> None:
    engine = FakeEngine(bundle)
    with batching(engine) as batcher:
        hold(engine, batcher)
        futures = [batcher.submit("mood", mood(value)) for value in range(5)]
        time.sleep(0.03)
        engine.go.set()
        for future in futures:
            future.result(10)
        stats = batcher.stats
    assert len(stats.queueing) == len(QUEUEING_EDGES_S) + 1 and sum(stats.queueing) == stats.requests == 6
    assert sum(stats.queueing[: QUEUEING_EDGES_S.index(0.02) + 1]) <= 1  # at most the one that held the worker
    assert stats.queueing_s >= 5 * 0.03


def test_real_graphs_from_many_threads(bundle: Bundle) -> None:
    """Concurrent callers of two graphs on ONNX Runtime get what a direct run gives, with fewer runs than requests."""
    engine = OnnxEngine(bundle)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (24, 64, 256), np.uint8)
    clips = rng.normal(size=(24, 7, 16)).astype(np.float32)
    mask = np.arange(7) < rng.integers(1, 8, (24, 1))
    speeds = rng.random((24, 7), np.float32)
    sequence = {"clips": clips, "mask": mask, "displacement": speeds}
    expected = {
        "video_clip": engine.run("video_clip", {"clip_image": pictures})["embedding"],
        "video_sequence": engine.run("video_sequence", sequence)["embedding"],
    }
    answers: dict[tuple[str, int], NDArray[Any]] = {}

    def caller(first: int) -> None:
        for row in range(first, 24, 6):
            part = slice(row, row + 1)
            answers["video_clip", row] = batcher.run("video_clip", {"clip_image": pictures[part]})["embedding"]
            inputs = {name: array[part] for name, array in sequence.items()}
            answers["video_sequence", row] = batcher.run("video_sequence", inputs)["embedding"]

    with batching(engine, window_ms=50) as batcher:
        threads = [threading.Thread(target=caller, args=(first,)) for first in range(6)]
        each(threads, threading.Thread.start)
        each(threads, threading.Thread.join)
        stats = batcher.stats
    assert len(answers) == 48
    for (graph, row), value in answers.items():
        np.testing.assert_allclose(value[0], expected[graph][row], atol=1e-5)
    assert stats.requests == 48 and stats.runs < 48


def each(threads: list[threading.Thread], act: Callable[[threading.Thread], None]) -> None:
    for thread in threads:
        act(thread)
