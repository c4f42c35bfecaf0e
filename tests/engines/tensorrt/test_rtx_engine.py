"""TensorRT for RTX as an engine, on a stand-in for its runtime: which plans it takes, what it keeps, what it refuses.

It never ran on a GPU: what the real runtime says of these plans is not known here. That names and arguments are its own
is held in ``test_signatures.py``, and the real builder is tried in ``test_rtx_builds.py``.
"""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from random_inputs import random_inputs

from engines.bundle import Bundle, load_bundle
from engines.choose import EngineOptions, open_tensorrt_rtx
from engines.errors import BundleError, EngineFailed, EngineUnavailable
from engines.onnx_engine import OnnxEngine
from engines.plan_cache import PlanCache
from engines.tensorrt_build import Plan, plan_key
from engines.tensorrt_engine import TensorrtEngine, probe
from engines.tensorrt_network import NetworkFacts
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_rtx import RTX
from engines.tensorrt_runtime import Gpu, Libraries, load_builder
from export import rtx_plans
from export.errors import ExportError
from export.rtx_plans import RtxPlans, add_plans, stays
from features.spec import FEATURES

VERSION = "1.7.1.116"
Open = Callable[..., TensorrtEngine]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


def plans_of(fakes: tuple[ModuleType, ModuleType], bundle: Bundle, **options: Any) -> dict[str, bytes]:
    """A stand-in's plan for every graph, in float32."""
    fake, fake_rtx = fakes
    made = {}
    for graph, spec in bundle.manifest.graphs.items():
        inputs = {tensor.name: [int(size) for size in tensor.shape[1:]] for tensor in spec.inputs}
        made[graph] = fake_rtx.plan_of(fake, bundle.read(graph), inputs, **options)
    return made


def fill(cache: PlanCache, bundle: Bundle, plans: dict[str, bytes]) -> None:
    """Put plans into the folder, as a build would."""
    for graph, plan in plans.items():
        cache.store(plan_key(bundle, graph, "float32", Recipe(), VERSION, None, RTX), plan, VERSION, 1.0)


def with_plans(bundle: Bundle, folder: Path, plans: dict[str, bytes], version: str = VERSION) -> Bundle:
    """A copy of the bundle with these plans in it."""
    copy = load_bundle(shutil.copytree(bundle.path, folder), FEATURES)
    capability = RTX.target(Recipe(), "float32", None)[1]
    made = tuple(Plan(graph, "float32", data, 1.0, capability) for graph, data in plans.items())
    networks = {(plan.graph, "float32"): NetworkFacts((), (), 1, {}) for plan in made}
    assert "(as before)" in add_plans(copy, RtxPlans(version, made, networks, (), ""))
    return load_bundle(copy.path, FEATURES)


@pytest.fixture
def open_rtx(rtx_machine: Any, plans: Path) -> Open:
    def open_(bundle: Bundle, on: Any = None, **options: Any) -> TensorrtEngine:
        on = on or rtx_machine
        return TensorrtEngine(bundle, plans=plans, libraries=Libraries(on.trt, on.cuda, RTX), **options)

    return open_


@pytest.fixture
def filled(fakes: tuple[ModuleType, ModuleType], bundle: Bundle, plans: Path) -> None:
    fill(PlanCache(plans), bundle, plans_of(fakes, bundle))


@pytest.mark.usefixtures("filled")
def test_it_gives_the_same_numbers(open_rtx: Open, bundle: Bundle, rtx_machine: Any) -> None:
    engine, reference = open_rtx(bundle), OnnxEngine(bundle)
    assert engine.name == "tensorrt-rtx-0"
    for graph in bundle.manifest.graphs:
        for rows in (1, 2, 8, 33):
            inputs = random_inputs(engine.spec(graph), rows)
            for name, array in reference.run(graph, inputs).items():
                np.testing.assert_allclose(engine.run(graph, inputs)[name], array, atol=1e-5)
    facts = engine.facts()
    assert facts["tensorrt-rtx"] == VERSION and facts["captured"] == "by the runtime"
    assert not [call for call in rtx_machine.calls if "Capture" in call or "Graph" in call]
    engine.close()
    assert rtx_machine.leftovers() == {}


