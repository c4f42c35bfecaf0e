"""Which engine is taken, and what is said of the others; with engines that are none and a clock that they move."""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines import graphics_card
from engines.base import Arrays
from engines.bundle import Bundle, load_bundle
from engines.choose import (
    AUTO,
    BY_NAME,
    CLEARLY,
    CONSUMER_ORDER,
    CPU,
    NAMES,
    OPENERS,
    ORDER,
    RUNS,
    EngineOptions,
    Preference,
    choose,
    least_cosine,
    open_engine,
    preference,
    preferred,
)
from engines.errors import BundleError, EngineError, EngineUnavailable
from engines.fallback import FallbackEngine
from engines.manifest import GraphSpec
from engines.onnx_engine import OnnxEngine
from engines.tensorrt_flavour import Gpu
from features.spec import FEATURES


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class FakeEngine:
    """The CPU's answers, or wrong ones, after a time of its own."""

    def __init__(self, name: str, cpu: OnnxEngine, clock: Clock, ms: float = 10.0, fault: str = "") -> None:
        self.name, self.bundle, self._cpu, self._clock, self._ms, self.fault = name, cpu.bundle, cpu, clock, ms, fault
        self.runs = self.warmed = self.closed = 0
        self.hang = threading.Event()

    def spec(self, graph: str) -> GraphSpec:
        return self.bundle.spec(graph)

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        self.runs += 1
        self._clock.now_s += self._ms / 1000
        found = self._cpu.run(graph, inputs)
        return {name: -array for name, array in found.items()} if self.fault == "wrong" else found

    def warmup(self) -> None:
        self.warmed += 1
        if self.fault == "cold":
            raise RuntimeError("CUDA error 35\nand a long story")
        if self.fault == "hang":
            assert self.hang.wait(10)

    def close(self) -> None:
        self.closed += 1


class Shop:
    """Openers of fakes; what was opened is kept. ``stock``: what each name costs in ms, or why it cannot be had."""

    def __init__(self, cpu: OnnxEngine, **stock: Any) -> None:
        self.clock, self.made, self.order = Clock(), {}, ORDER  # type: ignore[var-annotated]
        self._cpu = cpu
        self._stock = {"tensorrt": None, "tensorrt-rtx": None, "onnx-cuda": None, "triton": None, CPU: 10.0}
        self._stock |= {name.replace("_", "-"): value for name, value in stock.items()}
        self.openers: Mapping[str, Callable[..., Any]] = {name: self._opener(name) for name in ORDER}

    def _opener(self, name: str) -> Callable[..., Any]:
        def make(bundle: Bundle, options: EngineOptions) -> FakeEngine:
            stock = self._stock[name]
            if stock is None:
                raise EngineUnavailable(f"engine {name}: no NVIDIA driver; install one")
            if isinstance(stock, Exception):
                raise stock
            ms, fault = stock if isinstance(stock, tuple) else (stock, "")
            made = FakeEngine(f"{name}-0", self._cpu, self.clock, ms, fault)
            self.made.setdefault(name, []).append(made)
            return made

        return make

    def choose(self, asked: str = "auto", **options: Any) -> Any:
        wish = Preference(self.order, "")
        return choose(self._cpu.bundle, asked, EngineOptions(**options), self.openers, self.clock, lambda device: wish)

    @property
    def open(self) -> list[str]:
        return [name for name, made in self.made.items() for engine in made if not engine.closed]


@pytest.fixture(scope="module")
def cpu(tiny_bundle: Path) -> OnnxEngine:
    return OnnxEngine(load_bundle(tiny_bundle, FEATURES))


def test_the_only_one_that_works_is_taken_and_the_reasons_are_kept(cpu: OnnxEngine) -> None:
    shop = Shop(cpu)
    choice = shop.choose()
    assert (choice.name, choice.engine) == (CPU, shop.made[CPU][0]) and choice.engine.warmed == 1
    assert [trial.line() for trial in choice.trials] == [
        "tensorrt: passed over: engine tensorrt: no NVIDIA driver; install one",
        "tensorrt-rtx: passed over: engine tensorrt-rtx: no NVIDIA driver; install one",
        "onnx-cuda: passed over: engine onnx-cuda: no NVIDIA driver; install one",
        "onnx-cpu (10.00 ms a clip): taken, the only one that works here",
    ]


def test_the_fastest_is_taken_and_the_others_closed(cpu: OnnxEngine) -> None:
    shop = Shop(cpu, tensorrt=2.0, onnx_cuda=1.0, triton=0.5)
    choice = shop.choose()
    assert choice.name == "onnx-cuda" and shop.open == ["onnx-cuda"] and "triton" not in shop.made
    assert [(trial.name, trial.clip_ms) for trial in choice.trials] == [
        ("tensorrt", pytest.approx(2)),
        ("tensorrt-rtx", None),
        ("onnx-cuda", pytest.approx(1)),
        ("onnx-cpu", pytest.approx(10)),
    ]
    assert choice.trials[0].reason == "passed over: not clearly faster than onnx-cuda (1.00 ms)"
    assert choice.trials[2].reason == "taken, the fastest that works here"


