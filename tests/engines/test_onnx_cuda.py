"""Binding, padding, slicing and locking for real on the CPU provider; CUDA graphs and faults on a strict imitation."""

import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime as real
import pytest
from onnx import TensorProto, helper

from engines import onnx_binding, onnx_cuda, onnx_engine
from engines.base import Engine
from engines.bundle import Bundle
from engines.cuda_errors import brief, cuda_failure
from engines.errors import BundleError, EngineClosed, EngineError, EngineFailed, EngineUnavailable
from engines.onnx_binding import CPU, BoundGraph
from engines.onnx_cuda import PROBE_MODEL, PROBE_SPEC, OnnxCudaEngine, load_provider, missing, probe
from engines.onnx_engine import OnnxEngine

Draw = Callable[..., dict[str, Any]]
SIZES = (1, 2, 4)


@pytest.fixture
def on_cpu(bundle: Bundle) -> OnnxCudaEngine:
    return OnnxCudaEngine(bundle, sizes=SIZES, place=CPU)


@pytest.fixture
def ort(fake_ort_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """onnxruntime with one GPU, in the modules that use it."""
    fake = fake_ort_module.FakeOrt()
    for module in (onnx_binding, onnx_cuda, onnx_engine):
        monkeypatch.setattr(module, "ort", fake)
    monkeypatch.setattr(onnx_cuda, "load_provider", lambda folder, platform: None)
    return fake


def same(engine: Engine, reference: Engine, inputs: dict[str, Any], graph: str) -> None:
    found, expected = engine.run(graph, inputs), reference.run(graph, inputs)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_allclose(found[name], array, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9])
def test_padded_and_sliced_runs_equal_plain_ones(on_cpu: OnnxCudaEngine, bundle: Bundle, draw: Draw, rows: int) -> None:
    reference = OnnxEngine(bundle)
    for graph in bundle.manifest.graphs:
        same(on_cpu, reference, draw(bundle, graph, rows), graph)


def test_an_answer_outlives_the_next_run(on_cpu: OnnxCudaEngine, bundle: Bundle, draw: Draw) -> None:
    first = on_cpu.run("mood", draw(bundle, "mood", 2, seed=1))["mood"]
    kept = first.copy()
    on_cpu.run("mood", draw(bundle, "mood", 2, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_many_threads_get_their_own_answers(on_cpu: OnnxCudaEngine, bundle: Bundle, draw: Draw) -> None:
    reference = OnnxEngine(bundle)
    jobs = [(graph, draw(bundle, graph, 1 + seed % 5, seed)) for seed in range(20) for graph in bundle.manifest.graphs]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: same(on_cpu, reference, job[1], job[0]), jobs))


def test_a_free_batch_is_gone_from_each_session(on_cpu: OnnxCudaEngine) -> None:
    assert on_cpu._graphs is not None
    for bounds in on_cpu._graphs.values():
        for size, bound in bounds.items():
            nodes = [*bound._session.get_inputs(), *bound._session.get_outputs()]
            assert {node.shape[0] for node in nodes} == {size}


def test_inputs_are_checked_and_close_is_final(on_cpu: OnnxCudaEngine) -> None:
    with pytest.raises(EngineError, match=r"input embedding has shape \(1, 16\)"):
        on_cpu.run("mood", {"embedding": np.zeros((1, 16), np.float32)})
    with pytest.raises(BundleError, match="has no graph oracle"):
        on_cpu.run("oracle", {})
    on_cpu.warmup()
    on_cpu.close()
    on_cpu.close()
    with pytest.raises(EngineClosed, match="is closed; open another"):
        on_cpu.warmup()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"device": -1}, "device is -1"),
        ({"memory_mb": 0}, "memory_mb is 0"),
        ({"sizes": ()}, r"sizes are \[\]"),
        ({"sizes": (2, 2)}, r"sizes are \[2, 2\], must be positive and ascend"),
        ({"precision": "float8"}, "precision is float8"),
    ],
)
def test_bad_settings(bundle: Bundle, given: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        OnnxCudaEngine(bundle, **{"place": CPU} | given)


# Without a GPU, for real.


def test_this_package_says_why_it_has_no_cuda(bundle: Bundle) -> None:
    if "CUDAExecutionProvider" in real.get_available_providers():
        pytest.skip("onnxruntime-gpu is installed")
    reason = probe()
    assert reason is not None and "is built without CUDA; pip uninstall onnxruntime" in reason
    with pytest.raises(EngineUnavailable, match=r"engine onnx-cuda-0: onnxruntime .* is built without CUDA"):
        OnnxCudaEngine(bundle)


def test_the_probe_model_is_what_it_claims() -> None:
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2])] for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "probe", sides[0], sides[1])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model.producer_name = ""
    assert onnx.load_from_string(PROBE_MODEL) == model
    x = np.array([[1, -2], [3, 4]], np.float32)
    found = BoundGraph(PROBE_MODEL, PROBE_SPEC, 3, CPU, "probe").run({"x": x})
    np.testing.assert_array_equal(found["y"], -x)


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"libonnxruntime_providers_shared\.so"):
        load_provider(tmp_path, "linux")
    with pytest.raises(OSError, match=r"onnxruntime_providers_shared\.dll"):
        load_provider(tmp_path, "win32")