@pytest.mark.usefixtures("filled")
def test_what_was_compiled_is_kept(open_rtx: Open, fakes: Any, bundle: Bundle, plans: Path, rtx_machine: Any) -> None:
    """A file a graph, made when the engine opens, read by the next, not that of another card."""
    open_rtx(bundle).close()
    files = sorted(plans.glob("*.runtime"))
    assert len(files) == 6 and {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert all(file.read_bytes().endswith(b"|4") for file in files)  # a context for each size
    open_rtx(bundle).close()
    assert all(file.read_bytes().endswith(b"|8") for file in files)
    files[0].write_bytes(files[0].read_bytes()[:-1])  # damage costs time alone
    open_rtx(bundle).close()
    assert sorted(file.read_bytes()[-2:] for file in files) == [b"12"] * 5 + [b"|4"]
    other = fakes[1].make_machine(fakes[0], gpu="NVIDIA GeForce Other")
    open_rtx(bundle, on=other).close()
    assert len(list(plans.glob("*.runtime"))) == 12
    rtx_machine.cache_raises = True  # and so does one that is refused by exception
    open_rtx(bundle).close()
    assert {file.read_bytes()[-2:] for file in files} == {b"|4"}
    rtx_machine.cache_works = False
    open_rtx(bundle).close()
    assert rtx_machine.leftovers() == other.leftovers() == {}


@pytest.mark.usefixtures("filled")
def test_what_was_compiled_cannot_be_kept(
    open_rtx: Open, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: PlanCache, data: bytes, *key: str) -> None:
        raise EngineUnavailable("no room; make some")

    monkeypatch.setattr(PlanCache, "store_runtime", full)
    open_rtx(bundle).close()
    assert "the next start compiles again: no room" in caplog.text


def test_plans_of_the_bundle_are_taken(
    open_rtx: Open, fakes: Any, bundle: Bundle, plans: Path, tmp_path: Path, rtx_machine: Any
) -> None:
    whole = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle))
    assert whole.identity == bundle.identity and len(whole.spec("mood").plans) == 1
    engine = open_rtx(whole)
    engine.warmup()
    engine.close()
    assert not list(plans.glob("*.plan")) and rtx_machine.leftovers() == {}


def test_plans_of_another_version(open_rtx: Open, fakes: Any, bundle: Bundle, tmp_path: Path, plans: Path) -> None:
    old = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle, version="1.6.0.9"), "1.6.0.9")
    said = (
        r"has no plan of .*mood.* for TensorRT for RTX 1\.7\.1\.116 on NVIDIA GeForce Imaginary \(the bundle's own "
        r"plans are of version 1\.6\.0\.9\); build them with segue export --plans \S+ --rtx"
    )
    with pytest.raises(EngineUnavailable, match=said):
        open_rtx(old)
    fill(PlanCache(plans), old, plans_of(fakes, bundle))
    open_rtx(old).close()


def test_a_plan_that_says_another_version_than_it_is(open_rtx: Open, fakes: Any, bundle: Bundle, plans: Path) -> None:
    fill(PlanCache(plans), bundle, plans_of(fakes, bundle, version="1.7.0.1"))
    with pytest.raises(EngineUnavailable, match="refuses its plan: another version built it; build it again"):
        open_rtx(bundle)


def test_a_plan_for_other_cards(open_rtx: Open, fakes: Any, bundle: Bundle, plans: Path) -> None:
    fill(PlanCache(plans), bundle, plans_of(fakes, bundle, capabilities=["12.0"]))
    with pytest.raises(EngineUnavailable, match=r"not built for compute capability 8\.9 \(NVIDIA GeForce Imaginary\)"):
        open_rtx(bundle)


@pytest.mark.usefixtures("filled")
def test_a_damaged_plan_in_the_folder(open_rtx: Open, bundle: Bundle, plans: Path) -> None:
    file = next(iter(plans.glob("*.plan")))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(
        EngineUnavailable, match=r"has \d+ bytes and SHA-256 .* build it again .* --plans BUNDLE --rtx$"
    ):
        open_rtx(bundle)


