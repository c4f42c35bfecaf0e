"""The engine's logic on a strict stand-in for TensorRT and CUDA: numbers by value, orders of calls, every fault."""

import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_inputs import random_inputs

from engines.base import Engine
from engines.bundle import Bundle, load_bundle
from engines.errors import EngineClosed, EngineError, EngineFailed, EngineUnavailable
from engines.onnx_engine import OnnxEngine
from engines.tensorrt_engine import TensorrtEngine, probe
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_runtime import Libraries, load_libraries
from features.spec import FEATURES

Open = Callable[..., TensorrtEngine]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


def test_it_is_an_engine_that_gives_the_same_numbers(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    engine, reference = open_engine(bundle), OnnxEngine(bundle)
    assert isinstance(engine, Engine) and engine.name == "tensorrt-0" and engine.bundle is bundle
    engine.warmup()
    for graph in bundle.manifest.graphs:
        for rows in (1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 70):
            inputs = random_inputs(engine.spec(graph), rows)
            found, expected = engine.run(graph, inputs), reference.run(graph, inputs)
            assert list(found) == list(expected)
            for name, array in expected.items():
                assert found[name].dtype == array.dtype
                np.testing.assert_allclose(found[name], array, atol=1e-5)
    assert engine.facts()["captured"] == "24 of 24" and engine.facts()["gpu"] == "NVIDIA Imaginary"
    engine.close()
    assert machine.leftovers() == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["mood", "video_sequence", "matcher"]), st.integers(1, 70)), max_size=6))
def test_a_request_leaves_nothing_behind(open_engine: Open, bundle: Bundle, requests: list[tuple[str, int]]) -> None:
    """Buffers are shared by requests of any size: what one leaves in them must not reach the next."""
    engine, reference = open_engine(bundle), OnnxEngine(bundle)
    for at, (graph, rows) in enumerate(requests):
        inputs = random_inputs(engine.spec(graph), rows, at)
        given = {name: array.copy() for name, array in inputs.items()}
        found = engine.run(graph, inputs)
        for name, array in reference.run(graph, given).items():
            np.testing.assert_allclose(found[name], array, atol=1e-5)
        for name, array in given.items():
            np.testing.assert_array_equal(inputs[name], array)
    engine.close()