def test_a_server_is_looked_at_only_where_one_is_named(cpu: OnnxEngine) -> None:
    shop = Shop(cpu, triton=0.5)
    assert shop.choose(triton="localhost:8001").name == "triton" and shop.open == ["triton"]


def test_a_gpu_that_is_slower_than_the_cpu_is_not_taken(cpu: OnnxEngine) -> None:
    shop = Shop(cpu, onnx_cuda=30.0)
    assert shop.choose().name == CPU and shop.open == [CPU]


@pytest.mark.parametrize(
    ("fault", "said"),
    [("wrong", r"not the CPU's \(cosine -1\.000\)"), ("cold", "opens and then fails: CUDA error 35; see segue doctor")],
)
def test_one_that_does_not_work_after_all_is_passed_over(cpu: OnnxEngine, fault: str, said: str) -> None:
    shop = Shop(cpu, onnx_cuda=(0.1, fault))
    choice = shop.choose()
    assert choice.name == CPU and shop.open == [CPU]
    (trial,) = [trial for trial in choice.trials if trial.name == "onnx-cuda"]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(trial.reason)


def test_one_that_hangs_is_left_and_closed_when_it_comes_back(cpu: OnnxEngine) -> None:
    shop = Shop(cpu, onnx_cuda=(0.1, "hang"))
    choice = shop.choose(open_s=0.05)
    assert choice.name == CPU and "not ready within 0.05 s" in choice.trials[2].reason
    (late,) = shop.made["onnx-cuda"]
    late.hang.set()
    for _ in range(1000):
        if late.closed:
            break
        threading.Event().wait(0.01)
    assert late.closed == 1


@pytest.mark.parametrize("error", [ImportError("x", name="tensorrt.tensorrt"), OSError("libcuda.so.1"), MemoryError()])
def test_whatever_an_opener_raises_is_a_reason(cpu: OnnxEngine, error: Exception) -> None:
    choice = Shop(cpu, tensorrt=error).choose()
    said = {"ImportError": "package tensorrt is not installed", "OSError": "libcuda.so.1", "MemoryError": "MemoryError"}
    assert choice.name == CPU and said[type(error).__name__] in choice.trials[0].reason


@pytest.mark.parametrize("name", ["onnx-cuda", "tensorrt", "tensorrt-rtx", "triton"])
def test_a_name_is_never_another_engine(cpu: OnnxEngine, name: str) -> None:
    shop = Shop(cpu)
    with pytest.raises(EngineUnavailable, match=f"engine {name}: no NVIDIA driver; install one"):
        shop.choose(name)
    assert shop.made == {}
    shop = Shop(cpu, **{name.replace("-", "_"): ImportError("x", name="thing")})
    with pytest.raises(EngineUnavailable, match="the package thing is not installed"):
        shop.choose(name)
    shop = Shop(cpu, **{name.replace("-", "_"): 3.0})
    choice = shop.choose(name)
    assert choice.name == name and shop.open == [name] and choice.engine.runs == 0


def test_a_name_that_is_none(cpu: OnnxEngine) -> None:
    with pytest.raises(EngineError, match=f"engine 'gpu' is none of {', '.join(NAMES)}"):
        Shop(cpu).choose("gpu")


def test_a_bundle_that_the_cpu_cannot_open_is_the_users_to_mend(cpu: OnnxEngine) -> None:
    with pytest.raises(BundleError, match="export it again"):
        Shop(cpu, tensorrt=1.0, onnx_cpu=BundleError("export it again")).choose()


def test_a_precision_that_only_one_has(cpu: OnnxEngine) -> None:
    """The CPU in float32 is what is compared with, and closed."""
    shop = Shop(cpu, onnx_cuda=1.0)
    make = shop.openers[CPU]

    def plain(bundle: Bundle, options: EngineOptions) -> FakeEngine:
        if options.precision != "float32":
            raise EngineUnavailable("has no graph in float16; export it again")
        return make(bundle, options)  # type: ignore[no-any-return]

    shop.openers = {**shop.openers, CPU: plain}
    choice = shop.choose(precision="float16")
    assert choice.name == "onnx-cuda" and shop.open == ["onnx-cuda"]
    assert choice.trials[-1].line() == "onnx-cpu: passed over: has no graph in float16; export it again"
    shop = Shop(cpu)
    shop.openers = {**shop.openers, CPU: lambda b, o: plain(b, o)}
    with pytest.raises(EngineUnavailable, match=r"tensorrt: .*onnx-cpu: has no graph in float16"):
        shop.choose(precision="float16")
    assert shop.open == []