def test_no_plan_at_all(open_rtx: Open, fakes: Any, bundle: Bundle, plans: Path) -> None:
    fill(PlanCache(plans), bundle, dict.fromkeys(bundle.manifest.graphs, b"PLAN" + b"x" * 100))
    with pytest.raises(EngineUnavailable, match="refuses its plan: it is no plan; build it again with segue export"):
        open_rtx(bundle)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("OLD_CUDA_DRIVER", "the driver is too old for it; install a driver for CUDA 13"),
        ("OLD_CUDA_RUNTIME", r"CUDA's libraries are too old for it; pip install \"\.\[rtx\]\""),
        ("INSUFFICIENT_GPU_MEMORY", "the GPU's memory is too small for it; end other programs"),
        ("CUDA_ERROR", "CUDA does not work here"),
    ],
)
def test_what_the_runtime_finds(open_rtx: Open, bundle: Bundle, rtx_machine: Any, name: str, said: str) -> None:
    rtx_machine.diagnosis = int(rtx_machine.trt.EngineInvalidityDiagnostics[name])
    with pytest.raises(EngineUnavailable, match=said):
        open_rtx(bundle)
    assert rtx_machine.leftovers() == {}


@pytest.mark.parametrize(
    ("capability", "said"),
    [
        (
            (7, 5),
            r"7\.5, which TensorRT for RTX runs in float16 alone, and .*mood.* would run in float32; make a bundle",
        ),
        (
            (6, 1),
            r"6\.1, too old for TensorRT for RTX, which begins at 7\.5 \(RTX 20, in float16\) and runs float32 from",
        ),
        ((7, 0), r"7\.0, too old"),
        ((9, 0), r"9\.0, a data-centre card, for which TensorRT for RTX has no code; use engine tensorrt"),
        ((10, 0), r"10\.0, a data-centre card"),
        ((8, 7), r"8\.7, for which this segue builds no plans .*7\.5, 8\.0, 8\.6, 8\.9, 12\.0, 12\.1.*; use engine"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_cards_that_it_does_not_run_on(
    open_rtx: Open, fakes: Any, bundle: Bundle, capability: tuple[int, int], said: str
) -> None:
    with pytest.raises(EngineUnavailable, match=said):
        open_rtx(bundle, on=fakes[1].make_machine(fakes[0], capability=capability))


def test_turing_runs_float16(open_rtx: Open, fakes: Any, bundle: Bundle, tmp_path: Path, plans: Path) -> None:
    """Where the bundle has every graph in it; where it lacks one, that one is named."""
    folder = Path(shutil.copytree(bundle.path, tmp_path / "bundle"))
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    for graph, entry in manifest["graphs"].items():
        shutil.copy(folder / entry["file"], folder / f"{graph}.half.onnx")
        entry["variants"] = {"float16": {"file": f"{graph}.half.onnx", "sha256": entry["sha256"]}}
    file.write_text(json.dumps(manifest))
    both = load_bundle(folder, FEATURES)
    for graph, plan in plans_of(fakes, bundle, capabilities=RTX.target(Recipe(), "float16", None)[1].split()).items():
        key = plan_key(both, graph, "float16", Recipe(), VERSION, None, RTX)
        PlanCache(plans).store(key, plan, VERSION, 1.0)
    turing = fakes[1].make_machine(fakes[0], capability=(7, 5))
    engine = open_rtx(both, on=turing, precision="float16")
    assert engine.name == "tensorrt-rtx-0-float16" and engine.precision_of("mood") == "float16"
    engine.warmup()
    engine.close()
    del manifest["graphs"]["mood"]["variants"]
    file.write_text(json.dumps(manifest))
    with pytest.raises(EngineUnavailable, match="runs in float16 alone, and mood would run in float32"):
        open_rtx(load_bundle(folder, FEATURES), on=turing, precision="float16")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"driver": 0}, "there is no NVIDIA driver"),
        ({"driver": 12080}, r"is for CUDA 12\.8, too old"),
        ({"count": 0}, "has 0"),
    ],
)
def test_no_gpu(open_rtx: Open, fakes: Any, bundle: Bundle, options: Any, said: str) -> None:
    with pytest.raises(EngineUnavailable, match=said):
        open_rtx(bundle, on=fakes[1].make_machine(fakes[0], **options))


