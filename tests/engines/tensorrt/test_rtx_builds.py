"""Every graph that ships, built for real by TensorRT for RTX on this machine, which needs no GPU for it.

The graphs of other systems are built where they are exported (``tests/export``). That a graph which stops being
buildable is found is shown with graphs that are spoilt on purpose.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from rtx_builds import build_graph, builder, check_builds, rtx_builds

import segue
from engines import tensorrt_rtx
from engines.bundle import Bundle, default_bundle, load_bundle
from engines.errors import EngineUnavailable
from engines.tensorrt_build import build, network_of
from engines.tensorrt_flavour import Gpu
from engines.tensorrt_recipe import Recipe
from engines.tensorrt_rtx import RTX, capabilities_of
from engines.tensorrt_runtime import describe_gpu, load_cuda, make_logger
from features.spec import FEATURES

pytestmark = rtx_builds
Spoil = Callable[[str, str], list[Any]]


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(default_bundle(), FEATURES)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


def test_every_graph_that_ships(shipped: Bundle) -> None:
    built = check_builds(shipped)
    assert len(built) == 12 and all(one.facts.layers >= 10 for one in built)
    assert capabilities_of("float32") == ("8.0", "8.6", "8.9", "12.0", "12.1")
    assert capabilities_of("float16") == ("7.5", *capabilities_of("float32"))


def test_the_same_file_gives_the_same_network(shipped: Bundle) -> None:
    """Its plan may differ in a few bytes: the builder promises nothing else."""
    spec, data = shipped.spec("mood"), shipped.read("mood")
    one, other = (build_graph(spec, data, "float32") for _ in range(2))
    assert one.facts == other.facts and abs(len(one.plan) - len(other.plan)) < 0.01 * len(one.plan)


def test_one_plan_for_all_cards_is_hardly_larger(shipped: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, data = shipped.spec("mood"), shipped.read("mood")
    whole = build_graph(spec, data, "float32").plan
    monkeypatch.setattr(tensorrt_rtx, "CAPABILITIES", ("8.9",))
    assert 0 < len(whole) - len(build_graph(spec, data, "float32").plan) < 200


@pytest.mark.parametrize("graph", ["video_clip", "mood"])
def test_why_turing_is_left_out_of_float32(shipped: Bundle, monkeypatch: pytest.MonkeyPatch, graph: str) -> None:
    monkeypatch.setattr(tensorrt_rtx, "CAPABILITIES", ("7.5",))
    with pytest.raises(EngineUnavailable, match=r"Turing \(SM75\): FP32 GEMM is not supported"):
        build_graph(shipped.spec(graph), shipped.read(graph), "float32")


def spoilt(bundle: Bundle, folder: Path, spoil: Spoil) -> Bundle:
    """A copy of the bundle in which ``spoil(input, output)`` are nodes behind the graph ``mood``."""
    shutil.copytree(bundle.path, folder)
    model = onnx.load(folder / "mood.onnx")
    output = model.graph.output[0].name
    for node in model.graph.node:
        for at, name in enumerate(node.output):
            node.output[at] = "before" if name == output else name
    model.graph.node.extend(spoil("before", output))
    data = model.SerializeToString()
    (folder / "mood.onnx").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["graphs"]["mood"]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_bundle(folder, FEATURES)


SPOILT: dict[str, tuple[Spoil, str]] = {
    "an operator that nobody knows": (
        lambda a, b: [helper.make_node("Oracle", [a], [b], domain="nobody")],
        r"parser refuses mood\.onnx: .*Plugin not found.* \(operator Oracle\)",
    ),
    "an operator that it lacks": (lambda a, b: [helper.make_node("Det", [a], [b])], r"refuses .* \(operator Det\)"),
    "bytes between floats": (
        lambda a, b: [
            helper.make_node("Cast", [a], ["bytes"], to=TensorProto.UINT8),
            helper.make_node("Cast", ["bytes"], [b], to=TensorProto.FLOAT),
        ],
        r"refuses .*UINT8.* \(operator Cast\)",
    ),
    "another output": (
        lambda a, b: [helper.make_node("Concat", [a, a], [b], axis=1)],
        r"the network's outputs are mood float32 \(batch, 6\), manifest\.json says mood float32 \(batch, 3\)",
    ),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_graph_that_stopped_being_buildable_is_found(tiny: Bundle, tmp_path: Path, kind: str) -> None:
    spoil, said = SPOILT[kind]
    with pytest.raises(EngineUnavailable, match=said):
        check_builds(spoilt(tiny, tmp_path / "bundle", spoil), ("float32",))


def test_the_command_ends_with_2_for_one(tiny: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The step of CI that builds what ships fails in the same way."""
    bundle = spoilt(tiny, tmp_path / "bundle", SPOILT["an operator that it lacks"][0])
    argv = ["export", "--plans", str(bundle.path), "--rtx", "--plan-folder", str(tmp_path / "plans")]
    assert segue.main(argv) == 2
    assert "graph mood: TensorRT for RTX's parser refuses mood.onnx" in capsys.readouterr().err


def test_arithmetic_that_is_not_what_the_manifest_says(shipped: Bundle) -> None:
    with pytest.raises(
        EngineUnavailable, match="of its products 2 in float32, the manifest has the file under float16"
    ):
        build_graph(shipped.spec("mood"), shipped.read("mood"), "float16")
    facts = network_of(builder(), shipped.spec("mood"), shipped.read("mood"), "float32")
    assert facts.products == {"float32": 2}


def test_a_build_tells_its_phases(shipped: Bundle) -> None:
    """The real builder calls our monitor from threads of its own."""
    said: list[str] = []
    build(builder(), shipped.spec("mood"), shipped.read("mood"), Recipe(), "float32", b"", said.append)
    assert said and all(text.startswith("building mood: ") for text in said)


def test_a_build_that_takes_too_long(shipped: Bundle) -> None:
    with pytest.raises(EngineUnavailable, match=r"built no plan: it took longer than 1e-09 minutes"):
        build_graph(shipped.spec("mood"), shipped.read("mood"), "float32", Recipe(minutes=1e-9))


def test_no_model_at_all(shipped: Bundle) -> None:
    with pytest.raises(EngineUnavailable, match=r"graph mood: TensorRT for RTX's parser refuses mood\.onnx"):
        build_graph(shipped.spec("mood"), b"no model", "float32")


def test_the_real_runtime_knows_nothing_without_a_driver(shipped: Bundle) -> None:
    """So plans are protected by their hash alone: without a driver it finds fault with none, whole or cut."""
    cuda = load_cuda(RTX)
    if cuda.cudaDriverGetVersion()[1]:
        pytest.skip("there is a driver here")
    trt = builder().trt
    plan = build_graph(shipped.spec("mood"), shipped.read("mood"), "float32").plan
    runtime = trt.Runtime(make_logger(trt))
    gpu = Gpu(0, "NVIDIA X", "8.9")
    assert RTX.refusal(trt, runtime, plan, gpu) == RTX.refusal(trt, runtime, plan[: len(plan) // 2], gpu) == ""
    assert "it is no plan" in RTX.refusal(trt, runtime, b"x" * 1000, gpu)
    with pytest.raises(EngineUnavailable, match="there is no NVIDIA driver"):
        describe_gpu(cuda, 0)
