"""The two networks: their padding, their order, their weights; what is another network's is named."""

import io
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from towers.imports.efficientnet_lite import EfficientNetLite, SameConv, read_efficientnet
from towers.imports.errors import ImportedError
from towers.imports.musicnn import read_musicnn

EPSILON = 1e-3


def stored(network: EfficientNetLite) -> dict[str, Any]:
    """Weights under the names that the package's file has."""
    return {".".join(f"_{part}" if part in NAMED else part for part in name.split(".")): value
            for name, value in network.state_dict().items()}  # fmt: skip


NAMED = {"conv_stem", "bn0", "bn1", "bn2", "blocks", "expand_conv", "depthwise_conv", "project_conv", "conv_head", "fc"}


def saved(values: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(("size", "kernel", "stride"), [(224, 3, 2), (112, 5, 2), (7, 3, 2), (7, 5, 1), (8, 1, 1)])
def test_padding_is_that_of_tensorflow(size: int, kernel: int, stride: int) -> None:
    """SAME: the output is the size over the stride, rounded up, and the odd place of padding stands behind."""
    layer = SameConv(1, 1, kernel, stride)
    x = torch.randn(1, 1, size, size)
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + kernel - size)
    before = total // 2
    wide = torch.zeros(1, 1, size + total, size + total)
    wide[:, :, before : before + size, before : before + size] = x
    assert layer(x).shape == (1, 1, out, out)
    torch.testing.assert_close(layer(x), functional.conv2d(wide, layer.weight, stride=stride))


def test_efficientnet_comes_back_and_tells_kinds() -> None:
    torch.manual_seed(0)
    network = EfficientNetLite().eval()
    assert sum(value.numel() for value in network.parameters()) == 4_652_008  # as published: 4.7 million
    again = read_efficientnet(saved(stored(network)))
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(again(x), network(x))
        assert again(x).shape == (2, 1000)


def test_other_weights_are_refused() -> None:
    values = stored(EfficientNetLite())
    lacking = {name: value for name, value in values.items() if name != "_fc.bias"}
    for wrong in (lacking, {**values, "more": torch.zeros(1)}, {**values, "_fc.bias": torch.zeros(7)}, [1], "text"):
        with pytest.raises(ImportedError, match="EfficientNet-Lite0: weights that cannot be read"):
            read_efficientnet(saved(wrong))
    for data in (b"", b"no weights", saved(values)[:1000]):
        with pytest.raises(ImportedError, match="fetch the package again"):
            read_efficientnet(data)


class Danger:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('code of a file was run')",)


def test_a_file_with_code_in_it_is_refused_and_not_run() -> None:
    with pytest.raises(ImportedError):
        read_efficientnet(saved({"_fc.bias": Danger()}))


def by_hand(arrays: dict[str, Any], mel: np.ndarray) -> np.ndarray:
    """musicnn as its authors wrote it, in NumPy: channels last, one picture (T, 96), logits (50,)."""

    def norm(x: np.ndarray, at: int) -> np.ndarray:
        name = f"batch_normalization_{at}" if at else "batch_normalization"
        gamma, beta, mean, variance = (
            arrays[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta

    def conv(x: np.ndarray, at: int) -> np.ndarray:
        """(T, F) by a kernel (t, f, 1, out), relu."""
        name = f"conv2d_{at}" if at else "conv2d"
        kernel = arrays[f"{name}/kernel"][:, :, 0]
        view = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2])
        return np.maximum(np.einsum("tfab,abo->tfo", view, kernel, optimize=True) + arrays[f"{name}/bias"], 0)

    x = norm(mel[..., None], 0)[..., 0]
    front = [norm(conv(np.pad(x, ((3, 3), (0, 0))), at), at + 1).max(axis=1) for at in (0, 1)]
    for at, frames in ((2, 128), (3, 64), (4, 32)):
        padded = np.pad(x, (((frames - 1) // 2, frames // 2), (0, 0)))
        front.append(norm(conv(padded, at), at + 1).max(axis=1))
    features = [np.concatenate(front, axis=1)]
    for at in (5, 6, 7):
        made = norm(conv(np.pad(features[-1], ((3, 3), (0, 0))), at)[:, 0], at + 1)
        features.append(made if at == 5 else made + features[-1])
    whole = np.concatenate(features, axis=1)
    flat = norm(np.stack([whole.max(axis=0), whole.mean(axis=0)], axis=1).reshape(-1), 9)
    hidden = norm(np.maximum(flat @ arrays["dense/kernel"] + arrays["dense/bias"], 0), 10)
    return np.asarray(hidden @ arrays["dense_1/kernel"] + arrays["dense_1/bias"])


def test_musicnn_says_what_its_definition_says(checkpoints: ModuleType, musicnn_arrays: dict[str, Any]) -> None:
    network = read_musicnn(*checkpoints.checkpoint(musicnn_arrays))
    mels = np.abs(np.random.default_rng(1).normal(size=(2, 40, 96))).astype(np.float32)
    with torch.inference_mode():
        found = network(torch.from_numpy(mels)).numpy()
    assert found.shape == (2, 50)
    np.testing.assert_allclose(found, [by_hand(musicnn_arrays, mel) for mel in mels], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("dense_1/bias", None, "has no dense_1/bias"),
        ("conv2d_5/kernel", np.zeros((7, 560, 1, 64), np.float32), r"conv2d_5/kernel is float32 \(64, 560, 7\)"),
        ("conv2d/bias", np.zeros(204, np.float64), r"conv2d/bias is float64 \(204,\), must be float32 \(204,\)"),
    ],
)
def test_another_networks_checkpoint_is_named(
    checkpoints: ModuleType, musicnn_arrays: dict[str, Any], name: str, array: Any, says: str
) -> None:
    arrays = {key: value for key, value in musicnn_arrays.items() if key != name}
    if array is not None:
        arrays[name] = array
    with pytest.raises(ImportedError, match=says):
        read_musicnn(*checkpoints.checkpoint(arrays))
