"""Every name and call that our files make of TensorRT and CUDA, against the real modules' own signatures.

The running half is held against the lean runtime and ``cuda.bindings`` as installed here, which need no GPU to be
imported; the builder, which the lean runtime lacks, against ``signatures.json`` of the same version, which in turn is
compared with the full binding wherever that and a C compiler are there. All of it is held against TensorRT for RTX
too, builder and runtime. That the check would find a mistake is shown by making every one: each name misspelt, each
call given too much or too little.
"""

import importlib.metadata
import importlib.util
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engines.tensorrt_engine
from engines.bundle import load_bundle
from engines.plan_cache import PlanCache
from engines.tensorrt_build import plan_key
from engines.tensorrt_engine import TensorrtEngine
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_rtx import RTX
from engines.tensorrt_runtime import Libraries
from features.spec import FEATURES

FOLDER = Path(engines.tensorrt_engine.__file__).parent
FILES = sorted(FOLDER.glob("tensorrt_*.py"))
SPEAKING = [file for file in FILES if file.name != "tensorrt_recipe.py"]  # which says nothing to TensorRT
RTX_FILE = FOLDER / "tensorrt_rtx.py"  # what TensorRT for RTX alone is asked for
PLAIN = [file for file in SPEAKING if file != RTX_FILE]
BUILDING = {"tensorrt_build.py", "tensorrt_flavour.py", "tensorrt_network.py"}
RUNNING = [file for file in PLAIN if file.name not in BUILDING]
OPTIONAL = ("create_execution_context(self", "set_runtime_cache(")  # calls whose last argument has a default
LEAST = {"tensorrt_flavour.py": 20, "tensorrt_network.py": 22}  # sites that the check must see, 30 elsewhere
# Where pyproject's markers install them; elsewhere there are no wheels to compare with.
HERE = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info[:2] == (3, 11)
wheels = pytest.mark.skipif(not HERE, reason="the wheels are installed for Python 3.11 on x86-64 Linux alone")


@pytest.fixture(scope="module")
def lean(contract: Any, record: Any) -> Any:
    import tensorrt_lean_bindings

    return contract.read_pybind(tensorrt_lean_bindings, record.CLASSES)


@pytest.fixture(scope="module")
def rtx(contract: Any, record: Any) -> Any:
    if not HERE:
        pytest.skip("TensorRT for RTX is installed for Python 3.11 on x86-64 Linux alone")
    import tensorrt_rtx_bindings

    return contract.read_pybind(tensorrt_rtx_bindings, record.RTX_CLASSES)


@pytest.fixture(scope="module")
def apis_of(recorded: Any, rtx: Any, cuda: Any) -> Any:
    """What a file is held against: TensorRT, or TensorRT for RTX where only that has what the file asks for."""
    return lambda file: {"trt": rtx if file == RTX_FILE else recorded, "cuda": cuda}


@pytest.fixture(scope="module")
def cuda(contract: Any) -> Any:
    if not HERE:
        pytest.skip("cuda-bindings is installed for Python 3.11 on x86-64 Linux alone")
    from cuda.bindings import runtime

    return contract.read_cuda(runtime, importlib.metadata.version("cuda-bindings"))


def check(contract: Any, apis: Any, source: str, name: str) -> Any:
    checker = contract.Checker(apis)
    checker.check(source, name)
    return checker


@wheels
@pytest.mark.parametrize("file", RUNNING, ids=lambda file: file.name)
def test_the_running_half_against_the_lean_runtime(contract: Any, lean: Any, cuda: Any, file: Path) -> None:
    checker = check(contract, {"trt": lean, "cuda": cuda}, file.read_text(), file.name)
    assert not checker.problems, "\n".join(map(str, checker.problems))
    assert len(checker.sites) >= 30


@pytest.mark.parametrize("file", PLAIN, ids=lambda file: file.name)
def test_all_of_it_against_the_full_binding(contract: Any, recorded: Any, cuda: Any, file: Path) -> None:
    checker = check(contract, {"trt": recorded, "cuda": cuda}, file.read_text(), file.name)
    assert not checker.problems, "\n".join(map(str, checker.problems))
    assert len(checker.sites) >= LEAST.get(file.name, 30)


@wheels
@pytest.mark.parametrize("file", SPEAKING, ids=lambda file: file.name)
def test_all_of_it_against_tensorrt_for_rtx(contract: Any, rtx: Any, cuda: Any, file: Path) -> None:
    checker = check(contract, {"trt": rtx, "cuda": cuda}, file.read_text(), file.name)
    assert not checker.problems, "\n".join(map(str, checker.problems))
    assert len(checker.sites) >= LEAST.get(file.name, 30)


@wheels
def test_its_own_names_are_in_one_file(contract: Any, recorded: Any, cuda: Any) -> None:
    """TensorRT lacks what the file of differences asks for: it is no other place's to ask."""
    problems = check(contract, {"trt": recorded, "cuda": cuda}, RTX_FILE.read_text(), RTX_FILE.name).problems
    assert {problem.site.name for problem in problems} >= {"ComputeCapability", "IRuntimeCache", "EngineValidity"}