# The imitation of a GPU.


def test_the_imitation_has_the_real_signatures(ort: Any, fake_ort_module: ModuleType) -> None:
    """What the imitation accepts is what the installed package accepts."""
    pairs = [
        (fake_ort_module.OrtValue, real.OrtValue),
        (fake_ort_module.Binding, real.IOBinding),
        (fake_ort_module.Session, real.InferenceSession),
    ]
    for fake, genuine in pairs:
        methods = [name for name, value in vars(fake).items() if callable(value) or isinstance(value, classmethod)]
        for name in methods:
            if name.startswith("_") and name != "__init__":
                continue
            if name == "__init__" and fake is not fake_ort_module.Session:
                continue
            theirs = inspect.signature(getattr(genuine, name)).parameters
            places = [known.kind for known in theirs.values()]
            for place, parameter in enumerate(inspect.signature(getattr(fake, name)).parameters.values()):
                what = f"{genuine.__name__}.{name} takes {', '.join(theirs)}, not {parameter.name}"
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    by_place = (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
                    assert place < len(places) and places[place] in by_place, what
                else:
                    assert parameter.name in theirs, what
    for name in ("add_session_config_entry", "add_free_dimension_override_by_name"):
        assert hasattr(real.SessionOptions, name)
    for name in ("intra_op_num_threads", "inter_op_num_threads", "log_severity_level", "execution_mode"):
        assert hasattr(real.SessionOptions, name)
    assert hasattr(real.RunOptions, "add_run_config_entry")
    for name in ("get_available_providers", "preload_dlls"):
        assert hasattr(real, name)


def test_real_options_take_every_entry() -> None:
    options = real.RunOptions()
    options.add_run_config_entry("gpu_graph_id", "4")
    assert options.get_run_config_entry("gpu_graph_id") == "4"


def test_each_size_records_once_and_then_replays(ort: Any, bundle: Bundle, draw: Draw) -> None:
    engine, reference = OnnxCudaEngine(bundle, sizes=SIZES, memory_mb=64), _real(bundle)
    engine.warmup()
    assert len(ort.captured) == len(bundle.manifest.graphs) * len(SIZES) and not ort.replayed
    recorded = list(ort.captured)
    for rows in (1, 3, 4, 6):
        for graph in bundle.manifest.graphs:
            inputs = draw(bundle, graph, rows)
            for name, array in reference(graph, inputs).items():
                np.testing.assert_allclose(engine.run(graph, inputs)[name], array, atol=1e-6)
    assert ort.captured == recorded and ort.replayed
    assert {session.options["gpu_mem_limit"] for session in ort.sessions} == {str(64 << 20)}
    assert engine.name == "onnx-cuda-0"


def _real(bundle: Bundle) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """The graphs by the real package, past the imitation."""
    sessions = {
        graph: real.InferenceSession(bundle.read(graph), providers=["CPUExecutionProvider"])
        for graph in bundle.manifest.graphs
    }

    def run(graph: str, inputs: dict[str, Any]) -> dict[str, Any]:
        names = [tensor.name for tensor in bundle.spec(graph).outputs]
        return dict(zip(names, sessions[graph].run(names, inputs), strict=True))

    return run


def test_no_two_runs_at_once_on_the_device(ort: Any, bundle: Bundle, draw: Draw) -> None:
    engine = OnnxCudaEngine(bundle, sizes=SIZES)
    start = threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        for seed in range(10):
            graph = list(bundle.manifest.graphs)[number]
            engine.run(graph, draw(bundle, graph, 1 + seed % 4, seed))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))  # the imitation refuses a second run beside the first


def test_probe_really_runs(ort: Any) -> None:
    assert probe() is None
    ort.poison = 0.25
    assert probe() == "CUDA device 0 computes wrong results; test its memory"


def test_preloading_is_not_heard(ort: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert missing() is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            "libcuda.so.1: cannot open shared object file: No such file or directory",
            "the NVIDIA driver is missing or too old (libcuda.so.1: cannot open",
        ),
        (
            "libcublasLt.so.13: cannot open shared object file: No such file or directory",
            "a library of CUDA or cuDNN is missing (libcublasLt.so.13",
        ),
    ],
)
def test_what_the_loader_says_is_told(
    ort: Any, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, cause: str, said: str
) -> None:
    """Both texts are the real loader's, from onnxruntime-gpu 1.31.1 without and with CUDA's libraries beside it."""

    def refuse(folder: Path, platform: str) -> None:
        raise OSError(cause)

    monkeypatch.setattr(onnx_cuda, "load_provider", refuse)
    reason = probe()
    assert reason is not None and said in reason
    with pytest.raises(EngineUnavailable) as caught:
        OnnxCudaEngine(bundle)
    assert said in str(caught.value)


