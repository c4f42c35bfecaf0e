"""A network of somebody else's as a backbone: trained on, exported as the very file, refused where it does not fit."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from export.bundle import write_bundle
from features.spec import COLOUR_FIELDS, FEATURES, FRAME_SIZE, FRAMES_PER_CLIP
from towers.backbones.registry import build_backbone, make_backbone
from towers.batch import Sizes
from towers.errors import RunError
from towers.examples import example
from towers.run import load_run, save_run
from towers.system import make


def network(path: Path, opset: int = 17, output: str = "y", width: int = 6, name: str = "colour") -> Path:
    """One matrix on the eight numbers of colour."""
    size = len(COLOUR_FIELDS)
    weights = np.random.default_rng(0).normal(size=(size, width)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", [name, "w"], ["h"]), helper.make_node("Tanh", ["h"], [output])],
        "theirs",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", width])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_its_file_becomes_the_graph(tmp_path: Path, opset: int) -> None:
    file = network(tmp_path / "theirs.onnx", opset)
    video, music = make_backbone(f"onnx:{file}", "video"), make_backbone("dpvm", "music", "tiny")
    assert (video.inputs, video.width, video.learned) == (("colour",), 6, False)
    system = make("emomv", "retrieval", Sizes(video.width, music.width, 0, 2), "tiny")
    save_run(tmp_path / "run", system, video, music, {})
    report = write_bundle(load_run(tmp_path / "run"), "emomv", tmp_path / "bundle", "x")
    bundle = load_bundle(report.path, FEATURES)
    assert bundle.features_of("video_clip") == ("colour",)
    engine = OnnxEngine(bundle)
    colour = example("colour", 5)
    found = engine.run("video_clip", {"colour": colour.numpy()})["embedding"]
    np.testing.assert_allclose(found, video(colour).numpy(), atol=1e-6)
    engine.close()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        make_backbone(f"onnx:{tmp_path / 'nothing.onnx'}", "video")
    (tmp_path / "text.onnx").write_text("no")
    with pytest.raises(RunError, match="no ONNX file that runs here"):
        make_backbone(f"onnx:{tmp_path / 'text.onnx'}", "video")
    file = network(tmp_path / "theirs.onnx")
    with pytest.raises(RunError, match="asks for colour; features of music are"):
        make_backbone(f"onnx:{file}", "music")
    with pytest.raises(RunError, match="takes motion as"):
        size = FRAMES_PER_CLIP * FRAME_SIZE
        graph = onnx.load(str(network(tmp_path / "m.onnx", name="motion")))
        graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = size
        graph.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.zeros((size, 6), np.float32), "w"))
        (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
        make_backbone(f"onnx:{tmp_path / 'm.onnx'}", "video")


def test_the_run_remembers_the_file(tmp_path: Path) -> None:
    backbone = make_backbone(f"onnx:{network(tmp_path / 'theirs.onnx')}", "video")
    again = build_backbone(backbone.configuration())
    torch.testing.assert_close(again(example("colour")), backbone(example("colour")))
    network(tmp_path / "theirs.onnx", width=7)
    with pytest.raises(RunError, match="is another file than the run was trained on"):
        build_backbone(backbone.configuration())