def test_no_other_file_speaks_to_tensorrt() -> None:
    """Then these are all the files that the check must see."""
    for file in FOLDER.parent.glob("[a-z]*/**/*.py"):
        text = file.read_text()
        if file not in FILES and "/tests/" not in str(file):
            assert ".execute_async_v3" not in text and "import tensorrt\n" not in text, file


@wheels
def test_record_and_lean_runtime_are_of_one_version(contract: Any, recorded: Any, lean: Any) -> None:
    """Also where the lean runtime has it, the record says the same, but for what names a class that only the full
    binding has."""
    assert recorded.version == lean.version == importlib.metadata.version("tensorrt-lean-cu13-bindings")
    for name, kind in lean.classes.items():
        full = recorded.classes[name]
        assert (kind.bases, kind.members, kind.properties) == (full.bases, full.members, full.properties)
        differing = {key for key in full.methods if full.methods[key] != kind.methods.get(key)}
        assert differing <= {"create_engine_inspector", "get_tensor_format"}, name


@wheels
def test_the_record_is_what_the_full_binding_says(contract: Any, record: Any) -> None:
    if importlib.util.find_spec("tensorrt_bindings") is None:
        pytest.skip("tensorrt-cu13-bindings is not installed here")
    binding = record.full_binding()
    if binding is None:
        pytest.skip("no C compiler here")
    assert json.loads(record.RECORD.read_text()) == record.as_json(contract.read_pybind(binding, record.CLASSES))


def test_every_misspelling_is_found(contract: Any, apis_of: Any, record_property: Any) -> None:
    """Each name that our files take from TensorRT or CUDA, misspelt on purpose where it stands."""
    found = 0
    for file in SPEAKING:
        source, apis = file.read_text(), apis_of(file)
        for site, wrong in contract.misspellings(source, check(contract, apis, source, file.name).sites):
            problems = check(contract, apis, wrong, file.name).problems
            assert any(problem.site.line == site.line for problem in problems), f"{file.name}:{site.line} {site.name}"
            found += 1
    record_property("misspellings found", found)
    print(f"{found} names misspelt, {found} found")  # noqa: T201
    assert found >= 150


def test_every_broken_call_is_found(contract: Any, apis_of: Any) -> None:
    """Each call with four arguments more, and with its last one left out, unless that one has a default."""
    found = 0
    for file in SPEAKING:
        for line, wrong in contract.broken_calls(file.read_text(), apis_of(file), file.name):
            text = file.read_text().splitlines()[line - 1]
            problems = check(contract, apis_of(file), wrong, file.name).problems
            assert problems or any(name in text for name in OPTIONAL), f"{file.name}:{line}"
            found += 1
    print(f"{found} calls broken, {found} found")  # noqa: T201
    assert found >= 100


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('def f(c: "tensorrt.IExecutionContext"):\n    c.execute_async_v2(1)', "no such name"),
        ('def f(c: "tensorrt.IExecutionContext"):\n    c.set_input_shape(3, (1,))', "name is int, must be str"),
        ('def f(c: "tensorrt.IExecutionContext"):\n    c.set_input_shape("x")', "lacks the argument shape"),
        ('def f(c: "tensorrt.IExecutionContext"):\n    c.set_input_shape("x", form=(1,))', "no argument form"),
        ('def f(c: "tensorrt.IExecutionContext"):\n    c.active_optimization_profile = 1', "cannot be set"),
        (
            "def f(trt, l):\n    b = trt.Builder(l)\n    b.build_serialized_network(b.create_network(), b)",
            "must be trt.IB",
        ),
        ("def f(trt):\n    trt.BuilderFlag.FP16", "no such name"),
        ("def f(trt, x):\n    class L(trt.ILogger):\n        def log(self, level, msg): ...", "takes self, level, msg"),
        ("def f(trt, x):\n    class L(trt.ILogger):\n        def write(self): ...", "overrides nothing"),
        ("def f(trt, l, d):\n    for e in [trt.Runtime(l)]: pass\n    trt.Runtime(l).deserialise(d)", "no such name"),
        ("def f(libraries):\n    libraries.cuda.cudaMallocs(3)", "no such name"),
        ("def f(cuda, x):\n    g(lambda: cuda.cudaFree())", "lacks the argument devPtr"),
        (
            "def f(cuda, x):\n    cuda.cudaMemcpyAsync(1, 2, 3, cuda.cudaError_t.cudaSuccess, x)",
            "must be cuda.cudaMemcpyK",
        ),
        ('def f(x: "tensorrt.IExecutionContexts"):\n    return x', "no such name"),
    ],
)
def test_kinds_of_mistakes(contract: Any, recorded: Any, cuda: Any, source: str, said: str) -> None:
    problems = check(contract, {"trt": recorded, "cuda": cuda}, source, "x.py").problems
    assert len(problems) == 1 and said in str(problems[0]), [str(problem) for problem in problems]