def test_timing_is_bounded(cpu: OnnxEngine) -> None:
    quick, slow = Shop(cpu), Shop(cpu, onnx_cpu=400.0)
    quick.choose()
    slow.choose()
    before = 2  # the input that is tried, and the answer that others are compared with
    assert quick.made[CPU][0].runs == before + RUNS and slow.made[CPU][0].runs == before + 2


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=4))
def test_the_preferred_one_is_never_clearly_slower_than_another(times: list[float]) -> None:
    found = dict(zip(ORDER, times, strict=False))
    best = preferred(found)
    assert best is not None
    before = list(found)[: list(found).index(best)]
    assert all(found[best] < CLEARLY * found[name] or found[best] < found[name] for name in before)
    assert preferred({}) is None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from([None, 0.5, 5.0, 50.0]) for name in ORDER[:4]}))
def test_the_same_machine_gives_the_same_choice_and_one_engine_stays_open(
    cpu: OnnxEngine, stock: dict[str, Any]
) -> None:
    chosen = []
    for _ in range(2):
        shop = Shop(cpu, **stock)
        choice = shop.choose(triton="localhost:8001")
        assert shop.open == [choice.name] and len(choice.trials) == len(ORDER)
        chosen.append((choice.name, choice.trials))
    assert chosen[0] == chosen[1]


def test_likeness() -> None:
    one = {"a": np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)}
    assert least_cosine(one, one) == 1.0
    assert least_cosine({"a": -one["a"]}, one) == -1.0
    assert least_cosine({"a": np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)}, one) == 0.0


def test_the_cpu_stands_behind_another_engine(cpu: OnnxEngine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shop = Shop(cpu, onnx_cuda=1.0)
    engine = open_engine(cpu.bundle, "onnx-cuda", openers=shop.openers)
    assert isinstance(engine, FallbackEngine) and engine.name == "onnx-cuda-0+onnx-cpu-0"
    assert "engine onnx-cuda: taken, as asked for" in caplog.text
    engine.close()
    assert shop.open == []
    alone = open_engine(cpu.bundle, "onnx-cuda", EngineOptions(fallback=False), shop.openers)
    assert alone.name == "onnx-cuda-0"
    assert open_engine(cpu.bundle, CPU, openers=shop.openers).name == "onnx-cpu-0"


def test_without_a_cpu_engine_nothing_stays_open(cpu: OnnxEngine) -> None:
    shop = Shop(cpu, onnx_cuda=1.0, onnx_cpu=EngineUnavailable("no"))
    with pytest.raises(EngineUnavailable, match="no"):
        open_engine(cpu.bundle, "onnx-cuda", openers=shop.openers)
    assert shop.open == []


def test_auto_tries_all_but_those_that_want_to_be_asked_for() -> None:
    assert set(NAMES) == {AUTO, *ORDER, *BY_NAME} == {AUTO, *OPENERS} and not {*ORDER} & {*BY_NAME}


@pytest.mark.parametrize(
    ("capability", "first", "said"),
    [
        ("7.5", "tensorrt-rtx", "a graphics card: TensorRT for RTX before TensorRT"),
        ("8.6", "tensorrt-rtx", "a graphics card"),
        ("8.9", "tensorrt-rtx", "a graphics card"),
        ("12.0", "tensorrt-rtx", "a graphics card"),
        ("7.0", "tensorrt", "no graphics card of the RTX series: TensorRT before TensorRT for RTX"),
        ("8.0", "tensorrt", "no graphics card"),
        ("9.0", "tensorrt", "no graphics card"),
        ("10.0", "tensorrt", "no graphics card"),
    ],
)
def test_which_tensorrt_is_tried_first(
    monkeypatch: pytest.MonkeyPatch, cpu: OnnxEngine, capability: str, first: str, said: str
) -> None:
    monkeypatch.setattr(graphics_card, "load_cuda", lambda flavour: None)
    monkeypatch.setattr(graphics_card, "describe_gpu", lambda cuda, device: Gpu(device, "NVIDIA X", capability))
    wish = preference()
    assert wish.order[0] == first and set(wish.order) == set(ORDER) and said in wish.reason
    shop = Shop(cpu, tensorrt=2.0, tensorrt_rtx=2.0)
    shop.order = wish.order
    assert shop.choose().name == first


def test_a_gpu_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(flavour: object) -> None:
        raise EngineUnavailable("no driver; install one")

    monkeypatch.setattr(graphics_card, "load_cuda", fails)
    assert preference() == Preference(ORDER, "which GPU this is cannot be asked: no driver; install one")
    stuck = threading.Event()
    monkeypatch.setattr(graphics_card, "load_cuda", lambda flavour: stuck.wait(10))
    monkeypatch.setattr(graphics_card, "LOOK_S", 0.05)
    assert preference() == Preference(ORDER, "the driver did not say within 0.05 s which GPU it has")
    stuck.set()
    assert sorted(CONSUMER_ORDER) == sorted(ORDER)


def test_here(tiny_bundle: Path) -> None:
    """With the real openers, on whatever machine this is: something works, and its answers are the CPU's."""
    bundle = load_bundle(tiny_bundle, FEATURES)
    choice = choose(bundle)
    assert choice.trials[-1].name == CPU and choice.trials[-1].clip_ms is not None
    choice.engine.close()
