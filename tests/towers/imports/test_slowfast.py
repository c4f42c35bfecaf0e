"""SlowFast against its definition, written out once more by names alone, and against the published file's layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from towers.imports.errors import ImportedError
from towers.imports.slowfast import SlowFast, read_slowfast, slow_places

STEM, DEPTHS = 16, (1, 2, 1, 1)


def drawn() -> SlowFast:
    """Narrow, with statistics and scales in its normalisations that are not those of a fresh one."""
    torch.manual_seed(0)
    network = SlowFast(STEM, DEPTHS)
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "norm.bias")):
            value.normal_(0, 0.2)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return network.eval()


def by_hand(weights: dict[str, Tensor], clip: Tensor) -> Tensor:
    """The same from the weights' names: which stage has which stride and which reach over time stands here again."""

    def folded(x: Tensor, conv: str, norm: str, stride: int = 1, pace: int = 1) -> Tensor:
        kernel = weights[f"{conv}.weight"]
        padding = [size // 2 for size in kernel.shape[2:]]
        x = functional.conv3d(x, kernel, stride=(pace, stride, stride), padding=padding)
        mean, variance, scale, shift = (
            weights[f"{norm}.{part}"].view(1, -1, 1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + shift

    def over(slow: Tensor, fast: Tensor, at: int) -> Tensor:
        name = f"blocks.{at}.multipathway_fusion"
        sent = torch.relu(folded(fast, f"{name}.conv_fast_to_slow", f"{name}.norm", pace=4))
        return torch.cat([slow, sent], dim=1)

    ways = [clip[:, :, [0, 4, 8, 13, 17, 22, 26, 31]], clip]
    for side in (0, 1):
        name = f"blocks.0.multipathway_blocks.{side}"
        ways[side] = torch.relu(folded(ways[side], f"{name}.conv", f"{name}.norm", stride=2))
        ways[side] = functional.max_pool3d(ways[side], (1, 3, 3), (1, 2, 2), (0, 1, 1))
    ways[0] = over(ways[0], ways[1], 0)
    for at, depth in enumerate(DEPTHS, 1):
        for side in (0, 1):
            for block in range(depth):
                x, name = ways[side], f"blocks.{at}.multipathway_blocks.{side}.res_blocks.{block}"
                stride = 2 if at > 1 and block == 0 else 1
                y = torch.relu(folded(x, f"{name}.branch2.conv_a", f"{name}.branch2.norm_a"))
                y = torch.relu(folded(y, f"{name}.branch2.conv_b", f"{name}.branch2.norm_b", stride))
                y = folded(y, f"{name}.branch2.conv_c", f"{name}.branch2.norm_c")
                beside = folded(x, f"{name}.branch1_conv", f"{name}.branch1_norm", stride) if block == 0 else x
                ways[side] = torch.relu(beside + y)
        if at < len(DEPTHS):
            ways[0] = over(ways[0], ways[1], at)
    return torch.cat([way.mean(dim=(2, 3, 4)) for way in ways], dim=1)


def test_it_says_what_its_definition_says() -> None:
    network, clip = drawn(), torch.randn(2, 3, 32, 48, 64)
    with torch.inference_mode():
        found = network(clip)
        expected = by_hand(dict(network.state_dict()), clip)
    assert found.shape == (2, network.width) and network.width == STEM * 32 + STEM * 4
    assert torch.allclose(found, expected, atol=1e-5) and float(found.std()) > 1e-3


def test_the_wide_network_sees_every_fourth_picture_or_so() -> None:
    assert slow_places(32).tolist() == [0, 4, 8, 13, 17, 22, 26, 31]


def test_the_published_size_has_the_published_layout() -> None:
    """Facts of the model zoo: 34.57 million parameters, the reach over time of each stage, blocks 5 without weights."""
    network = SlowFast()
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert network.width == 2304 and sum(value.numel() for value in network.parameters()) == 34_566_488
    known = {
        "blocks.0.multipathway_blocks.0.conv.weight": (64, 3, 1, 7, 7),
        "blocks.0.multipathway_blocks.1.conv.weight": (8, 3, 5, 7, 7),
        "blocks.0.multipathway_fusion.conv_fast_to_slow.weight": (16, 8, 7, 1, 1),
        "blocks.1.multipathway_blocks.0.res_blocks.0.branch1_conv.weight": (256, 80, 1, 1, 1),
        "blocks.1.multipathway_blocks.0.res_blocks.0.branch1_norm.num_batches_tracked": (),
        "blocks.3.multipathway_blocks.0.res_blocks.5.branch2.conv_a.weight": (256, 1024, 3, 1, 1),
        "blocks.3.multipathway_fusion.norm.running_var": (256,),
        "blocks.4.multipathway_blocks.1.res_blocks.2.branch2.conv_b.weight": (64, 64, 1, 3, 3),
        "blocks.4.multipathway_blocks.0.res_blocks.0.branch2.norm_c.bias": (2048,),
        "blocks.6.proj.weight": (400, 2304),
        "blocks.6.proj.bias": (400,),
    }
    assert {name: shapes.get(name) for name in known} == known
    assert not [name for name in shapes if name.startswith(("blocks.5", "blocks.4.multipathway_fusion"))]
    assert "blocks.1.multipathway_blocks.0.res_blocks.1.branch1_conv.weight" not in shapes


def test_its_weights_come_back(tmp_path: Path) -> None:
    network, place = drawn(), tmp_path / "net.pyth"
    torch.save({"model_state": network.state_dict(), "epoch": 3}, place)
    clip = torch.randn(1, 3, 32, 32, 32)
    with torch.inference_mode():
        assert torch.equal(read_slowfast(place, STEM, DEPTHS)(clip), network(clip))


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    stored: dict[str, Any] = {name: value.clone() for name, value in drawn().state_dict().items()}
    change(stored)
    return {"model_state": stored}


NAME = "blocks.1.multipathway_blocks.0.res_blocks.0.branch1_conv.weight"


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (changed(lambda s: s.pop(NAME)), f"lacks 1 weights, the first {NAME}"),
        (changed(lambda s: s.update(more=torch.zeros(1))), "has 1 weights that it should not have, the first more"),
        (changed(lambda s: s.update({NAME: s[NAME][:5]})), r"is torch.float32 \(5, 20, 1, 1, 1\), must be .*\(64, 20"),
        (changed(lambda s: s.update({NAME: s[NAME].half()})), "is torch.float16 .*, must be torch.float32"),
        (changed(lambda s: s.update({NAME: "text"})), "is str, must be"),
        (changed(lambda s: s[NAME].fill_(float("nan"))), "not finite"),
        ({"state_dict": {}}, "holds no named weights"),
        ([1, 2], "holds no named weights"),
    ],
)
def test_a_file_of_another_network_is_named(tmp_path: Path, stored: object, says: str) -> None:
    place = tmp_path / "net.pyth"
    torch.save(stored, place)
    with pytest.raises(ImportedError, match=rf"SlowFast {place}: .*{says}.*delete it and import again"):
        read_slowfast(place, STEM, DEPTHS)


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        raise_it: Any = pytest.fail
        return raise_it, ("code of a file ran",)


def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    place = tmp_path / "net.pyth"
    torch.save({"model_state": Code()}, place)
    with pytest.raises(ImportedError, match="cannot be read as weights"):
        read_slowfast(place, STEM, DEPTHS)
    for data in (b"", b"<html>not found</html>", place.read_bytes()[:100]):
        place.write_bytes(data)
        with pytest.raises(ImportedError, match=r"cannot be read as weights.*import again"):
            read_slowfast(place, STEM, DEPTHS)
