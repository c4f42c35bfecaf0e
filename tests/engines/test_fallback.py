"""Whatever becomes of the preferred engine, every valid request is answered, once, and rightly."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.base import Arrays, Engine, example_inputs
from engines.batcher import MicroBatcher
from engines.bundle import Bundle, load_bundle
from engines.errors import EngineBusy, EngineClosed, EngineError, EngineFailed
from engines.fallback import BROKEN, BUSY, FAILED, HUNG, REASONS, FallbackEngine, FallbackOptions
from engines.manifest import GraphSpec
from engines.timeout_worker import WorkerTimeout
from features.spec import FEATURES

FAULTS = {
    "failed": (EngineFailed("no memory left"), FAILED),
    "broken": (RuntimeError("CUDA error 719"), BROKEN),
    "busy": (EngineBusy("the server has enough to do"), BUSY),
    "refused": (EngineError("it says the request is wrong, which it is not"), BROKEN),
}


class FakeEngine:
    """Twice the first number of each mood, three times of every other graph; ``fault`` says how it fails now."""

    def __init__(self, bundle: Bundle, name: str) -> None:
        self.bundle, self.name = bundle, name
        self.fault = ""
        self.asked: list[tuple[str, int]] = []
        self.warmed = self.closed = 0
        self.hang = threading.Event()
        self.hung = threading.Event()

    def spec(self, graph: str) -> GraphSpec:
        return self.bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        values = next(iter(inputs.values()))
        self.asked.append((graph, len(values)))
        if self.closed:
            raise EngineClosed(f"{self.name} is closed")
        fault = self.fault
        if fault == "hang":
            self.hung.set()
            assert self.hang.wait(10)
        if fault in FAULTS:
            raise FAULTS[fault][0]
        outputs = {}
        for tensor in self.spec(graph).outputs:
            shape = (len(values), *(int(size) for size in tensor.shape[1:]))
            first = values.reshape(len(values), -1)[:, 0].astype(np.float32)
            outputs[tensor.name] = np.ones(shape, np.float32) * first.reshape(-1, *[1] * (len(shape) - 1)) * 2
            if fault == "nan":
                outputs[tensor.name][-1] = np.nan
            if fault == "short":
                outputs[tensor.name] = outputs[tensor.name][1:]
        return {} if fault == "nothing" else outputs

    def warmup(self) -> None:
        self.warmed += 1
        for graph in self.bundle.manifest.graphs:
            self.run(graph, example_inputs(self.spec(graph)))

    def close(self) -> None:
        self.closed += 1


class InlineWorker:
    """Runs calls at once and posts when told; a call of an engine that hangs is over at once, too late."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.posted = engine, []  # type: ignore[var-annotated]
        self.busy_s = 0.0

    def call(self, work: Callable[[], Any], limit_s: float) -> Any:
        if self.engine.fault == "hang":
            self.busy_s = limit_s
            raise WorkerTimeout(f"no answer within {limit_s:g} s")
        return work()

    def post(self, work: Callable[[], Any]) -> "Future[None]":
        self.posted.append(work)
        return Future()

    def close(self, last: Callable[[], Any], limit_s: float) -> bool:
        last()
        return not self.busy_s

    def go_on(self) -> None:
        """What hung comes back, and what was posted is done."""
        self.busy_s = 0.0
        posted, self.posted = self.posted, []
        for work in posted:
            work()


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Scene:
    """Two fakes with the fallback between them, and a clock set by hand."""

    def __init__(self, bundle: Bundle, **options: Any) -> None:
        self.gpu, self.cpu, self.clock = FakeEngine(bundle, "gpu"), FakeEngine(bundle, "cpu"), Clock()
        self.worker = InlineWorker(self.gpu)
        self.engine = FallbackEngine(
            self.gpu, self.cpu, FallbackOptions(**options), clock=self.clock, worker=self.worker
        )

    def ask(self, *values: float) -> None:
        found = self.engine.run("mood", mood(*values))["mood"]
        np.testing.assert_array_equal(found[:, 0], 2 * np.array(values, np.float32))

    def later(self, seconds: float) -> None:
        self.clock.now_s += seconds


