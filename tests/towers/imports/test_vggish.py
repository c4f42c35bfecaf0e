"""VGGish against its definition, and against the published file's layout."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from towers.imports.errors import ImportedError
from towers.imports.vggish import Vggish, read_vggish

CHANNELS, HIDDEN = (4, 6, 8, 8, 10, 10), 12


def test_it_says_what_its_definition_says() -> None:
    torch.manual_seed(0)
    network, mels = Vggish(CHANNELS, HIDDEN).eval(), torch.randn(3, 1, 96, 64)
    weights, x = network.state_dict(), mels
    for place, pooled in ((0, True), (3, True), (6, False), (8, True), (11, False), (13, True)):
        kernel, shift = weights[f"features.{place}.weight"], weights[f"features.{place}.bias"]
        x = torch.relu(functional.conv2d(x, kernel, shift, padding=1))
        x = functional.max_pool2d(x, 2) if pooled else x
    # In a row by time, then band, then channel, as TensorFlow lays it out.
    row = torch.stack([x[:, :, time, band] for time in range(6) for band in range(4)], dim=1).flatten(1)
    for place in (0, 2, 4):
        row = torch.relu(
            functional.linear(row, weights[f"embeddings.{place}.weight"], weights[f"embeddings.{place}.bias"])
        )
    with torch.inference_mode():
        found = network(mels)
    assert found.shape == (3, 128) and torch.allclose(found, row, atol=1e-6)
    assert float(found.min()) == 0.0 and float(found.max()) > 0


def test_the_published_size_has_the_published_layout() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Vggish().state_dict().items()}
    assert shapes["features.0.weight"] == (64, 1, 3, 3) and shapes["features.13.weight"] == (512, 512, 3, 3)
    assert shapes["embeddings.0.weight"] == (4096, 512 * 4 * 6) and shapes["embeddings.4.bias"] == (128,)
    assert sorted({name.partition(".weight")[0] for name in shapes if name.endswith("weight")}) == [
        "embeddings.0", "embeddings.2", "embeddings.4", "features.0", "features.11", "features.13", "features.3",
        "features.6", "features.8",
    ]  # fmt: skip


def test_its_weights_come_back_and_others_do_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, place = Vggish(CHANNELS, HIDDEN).eval(), tmp_path / "vggish.pth"
    torch.save(network.state_dict(), place)
    mels = torch.randn(1, 1, 96, 64)
    with torch.inference_mode():
        assert torch.equal(read_vggish(place, CHANNELS, HIDDEN)(mels), network(mels))
    with pytest.raises(ImportedError, match=r"VGGish .*: features.0.weight is torch.float32 \(4, 1, 3, 3\), must be"):
        read_vggish(place, (5, *CHANNELS[1:]), HIDDEN)
    torch.save({"embeddings.0.weight": torch.zeros(1)}, place)
    with pytest.raises(ImportedError, match=r"lacks 17 weights, the first features.0.weight"):
        read_vggish(place, CHANNELS, HIDDEN)