def test_what_pads_is_the_requests_last_row(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    """Not what an earlier request left there: a session's data stays with it."""
    engine = open_engine(bundle, sizes=(1, 8))
    engine.run("mood", random_inputs(engine.spec("mood"), 8, seed=1))
    inputs = random_inputs(engine.spec("mood"), 3, seed=2)
    engine.run("mood", inputs)
    wanted = np.concatenate([inputs["embedding"], np.repeat(inputs["embedding"][-1:], 5, axis=0)])
    assert wanted.tobytes() in [bytes(memory) for memory in machine.memories.values()]
    engine.close()


def test_an_answer_is_the_callers_own(open_engine: Open, bundle: Bundle) -> None:
    engine = open_engine(bundle)
    first = engine.run("mood", random_inputs(engine.spec("mood"), 3))["mood"]
    kept = first.copy()
    engine.run("mood", random_inputs(engine.spec("mood"), 3, seed=1))
    np.testing.assert_array_equal(first, kept)
    engine.close()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(("rows", "launches"), [(1, 1), (2, 1), (8, 1), (9, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_slices_and_launches(open_engine: Open, bundle: Bundle, machine: Any, rows: int, launches: int) -> None:
    """A slice is one launch of a CUDA graph: no copy and no enqueue of its own."""
    engine = open_engine(bundle)
    machine.calls.clear()
    engine.run("mood", random_inputs(engine.spec("mood"), rows))
    each = ["cudaGraphLaunch", "cudaStreamSynchronize"]
    assert machine.calls == ["cudaSetDevice", *each * launches]
    engine.close()


def test_a_plan_is_built_once(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    said: list[str] = []
    open_engine(bundle, progress=said.append).close()
    assert machine.builds == 6 and sum(text.startswith("building") for text in said) == 6
    open_engine(bundle, build=False).close()
    assert machine.builds == 6


def test_without_plans_it_says_how_to_get_them(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    with pytest.raises(
        EngineUnavailable, match=r"no plan of .*mood.* on NVIDIA Imaginary; build them with segue export"
    ):
        open_engine(bundle, build=False)
    assert machine.leftovers() == {}


def test_float32_is_float32(open_engine: Open, bundle: Bundle, plans: Path) -> None:
    """TensorRT's own default would round products to ten bits."""
    open_engine(bundle).close()
    assert all(b'"tf32": false' in file.read_bytes() for file in plans.glob("*.plan"))
    open_engine(bundle, recipe=Recipe(tf32=True)).close()
    assert sum(b'"tf32": true' in file.read_bytes() for file in plans.glob("*.plan")) == 6


def test_float16_is_another_file(open_engine: Open, tiny_bundle: Path, tmp_path: Path, machine: Any) -> None:
    """Graphs that the bundle has in float16 get plans of their own; the others share float32's."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    manifest = json.loads((folder / "manifest.json").read_text())
    model = onnx.load(folder / "mood.onnx")
    model.doc_string = "as if in float16"
    data = model.SerializeToString()
    (folder / "mood.half.onnx").write_bytes(data)
    variant = {"file": "mood.half.onnx", "sha256": hashlib.sha256(data).hexdigest()}
    manifest["graphs"]["mood"]["variants"] = {"float16": variant}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    bundle = load_bundle(folder, FEATURES)
    open_engine(bundle).close()
    assert machine.builds == 6
    engine = open_engine(bundle, precision="float16")
    assert machine.builds == 7 and engine.name == "tensorrt-0-float16"
    assert (engine.precision_of("mood"), engine.precision_of("matcher")) == ("float16", "float32")
    engine.warmup()
    engine.close()


def test_many_threads(open_engine: Open, bundle: Bundle) -> None:
    engine, reference = open_engine(bundle), OnnxEngine(bundle)

    def ask(number: int) -> None:
        graph = ("mood", "matcher", "video_sequence")[number % 3]
        inputs = random_inputs(engine.spec(graph), 1 + number % 40, number)
        for name, array in reference.run(graph, inputs).items():
            np.testing.assert_allclose(engine.run(graph, inputs)[name], array, atol=1e-5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(60)))
    engine.close()


def test_closing_while_others_run(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    engine = open_engine(bundle)
    inputs = random_inputs(engine.spec("mood"), 2)

    def ask(_: int) -> bool:
        try:
            engine.run("mood", inputs)
        except EngineClosed:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, number) for number in range(40)]
        answers[5].result()
        engine.close()
        engine.close()
        assert {answer.result() for answer in answers} <= {True, False}
    with pytest.raises(EngineClosed, match="tensorrt-0 is closed"):
        engine.run("mood", inputs)
    assert machine.leftovers() == {}


@pytest.mark.parametrize("how", ["refused", "lies"])
def test_what_cannot_be_captured_runs_step_by_step(open_engine: Open, bundle: Bundle, machine: Any, how: str) -> None:
    machine.capture_works, machine.replay_lies = how != "refused", how == "lies"
    engine, reference = open_engine(bundle), OnnxEngine(bundle)
    assert engine.facts()["captured"] == "0 of 24"
    inputs = random_inputs(engine.spec("matcher"), 11)
    np.testing.assert_allclose(
        engine.run("matcher", inputs)["score"], reference.run("matcher", inputs)["score"], atol=1e-5
    )
    engine.close()
    assert machine.leftovers() == {}


def test_invalid_requests(open_engine: Open, bundle: Bundle) -> None:
    engine = open_engine(bundle)
    with pytest.raises(EngineError, match="has shape"):
        engine.run("mood", {"embedding": np.zeros((1, 3), np.float32)})
    with pytest.raises(EngineError, match="holds NaN"):
        engine.run("mood", {"embedding": np.full((1, 32), np.nan, np.float32)})
    with pytest.raises(EngineError, match="has no graph oracle"):
        engine.run("oracle", {})
    engine.close()


def test_nan_in_an_answer(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    engine = open_engine(bundle)
    machine.spoil = lambda name, array: np.full_like(array, np.nan)
    with pytest.raises(EngineFailed, match=r"graph mood: output mood .*NaN"):
        engine.run("mood", random_inputs(engine.spec("mood"), 2))
    machine.spoil = lambda name, array: array
    engine.run("mood", random_inputs(engine.spec("mood"), 2))
    engine.close()


def test_out_of_memory(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    machine.memory = 200_000
    with pytest.raises(EngineUnavailable, match="memory is used up"):
        open_engine(bundle)
    assert machine.leftovers() == {}


def test_a_lost_gpu_stays_lost(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    engine = open_engine(bundle)
    inputs = random_inputs(engine.spec("mood"), 2)
    machine.error, machine.stays_lost, machine.fail_at = "cudaErrorLaunchFailure", True, len(machine.calls) + 1
    with pytest.raises(EngineFailed, match="cudaErrorLaunchFailure"):
        engine.run("mood", inputs)
    calls = len(machine.calls)
    with pytest.raises(EngineFailed, match=r"the GPU was lost \(cudaErrorLaunchFailure\); open another engine"):
        engine.run("mood", inputs)
    assert len(machine.calls) == calls
    engine.close()  # gives back what it can, and raises nothing


def test_memory_that_comes_back(open_engine: Open, bundle: Bundle, machine: Any) -> None:
    engine = open_engine(bundle)
    inputs = random_inputs(engine.spec("mood"), 2)
    machine.error, machine.fail_at = "cudaErrorMemoryAllocation", len(machine.calls) + 1
    with pytest.raises(EngineFailed, match="memory is used up"):
        engine.run("mood", inputs)
    engine.run("mood", inputs)
    engine.close()
    assert machine.leftovers() == {}


def live(bundle: Bundle, on: Any, folder: Path, build: bool) -> None:
    """An engine's life, from its plans to its end, with runs in one slice and in two."""
    libraries = Libraries(trt=on.trt, cuda=on.cuda)
    engine = TensorrtEngine(bundle, plans=folder, libraries=libraries, build=build, sizes=(1, 8))
    try:
        for graph, rows in (("mood", 9), ("matcher", 1)):
            engine.run(graph, random_inputs(engine.spec(graph), rows))
    finally:
        engine.close()


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("build", [False, True])
def test_every_call_may_fail(fake: Any, bundle: Bundle, tmp_path: Path, build: bool, lasting: bool) -> None:
    """Each call of a life fails in turn (of those that repeat, the first and the last): nothing but our errors comes
    out, and nothing stays taken but what the failed call itself did not give back. ``build``: only the calls of the
    builds; otherwise those after them, from plans that are there."""
    ready = tmp_path / "ready"
    whole = fake.Machine()
    live(bundle, whole, ready, True)
    names = list(whole.calls[: whole.calls.index("Runtime")])
    if not build:
        whole.calls.clear()
        live(bundle, whole, ready, False)
        names = list(whole.calls)
    first, last = {name: at for at, name in reversed(list(enumerate(names)))}, {n: at for at, n in enumerate(names)}
    assert len(first) >= (16 if build else 25), sorted(first)
    harmless = []
    for number, at in enumerate(sorted({*first.values(), *last.values()})):
        broken = fake.Machine()
        broken.fail_at, broken.stays_lost = at, lasting
        try:
            live(bundle, broken, tmp_path / str(number) if build else ready, build)
            harmless.append(broken.failed)
        except (EngineUnavailable, EngineFailed) as error:
            assert "\n" not in str(error) and ";" in str(error), str(error)
        assert broken.failed == names[at]
        if not lasting:
            kept = broken.leftovers()
            allowed = 1 if broken.failed in GIVING_BACK else 0
            assert sum(kept.values()) <= allowed, f"{broken.failed} (call {at}): {kept}"
    # Logged, and gone on without: releases, a capture, the timing cache.
    assert set(harmless) <= {
        *GIVING_BACK,
        "cudaStreamEndCapture",
        "execute_async_v3",
        "cudaMemcpyAsync",
        *TIMING,
        *LAST,
    }


TIMING = ("create_timing_cache", "set_timing_cache")
LAST = ("cudaSetDevice", "cudaStreamSynchronize")  # of close
GIVING_BACK = ("cudaFree", "cudaFreeHost", "cudaStreamDestroy", "cudaGraphDestroy", "cudaGraphExecDestroy")


def test_another_gpu_or_version_has_plans_of_its_own(
    open_engine: Open, fake: Any, bundle: Bundle, machine: Any
) -> None:
    open_engine(bundle).close()
    for other in (fake.Machine(gpu="NVIDIA Other"), fake.Machine(version="11.5.0.1"), fake.Machine(capability=(8, 9))):
        with pytest.raises(EngineUnavailable, match="has no plan of"):
            open_engine(bundle, on=other, build=False)
        open_engine(bundle, on=other).close()
        assert other.builds == 6


def test_plans_that_may_travel(open_engine: Open, fake: Any, bundle: Bundle) -> None:
    recipe = Recipe(same_capability=True, version_compatible=True)
    open_engine(bundle, recipe=recipe).close()
    sibling = fake.Machine(gpu="NVIDIA Sibling", version="11.9.0.1")
    open_engine(bundle, on=sibling, recipe=recipe, build=False).close()
    for stranger in (
        fake.Machine(capability=(8, 9)),
        fake.Machine(version="11.3.0.1"),
        fake.Machine(version="12.0.0.1"),
    ):
        with pytest.raises(EngineUnavailable, match="has no plan of"):
            open_engine(bundle, on=stranger, recipe=recipe, build=False)


def test_a_plan_that_tensorrt_refuses_though_its_hash_is_right(
    open_engine: Open, fake: Any, bundle: Bundle, machine: Any
) -> None:
    """The driver's name of a GPU may hide a difference: TensorRT has the last word."""
    open_engine(bundle).close()
    twin = fake.Machine()
    twin.version = "11.4.0.107"  # what the library does, not what it says
    with pytest.raises(EngineUnavailable, match=r"does not load its plan: the plan was built with 11\.4\.0\.106"):
        open_engine(bundle, on=twin, build=False)
    assert twin.leftovers() == {}


def test_a_cut_plan(open_engine: Open, bundle: Bundle, plans: Path, machine: Any) -> None:
    open_engine(bundle).close()
    cut = next(iter(plans.glob("*.plan")))
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(EngineUnavailable, match="SHA-256"):
        open_engine(bundle, build=False)
    open_engine(bundle).close()
    assert machine.builds == 7
    open_engine(bundle, build=False).close()


@pytest.mark.parametrize(
    ("machine_options", "device", "said"),
    [
        ({"count": 0}, 0, "GPU 0 is not there: this machine has 0"),
        ({"count": 2}, 2, "GPU 2 is not there: this machine has 2"),
        ({"driver": 0}, 0, r"there is no NVIDIA driver \(cudaErrorInsufficientDriver\); install one for CUDA 13"),
        ({"driver": 12040}, 0, r"the NVIDIA driver is for CUDA 12\.4, too old .*; install one for CUDA 13"),
    ],
)
def test_no_gpu(open_engine: Open, fake: Any, bundle: Bundle, machine_options: Any, device: int, said: str) -> None:
    with pytest.raises(EngineUnavailable, match=said):
        open_engine(bundle, on=fake.Machine(**machine_options), device=device)


def test_int8_is_for_the_cpu(open_engine: Open, bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="precision is int8; TensorRT takes float32, float16, bfloat16"):
        open_engine(bundle, precision="int8")


@pytest.mark.parametrize("sizes", [(), (8, 1), (1, 1), (0,), (1, 4), (64,)])
def test_sizes_that_cannot_be(open_engine: Open, bundle: Bundle, sizes: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match=r"sizes? (is|are|\d+)"):
        open_engine(bundle, sizes=sizes)


def test_probe(bundle: Bundle, plans: Path, machine: Any, open_engine: Open, libraries: Libraries) -> None:
    assert "has no plan of" in str(probe(bundle, plans=plans, libraries=libraries))
    open_engine(bundle).close()
    assert probe(bundle, plans=plans, libraries=libraries) is None
    machine.spoil = lambda name, array: np.full_like(array, np.inf)
    assert "NaN or infinity" in str(probe(bundle, plans=plans, libraries=libraries))
    assert machine.leftovers() == {}


def test_probe_where_tensorrt_is_not_installed(bundle: Bundle, plans: Path) -> None:
    """On any machine of ours: the reason is one line that says how to get it."""
    try:
        load_libraries()
    except EngineUnavailable as error:
        reason = probe(bundle, plans=plans)
        assert reason == str(error) and "tensorrt" in reason and "\n" not in reason
    else:
        pytest.skip("TensorRT is installed here")