def mood(*values: float) -> dict[str, NDArray[Any]]:
    return {"embedding": np.repeat(np.array(values, np.float32)[:, None], 32, axis=1)}


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture
def scene(bundle: Bundle) -> Scene:
    return Scene(bundle)


def test_as_long_as_it_works_the_preferred_engine_answers(scene: Scene) -> None:
    assert isinstance(scene.engine, Engine) and scene.engine.name == "gpu+cpu"
    scene.engine.warmup()
    assert scene.gpu.warmed == scene.cpu.warmed == 1
    scene.cpu.asked.clear()
    scene.ask(1, 2)
    assert scene.cpu.asked == [] and scene.engine.state.in_use == "gpu" and not scene.engine.state.degraded


@pytest.mark.parametrize("fault", [*FAULTS, "nan", "short", "nothing", "hang"])
def test_whatever_goes_wrong_the_same_request_is_answered(
    scene: Scene, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.gpu.fault = fault
    scene.later(100)
    scene.ask(3, 4, 5)
    state = scene.engine.state
    assert state.degraded and state.in_use == "cpu" and state.reserve_requests == 1
    kind = HUNG if fault == "hang" else FAULTS[fault][1] if fault in FAULTS else FAILED
    assert state.fallbacks == dict.fromkeys(REASONS, 0) | {kind: 1}
    assert scene.cpu.asked == [("mood", 3)]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"engine gpu fails ({kind}, graph mood, batch 3: ") and "cpu answers" in line


def test_the_preferred_engine_is_left_alone_until_the_back_off_is_over(scene: Scene) -> None:
    scene.gpu.fault = "failed"
    scene.ask(1, 2)
    asked = len(scene.gpu.asked)
    scene.later(0.99)
    scene.ask(3)
    assert len(scene.gpu.asked) == asked and scene.worker.posted == []
    scene.later(0.01)
    scene.gpu.fault = ""
    scene.ask(4)
    scene.ask(5)
    assert len(scene.worker.posted) == 1 and len(scene.gpu.asked) == asked  # off the path, and only one
    assert scene.engine.state.degraded
    scene.worker.go_on()
    assert scene.gpu.asked[-1] == ("mood", 2)  # of the graph and size that failed
    assert not scene.engine.state.degraded and scene.engine.state.returns == 1
    before = len(scene.cpu.asked)
    scene.ask(6)
    assert len(scene.cpu.asked) == before


def test_the_back_off_doubles_up_to_its_bound_and_begins_anew_after_sound_work(scene: Scene) -> None:
    scene.gpu.fault = "broken"
    scene.later(1000)
    scene.ask(1)
    waits = []
    for _ in range(9):
        began = scene.clock.now_s
        while not scene.worker.posted:
            scene.later(0.5)
            scene.ask(1)
        waits.append(scene.clock.now_s - began)
        scene.worker.go_on()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    scene.gpu.fault = ""
    scene.later(60)
    scene.ask(1)
    scene.worker.go_on()
    scene.later(59)
    scene.gpu.fault = "failed"
    scene.ask(1)  # it fails again too soon
    scene.later(59.5)
    scene.ask(1)
    assert scene.worker.posted == []
    scene.later(0.5)
    scene.gpu.fault = ""
    scene.ask(1)
    scene.worker.go_on()
    scene.later(60)  # sound
    scene.gpu.fault = "failed"
    scene.ask(1)
    scene.later(1)
    scene.ask(1)
    assert len(scene.worker.posted) == 1
    assert scene.engine.state.fallbacks == dict.fromkeys(REASONS, 0) | {BROKEN: 1, FAILED: 2}


def test_a_call_that_hangs_is_the_only_one_until_it_comes_back(scene: Scene) -> None:
    scene.gpu.fault = "hang"
    scene.ask(1)
    for _ in range(100):
        scene.later(100)
        scene.ask(2)
    assert len(scene.worker.posted) == 1 and scene.engine.state.trials == 1 and scene.engine.state.stuck_s == 0.5
    scene.gpu.fault = ""
    scene.worker.go_on()
    assert not scene.engine.state.degraded and scene.engine.state.stuck_s == 0