def test_a_gpu_that_is_not_there(ort: Any, bundle: Bundle) -> None:
    reason = probe(device=3)
    assert reason is not None and "there is no such GPU (CUDA failure 101: invalid device ordinal)" in reason
    with pytest.raises(EngineUnavailable, match=r"engine onnx-cuda-3: graph .*, batch 1: there is no such GPU"):
        OnnxCudaEngine(bundle, device=3)


def test_a_silent_fallback_is_refused(ort: Any, bundle: Bundle) -> None:
    ort.silent_fallback = True
    with pytest.raises(EngineUnavailable, match="uses CPUExecutionProvider, was asked for CUDAExecutionProvider"):
        OnnxCudaEngine(bundle)
    ort.silent_fallback = False
    ort.open_fault = RuntimeError(
        "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the default CPU EP, "
        "but fallback to CPU EP has been explicitly disabled by the user."
    )
    with pytest.raises(EngineUnavailable, match=r"no CUDA kernel for some of it .* upgrade onnxruntime-gpu"):
        OnnxCudaEngine(bundle)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=box", "the GPU has no memory left (CUDA failure 2: out of"),
        (
            "[ONNXRuntimeError] : 6 : Available memory of 52428800 is smaller than requested bytes of 67108864",
            "the GPU has no memory left",
        ),
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", "the GPU was lost (CUDA failure 700"),
        ("CUDA failure 719: unspecified launch failure ; GPU=0", "the GPU was lost"),
        ("CUDA failure 214: uncorrectable ECC error encountered", "the GPU was lost"),
        ("CUDA failure 100: no CUDA-capable device is detected", "the GPU was lost"),
        ("something nobody has seen", "something nobody has seen; use another engine"),
    ],
)
def test_faults_in_a_run_are_named_and_the_next_run_works(
    ort: Any, bundle: Bundle, draw: Draw, fault: str, said: str
) -> None:
    engine = OnnxCudaEngine(bundle, sizes=SIZES)
    ort.fault = RuntimeError(fault)
    inputs = draw(bundle, "mood", 3)
    with pytest.raises(EngineFailed) as caught:
        engine.run("mood", inputs)
    text = str(caught.value)
    assert said in text and text.startswith("engine onnx-cuda-0: graph mood, batch 3: ")
    assert "hostname" not in text and "\n" not in text
    assert engine.run("mood", inputs)["mood"].shape == (3, 3)  # the lock was given back


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_result_that_is_no_number_is_refused(ort: Any, bundle: Bundle, draw: Draw, poison: float) -> None:
    engine = OnnxCudaEngine(bundle, sizes=SIZES)
    ort.poison = poison
    with pytest.raises(EngineFailed, match="output mood holds NaN or infinity"):
        engine.run("mood", draw(bundle, "mood", 2))


def test_too_little_memory_to_open(ort: Any, bundle: Bundle) -> None:
    ort.open_fault = RuntimeError("CUDA failure 2: out of memory ; GPU=0")
    with pytest.raises(EngineUnavailable, match="the GPU has too little memory"):
        OnnxCudaEngine(bundle)


REAL_TEXT = (
    "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider_info.cc:63 static "
    "onnxruntime::CUDAExecutionProviderInfo onnxruntime::CUDAExecutionProviderInfo::FromProviderOptions(const "
    "onnxruntime::ProviderOptions&) [ONNXRuntimeError] : 1 : FAIL : provider_options_utils.h:187 Parse Failed to parse "
    'provider option "device_id": CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; '
    "GPU=-1 ; hostname=vm ; file=cuda_execution_provider_info.cc ; line=70 ; expr=cudaGetDeviceCount(&num_devices); \n"
)


def test_what_the_real_provider_says_without_a_driver_is_told_shortly(ort: Any, bundle: Bundle) -> None:
    """The text is onnxruntime-gpu 1.31.1's, its CUDA provider loaded over an empty libcuda.so.1."""
    ort.open_fault = RuntimeError(REAL_TEXT)
    with pytest.raises(EngineUnavailable) as caught:
        OnnxCudaEngine(bundle)
    assert str(caught.value).endswith(
        "batch 1: the NVIDIA driver is missing or too old (CUDA failure 35: CUDA driver version is insufficient for "
        "CUDA runtime version); install it, in a container pass the GPU through"
    )


def test_a_long_text_is_cut() -> None:
    assert len(brief(RuntimeError("x" * 999))) == 200
    assert str(cuda_failure(KeyError(), "here")) == "here: KeyError; use another engine"
    assert "no memory left (MemoryError)" in str(cuda_failure(MemoryError(), "here"))