def test_what_runs_was_checked(
    contract: Any, apis_of: Any, fake: Any, fakes: Any, open_engine: Any, plans: Path, tiny_bundle: Path
) -> None:
    """The stand-ins note every name that our code asks them for. All of them are among those that the check saw, in the
    same place: no call escapes it by coming from where the check cannot follow."""
    machine, card = fake.Machine(), fakes[1].make_machine(fake)
    bundle = load_bundle(tiny_bundle, FEATURES)
    for capture in (True, False):
        machine.capture_works = capture
        engine = open_engine(bundle, on=machine, sizes=(1, 8))
        engine.run("mood", {"embedding": np.ones((9, 32), np.float32)})
        engine.facts()
        engine.close()
    machine.fail_at = len(machine.calls) + 1
    with pytest.raises(ValueError, match="CUDA"):
        open_engine(bundle, on=machine)
    cache = PlanCache(plans)
    for graph, spec in bundle.manifest.graphs.items():
        inputs = {tensor.name: tensor.shape[1:] for tensor in spec.inputs}
        key = plan_key(bundle, graph, "float32", Recipe(), card.version, None, RTX)
        cache.store(key, fakes[1].plan_of(fake, bundle.read(graph), inputs), card.version, 1.0)
    rtx_engine = TensorrtEngine(bundle, plans=plans, sizes=(1, 8), libraries=Libraries(card.trt, card.cuda, RTX))
    rtx_engine.close()
    card.diagnosis = 64
    with pytest.raises(ValueError, match="CUDA"):
        TensorrtEngine(bundle, plans=plans, libraries=Libraries(card.trt, card.cuda, RTX))
    seen: dict[tuple[str, str], set[int]] = {}
    for file in SPEAKING:
        for site in check(contract, apis_of(file), file.read_text(), file.name).sites:
            seen.setdefault((file.name, site.name), set()).add(site.line)
    assert len(machine.touched) >= 70 and sum(file == RTX_FILE.name for file, _, _ in card.touched) >= 10
    for file_name, line, name in sorted(machine.touched | card.touched):
        lines = seen.get((file_name, name), set())
        assert any(abs(line - other) <= 4 for other in lines), f"{file_name}:{line}: {name} was not checked"


def test_the_stand_in_has_real_names_alone(fake: Any, recorded: Any, cuda: Any, contract: Any) -> None:
    """Each method of the stand-in is one of the real class, with the same parameters in the same order, or without
    its last, optional ones."""
    machine = fake.Machine()
    compared = compare_classes(contract, vars(machine.classes), recorded)
    for key, value in vars(type(machine.cuda)).items():
        if key.startswith("cuda") and callable(value) and not isinstance(value, type):
            mine = list(parameters(value))[1:]
            theirs = [p.name for p in contract.parse(cuda.functions[key][0]).parameters]
            assert mine == theirs, f"{key}{mine}: {theirs}"
            compared += 1
        elif isinstance(value, type):
            assert set(value.__members__) <= set(cuda.classes[key].members)
            real_values = vars(sys.modules["cuda.bindings.runtime"])[key]
            assert all(int(getattr(real_values, member)) == int(value[member]) for member in value.__members__)
    assert compared >= 45


@wheels
def test_the_stand_in_of_tensorrt_for_rtx_too(fake: Any, fakes: Any, rtx: Any, contract: Any) -> None:
    """And the numbers of its enumerations, which are bits, are the real ones."""
    import tensorrt_rtx_bindings

    machine = fakes[1].make_machine(fake)
    assert compare_classes(contract, vars(machine.classes), rtx) >= 30
    for name in ("EngineValidity", "EngineInvalidityDiagnostics"):
        real = getattr(tensorrt_rtx_bindings, name)
        assert {key: int(value) for key, value in real.__members__.items()} == {
            key: int(value) for key, value in getattr(machine.classes, name).__members__.items()
        }


def compare_classes(contract: Any, classes: Any, api: Any) -> int:
    """Hold a stand-in's classes against the real ones; how many methods were compared."""
    compared = 0
    for name, kind in classes.items():
        real = api.classes[name]
        if real.members or hasattr(kind, "__members__"):
            assert set(kind.__members__) <= set(real.members)
            continue
        for key, value in vars(kind).items():
            if key.startswith("_") and key != "__init__":
                continue
            if isinstance(value, property):
                assert key in real.properties
            elif callable(value) and not isinstance(value, type):
                if key == "__init__" and key not in real.methods:
                    continue  # made by others, never by our code
                mine = list(parameters(value))
                real_ones = [contract.parse(text).parameters for text in real.methods[key]]
                assert any(
                    mine == [p.name for p in real_one[: len(mine)]] and all(p.optional for p in real_one[len(mine) :])
                    for real_one in real_ones
                ), f"{name}.{key}{mine}: {real.methods[key]}"
                compared += 1
    return compared


def parameters(function: Any) -> tuple[str, ...]:
    import inspect

    return tuple(inspect.signature(getattr(function, "__signature_of__", function)).parameters)