@pytest.mark.usefixtures("filled")
def test_out_of_memory(open_rtx: Open, bundle: Bundle, rtx_machine: Any) -> None:
    rtx_machine.memory = 200_000
    with pytest.raises(EngineUnavailable, match="the GPU's memory is used up"):
        open_rtx(bundle)
    rtx_machine.memory = 1 << 30
    engine = open_rtx(bundle)
    rtx_machine.error, rtx_machine.fail_at = "cudaErrorMemoryAllocation", len(rtx_machine.calls) + 1
    with pytest.raises(EngineFailed, match="memory is used up"):
        engine.run("mood", random_inputs(engine.spec("mood"), 2))
    engine.run("mood", random_inputs(engine.spec("mood"), 2))
    engine.close()
    assert rtx_machine.leftovers() == {}


@pytest.mark.usefixtures("filled")
def test_every_call_may_fail(open_rtx: Open, fakes: Any, bundle: Bundle, rtx_machine: Any) -> None:
    """The first call of each name fails in turn: nothing but our errors comes out, and nothing stays taken."""
    names: dict[str, int] = {}
    open_rtx(bundle, sizes=(1, 8)).close()
    for at, name in enumerate(rtx_machine.calls):
        names.setdefault(name, at)
    assert {"create_runtime_config", "create_runtime_cache", "set_runtime_cache", "serialize"} <= set(names)
    harmless = []
    for at in names.values():
        broken = fakes[1].make_machine(fakes[0])
        broken.fail_at = at
        try:
            open_rtx(bundle, on=broken, sizes=(1, 8)).close()
            harmless.append(broken.failed)
        except EngineUnavailable as error:
            assert "\n" not in str(error) and ";" in str(error), str(error)
        assert sum(broken.leftovers().values()) <= (broken.failed in GIVING_BACK), broken.failed
    assert set(harmless) <= {*GIVING_BACK, "set_runtime_cache", "serialize"}


GIVING_BACK = ("cudaFree", "cudaFreeHost", "cudaStreamDestroy")


@pytest.mark.usefixtures("filled")
def test_a_second_run_that_differs(open_rtx: Open, bundle: Bundle, rtx_machine: Any) -> None:
    """Where the runtime's own CUDA graph gives other numbers than its first run, the engine does not open."""
    runs: list[str] = []

    def drift(name: str, array: np.ndarray) -> np.ndarray:
        runs.append(name)
        return array + np.float32(len(runs))

    rtx_machine.spoil = drift
    with pytest.raises(EngineUnavailable, match="its second run gives other numbers than its first"):
        open_rtx(bundle)
    assert rtx_machine.leftovers() == {}


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the first graph's plan entry in a bundle's manifest."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    change(next(iter(manifest["graphs"].values()))["plans"][0])
    file.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan.update(onnx="0" * 64), "made of another graph .*; build its plans again with segue export"),
        (lambda plan: plan.update(precision="float16"), "of 'float16', the graph is there in float32; build its plans"),
        (lambda plan: plan.update(file="../x"), "not a plain file name"),
        (lambda plan: plan.update(sha256="1" * 64), "damaged or from another bundle"),
        (lambda plan: plan.update(size=0), "size is 0, not a positive whole number"),
        (lambda plan: plan.update(size=1 << 40), "may have"),
        (lambda plan: plan.update(capabilities=[8.9]), "capabilities are no texts"),
        (lambda plan: plan.update(profiles=[[1, 2]]), "profiles no three numbers"),
        (lambda plan: plan.pop("version"), "the field version is missing"),
    ],
)
def test_a_manifest_that_contradicts_its_plans(
    fakes: Any, bundle: Bundle, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    whole = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle))
    changed(whole.path, change)
    with pytest.raises(BundleError, match=said):
        load_bundle(whole.path, FEATURES)


def test_a_bundles_plan_for_fewer_cards_is_no_plan_for_all(fakes: Any, bundle: Bundle, tmp_path: Path) -> None:
    """It runs on the card that it is for; who builds for all builds anew."""
    whole = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle))
    changed(whole.path, lambda plan: plan.update(capabilities=["8.9"]))
    few = load_bundle(whole.path, FEATURES)
    graph = next(iter(few.manifest.graphs))
    key = plan_key(few, graph, "float32", Recipe(), VERSION, None, RTX)
    ada, ampere = Gpu(0, "Ada", "8.9"), Gpu(0, "Ampere", "8.6")
    assert [RTX.bundled(few, key, VERSION, gpu) is None for gpu in (ada, ampere, None)] == [False, True, True]
    assert RTX.bundled(whole, key, VERSION, None) is not None