@pytest.mark.parametrize("degraded", [False, True])
def test_a_wrong_request_is_refused_and_counts_for_nothing(scene: Scene, degraded: bool) -> None:
    if degraded:
        scene.gpu.fault = "failed"
        scene.ask(1)
    before = scene.engine.state.fallbacks

    def strict(engine: FakeEngine) -> None:
        from engines.base import check_inputs

        run = engine.run
        engine.run = lambda graph, inputs: check_inputs(engine.spec(graph), inputs) and run(graph, inputs)  # type: ignore

    strict(scene.gpu)
    strict(scene.cpu)
    with pytest.raises(EngineError, match="holds NaN"):
        scene.engine.run("mood", mood(float("nan")))
    with pytest.raises(EngineError, match="takes embedding"):
        scene.engine.run("mood", {})
    assert scene.engine.state.fallbacks == before and scene.engine.state.degraded is degraded


def test_what_both_cannot_answer_is_the_reserves_error(scene: Scene) -> None:
    scene.gpu.fault = scene.cpu.fault = "failed"
    with pytest.raises(EngineFailed, match="no memory left"):
        scene.engine.run("mood", mood(1))


def test_a_warm_up_that_fails_is_fallen_back_from(scene: Scene) -> None:
    scene.gpu.fault = "broken"
    scene.engine.warmup()
    assert scene.engine.state.degraded and scene.cpu.warmed == 1
    scene.engine.warmup()
    assert scene.gpu.warmed == 1
    scene.ask(1)


def test_a_lost_engine_is_opened_anew(bundle: Bundle) -> None:
    gpu, cpu, clock, made = FakeEngine(bundle, "gpu"), FakeEngine(bundle, "cpu"), Clock(), []
    worker = InlineWorker(gpu)

    def reopen() -> FakeEngine:
        made.append(FakeEngine(bundle, f"gpu again {len(made)}"))
        made[-1].fault = "" if len(made) > 1 else "failed"
        if len(made) == 2:
            raise EngineFailed("no device")
        return made[-1]

    engine = FallbackEngine(gpu, cpu, reopen=reopen, clock=clock, worker=worker)
    gpu.fault = "broken"
    for _ in range(4):
        engine.run("mood", mood(1))
        clock.now_s += 100
        engine.run("mood", mood(1))
        worker.go_on()
    assert gpu.closed >= 1 and made[0].closed == 1 and len(made) == 3
    assert engine.state.preferred == "gpu again 2" and not engine.state.degraded and made[2].warmed == 1
    assert engine.name == "gpu+cpu"  # a recording's header says what was meant
    engine.close()
    assert made[2].closed == 1 and cpu.closed == 1


