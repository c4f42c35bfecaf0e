"""The model repository is what Triton's schema asks and what the manifest says; no Triton was asked."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import segue
from engines.bundle import Bundle, load_bundle
from engines.triton_names import model_version
from export.bundle import ExportReport
from export.errors import ExportError
from export.triton_repository import config_text, write_repository
from features.spec import FEATURES

needs_schema = pytest.mark.skipif(
    find_spec("tritonclient") is None and "CI" not in os.environ,
    reason='tritonclient is not installed: pip install ".[triton]"',
)
TYPES = {"float32": "TYPE_FP32", "uint8": "TYPE_UINT8", "bool": "TYPE_BOOL"}


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


def parsed(text: str) -> Any:
    """By the schema of Triton itself: an unknown field or a wrong kind of value is an error."""
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    return text_format.Parse(text, model_config_pb2.ModelConfig())


@needs_schema
@pytest.mark.parametrize("max_batch", [1, 12, 32])
def test_the_configuration_says_what_the_manifest_says(bundle: Bundle, max_batch: int) -> None:
    from tritonclient.grpc import model_config_pb2

    for graph, spec in bundle.manifest.graphs.items():
        config = parsed(config_text(spec, bundle.identity, "ours", max_batch))
        assert config.name == f"ours_{graph}" and config.backend == "onnxruntime"
        assert config.max_batch_size == max_batch and config.default_model_filename == "model.onnx"
        assert list(config.version_policy.specific.versions) == [int(model_version(bundle.identity))]
        assert config.parameters["segue_identity"].string_value == bundle.identity
        assert max(config.dynamic_batching.preferred_batch_size) <= max_batch
        assert 0 < config.dynamic_batching.max_queue_delay_microseconds < 10_000
        assert config.dynamic_batching.default_queue_policy.max_queue_size > 0
        assert config.dynamic_batching.default_queue_policy.allow_timeout_override
        for tensors, wanted in ((config.input, spec.inputs), (config.output, spec.outputs)):
            assert [tensor.name for tensor in tensors] == [tensor.name for tensor in wanted]
            for found, tensor in zip(tensors, wanted, strict=True):
                assert model_config_pb2.DataType.Name(found.data_type) == TYPES[tensor.dtype]
                assert tuple(found.dims) == (tensor.shape[1:] or (1,))
                assert found.HasField("reshape") == (len(tensor.shape) == 1) and not found.reshape.shape


def test_the_folder_is_as_triton_expects(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    names = write_repository(bundle, folder)
    version = model_version(bundle.identity)
    assert version.isdecimal() and not version.startswith("0")
    assert sorted(names) == sorted(path.name for path in folder.iterdir())
    for graph in bundle.manifest.graphs:
        model = folder / f"segue_{graph}"
        assert sorted(path.name for path in model.iterdir()) == sorted([version, "config.pbtxt"])
        assert (model / version / "model.onnx").read_bytes() == bundle.read(graph)
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_repository_of_ours_is_replaced_and_nothing_else(
    bundle: Bundle, tmp_path: Path, write_tiny_bundle: Callable[..., Path]
) -> None:
    folder = tmp_path / "models"
    write_repository(bundle, folder)
    other = load_bundle(write_tiny_bundle(tmp_path / "other", seed=1), FEATURES)
    write_repository(other, folder)
    assert (folder / "segue_mood" / model_version(other.identity)).is_dir()
    assert not (folder / "segue_mood" / model_version(bundle.identity)).exists()
    (folder / "resnet").mkdir()
    (folder / "resnet" / "config.pbtxt").write_text('name: "resnet"')
    with pytest.raises(ExportError, match="holds resnet, which is not of segue; name a new folder"):
        write_repository(bundle, folder)
    assert (folder / "segue_mood" / model_version(other.identity)).is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="is a file; name a folder"):
        write_repository(bundle, tmp_path / "file")


def test_the_command_for_a_bundle(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue.main(["export", str(tiny_bundle), "--triton", str(tmp_path / "models")]) == 0
    assert "segue_video_clip, segue_music_clip" in capsys.readouterr().out
    assert (tmp_path / "models" / "segue_mood" / "config.pbtxt").is_file()


def test_the_command_for_a_run(
    tower_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    write_tiny_bundle: Callable[..., Path],
) -> None:
    """The export itself, which takes half a minute, is not the matter here."""

    def write(run: Any, system: str, folder: Path, name: str, *_: Any) -> ExportReport:
        identity = load_bundle(write_tiny_bundle(folder), FEATURES).identity
        return ExportReport(path=folder, identity=identity, graphs=())

    monkeypatch.setattr("export.bundle.write_bundle", write)
    argv = ["export", str(tower_run), "-o", str(tmp_path / "bundle"), "--triton", str(tmp_path / "models")]
    assert segue.main(argv) == 0
    identity = load_bundle(tmp_path / "bundle", FEATURES).identity
    assert capsys.readouterr().out.count(f"identity {identity[:12]}") == 2
    assert (tmp_path / "models" / "segue_matcher" / model_version(identity) / "model.onnx").is_file()


def test_a_run_needs_an_output(tower_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``-o`` the folder is taken for a bundle, which a run is not."""
    assert segue.main(["export", str(tower_run), "--triton", str(tmp_path / "models")]) == 2
    assert "has no manifest.json" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