def test_damage_in_a_bundles_plan(open_rtx: Open, fakes: Any, bundle: Bundle, tmp_path: Path) -> None:
    whole = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle))
    (file,) = whole.path.glob("mood.*.plan.xz")
    data = file.read_bytes()
    file.write_bytes(data[:-10] + b"0123456789")
    with pytest.raises(BundleError, match=r"mood\S+ .*the file is damaged"):
        open_rtx(whole)
    with pytest.raises(BundleError, match="the file is damaged"):
        load_bundle(whole.path, FEATURES)


def test_a_bundles_plan_that_unpacks_to_something_else(fakes: Any, bundle: Bundle, tmp_path: Path) -> None:
    """What is unpacked is bounded by what the manifest says."""
    whole = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle))
    for size in (10, 10_000_000):
        changed(whole.path, lambda plan, size=size: plan.update(size=size))  # type: ignore[misc]
        again = load_bundle(whole.path, FEATURES)
        graph = next(iter(again.manifest.graphs))
        with pytest.raises(BundleError, match=f"is not the {size} bytes"):
            again.read_plan(graph, again.spec(graph).plans[0])


def test_a_bundle_takes_32_mb(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rtx_plans.MAX_BUNDLE == 32_000_000
    copy = load_bundle(shutil.copytree(bundle.path, tmp_path / "bundle"), FEATURES)
    before = sorted(copy.path.iterdir())
    monkeypatch.setattr(rtx_plans, "MAX_BUNDLE", sum(file.stat().st_size for file in before) + 900_000)
    noise = np.random.default_rng(0).bytes(1_000_000)
    made = RtxPlans(VERSION, (Plan("mood", "float32", noise, 1.0, "8.9"),), {}, (), "")
    with pytest.raises(ExportError, match=r"would have \d\.\d MB with its plans, may have \d; leave --with-plans out"):
        add_plans(copy, made)
    assert sorted(copy.path.iterdir()) == before
    monkeypatch.setattr(rtx_plans, "MAX_BUNDLE", sum(file.stat().st_size for file in before) + 1_100_000)
    add_plans(copy, made)


def test_new_plans_take_the_place_of_old_ones(fakes: Any, bundle: Bundle, tmp_path: Path) -> None:
    whole = with_plans(bundle, tmp_path / "bundle", plans_of(fakes, bundle))
    first = {file.name for file in whole.path.glob("*.xz")}
    made = tuple(
        Plan(graph, "float32", plan, 1.0, "8.9 12.0") for graph, plan in plans_of(fakes, bundle, version="2").items()
    )
    add_plans(whole, RtxPlans("2", made, {}, (), ""))
    after = load_bundle(whole.path, FEATURES)
    assert not first & {file.name for file in whole.path.glob("*.xz")} and len(list(whole.path.glob("*.xz"))) == 6
    assert {spec.plans[0].version for spec in after.manifest.graphs.values()} == {"2"}
    assert after.identity == bundle.identity
    half = tuple(replace(plan, precision="float16") for plan in made if plan.graph == "mood")
    entry = {"precision": "float32", "engine": "tensorrt-rtx", "version": "2"}
    beside = RtxPlans("2", half, {}, (), "")
    assert stays(entry, beside) and not stays(entry | {"version": "1"}, beside)
    assert not stays(entry | {"precision": "float16"}, beside) and stays(entry | {"engine": "another"}, beside)


def test_the_package_is_not_installed(bundle: Bundle, plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", None)
    said = 'the package tensorrt-rtx-cu13-bindings is not installed; pip install ".[rtx]" brings it'
    with pytest.raises(EngineUnavailable) as caught:
        open_tensorrt_rtx(bundle, EngineOptions(plans=plans))
    assert str(caught.value) == said == probe(bundle, plans=plans, flavour=RTX)


def test_a_package_that_is_too_old(monkeypatch: pytest.MonkeyPatch, rtx_machine: Any) -> None:
    old = type("Module", (), {"__version__": "1.3.0.8"})
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", old)
    with pytest.raises(EngineUnavailable, match=r"TensorRT for RTX 1\.3\.0\.8 is installed, this segue needs 1\.7 or"):
        load_builder(RTX)