def test_closed_is_closed(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.gpu.fault = "hang"
    scene.ask(1)
    scene.engine.close()
    scene.engine.close()
    assert scene.cpu.closed == scene.gpu.closed == 1
    assert "engine gpu hangs and is left to itself" in caplog.text
    with pytest.raises(EngineClosed):
        scene.engine.run("mood", mood(1))


def test_two_bundles_are_refused(bundle: Bundle) -> None:
    other = replace(bundle, identity="0" * 64)
    with pytest.raises(EngineError, match="open both with one bundle"):
        FallbackEngine(FakeEngine(bundle, "gpu"), FakeEngine(other, "cpu"))


@pytest.mark.parametrize("name", ["limit_s", "wait_s", "sound_s"])
def test_options_out_of_range(name: str) -> None:
    with pytest.raises(EngineError, match=f"{name} is 0"):
        FallbackOptions(**{name: 0})


STEPS = st.lists(
    st.tuples(st.just("fault"), st.sampled_from(["", *FAULTS, "nan", "short", "nothing", "hang"]))
    | st.tuples(st.just("ask"), st.integers(1, 5))
    | st.tuples(st.just("later"), st.sampled_from([0.1, 1.0, 5.0, 70.0]))
    | st.tuples(st.just("go on"), st.none()),
    max_size=60,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_any_history_of_faults_leaves_every_request_answered(bundle: Bundle, steps: list[tuple[str, Any]]) -> None:
    """A model beside it: who may be asked when, how often, and what is counted."""
    scene = Scene(bundle)
    asked = 0
    for what, value in [*steps, ("fault", ""), ("go on", None), *[("later", 70.0), ("ask", 1), ("go on", None)] * 2]:
        before = scene.engine.state
        gpu, cpu = len(scene.gpu.asked), len(scene.cpu.asked)
        match what:
            case "fault":
                scene.gpu.fault = value
            case "later":
                scene.later(value)
            case "go on":
                if scene.gpu.fault != "hang":
                    scene.worker.go_on()
            case _:
                asked += 1
                scene.ask(*range(1, value + 1))
                tried, answered = len(scene.gpu.asked) - gpu, len(scene.cpu.asked) - cpu
                hangs = scene.gpu.fault == "hang"
                assert tried == (not before.degraded and not hangs)
                assert answered == (before.degraded or scene.gpu.fault != "")
        state = scene.engine.state
        assert len(scene.worker.posted) <= 1
        assert sum(state.fallbacks.values()) - state.returns == state.degraded
        assert state.reserve_requests == len(scene.cpu.asked)
        assert all(state.fallbacks[reason] >= before.fallbacks[reason] for reason in REASONS)
    assert not scene.engine.state.degraded  # it works again, so it is used again
    assert asked == state.reserve_requests + sum(1 for _ in scene.gpu.asked) - state.trials - (
        sum(state.fallbacks.values()) - state.fallbacks[HUNG]
    )


@pytest.fixture
def hanging(bundle: Bundle) -> Iterator[tuple[FakeEngine, FakeEngine, FallbackEngine]]:
    """With real threads; the limits are short, and what hangs does so until ``hang`` is set."""
    gpu, cpu = FakeEngine(bundle, "gpu"), FakeEngine(bundle, "cpu")
    engine = FallbackEngine(gpu, cpu, FallbackOptions(limit_s=0.05, wait_s=0.01, close_s=0.01))
    yield gpu, cpu, engine
    gpu.hang.set()
    engine.close()


def test_a_real_hang_costs_the_limit_once_and_one_thread(
    hanging: tuple[FakeEngine, FakeEngine, FallbackEngine],
) -> None:
    gpu, cpu, engine = hanging
    threads = set(threading.enumerate())
    gpu.fault = "hang"
    for value in range(20):
        assert engine.run("mood", mood(value))["mood"][0, 0] == 2 * value
    assert len(gpu.asked) == 1 and len(cpu.asked) == 20
    assert not set(threading.enumerate()) - threads, "no new one; those of other tests may end meanwhile"
    assert engine.state.fallbacks[HUNG] == 1 and engine.state.stuck_s > 0
    gpu.fault = ""
    gpu.hang.set()
    waited = threading.Event()
    for _ in range(1000):
        engine.run("mood", mood(7))
        if not engine.state.degraded:
            break
        waited.wait(0.01)
    assert not engine.state.degraded and engine.state.returns == 1


def test_closing_does_not_wait_for_a_hang(bundle: Bundle) -> None:
    gpu, cpu = FakeEngine(bundle, "gpu"), FakeEngine(bundle, "cpu")
    engine = FallbackEngine(gpu, cpu, FallbackOptions(limit_s=0.02, close_s=0.02))
    gpu.fault = "hang"
    engine.run("mood", mood(1))
    engine.close()
    assert cpu.closed == 1 and gpu.closed == 0  # it still works in its thread
    gpu.hang.set()
    for _ in range(1000):
        if gpu.closed:
            break
        threading.Event().wait(0.01)
    assert gpu.closed == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from(["", "", "failed", "nan", "broken"]), min_size=1, max_size=12))
def test_behind_a_batcher_many_callers_get_their_answers(bundle: Bundle, faults: list[str]) -> None:
    gpu, cpu = FakeEngine(bundle, "gpu"), FakeEngine(bundle, "cpu")
    batcher = MicroBatcher(FallbackEngine(gpu, cpu, FallbackOptions(limit_s=10, wait_s=1e-4)), window_ms=1)
    wrong: list[Any] = []

    def caller(number: int) -> None:
        for step, fault in enumerate(faults):
            gpu.fault = fault
            value = float(100 * number + step)
            found = batcher.submit("mood", mood(value), owner=number).result(10)["mood"]
            if found[0, 0] != 2 * value:
                wrong.append((value, found))

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    batcher.close()
    assert wrong == [] and not any(thread.is_alive() for thread in threads)
    assert gpu.closed == cpu.closed == 1 and batcher.stats.requests == 4 * len(faults)
