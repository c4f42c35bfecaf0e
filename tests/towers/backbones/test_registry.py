"""Every backbone: what it takes and gives, that it repeats, and that wrong ones are named."""

import pytest
import torch

from towers.backbones.backbone import Normalised
from towers.backbones.conformer import quarter
from towers.backbones.registry import KINDS, build_backbone, make_backbone
from towers.errors import RunError
from towers.examples import example

each = pytest.mark.parametrize(("kind", "side"), list(KINDS), ids=["-".join(case) for case in KINDS])


@each
def test_a_vector_a_clip_whatever_the_batch(kind: str, side: str) -> None:
    torch.manual_seed(0)
    backbone = make_backbone(kind, side, "tiny")
    clips = tuple(example(name, 5) for name in backbone.inputs)
    if isinstance(backbone, Normalised):
        backbone.normalise(*clips)
    backbone.eval()
    with torch.inference_mode():
        whole = backbone(*clips)
        alone = torch.cat([backbone(*(clip[i : i + 1] for clip in clips)) for i in range(5)])
    assert whole.shape == (5, backbone.width) and whole.dtype == torch.float32
    torch.testing.assert_close(whole, alone, atol=1e-4, rtol=1e-4)
    for start, stop in backbone.parts.values():
        assert 0 <= start < stop <= backbone.width


@each
def test_built_again_from_its_configuration(kind: str, side: str) -> None:
    backbone = make_backbone(kind, side, "tiny")
    again = build_backbone(backbone.configuration())
    again.load_state_dict(backbone.state_dict())
    clips = tuple(example(name, 2) for name in backbone.inputs)
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(*clips), backbone.eval()(*clips))


@each
def test_what_can_be_learned_has_gradients(kind: str, side: str) -> None:
    backbone = make_backbone(kind, side, "tiny")
    assert backbone.learned == bool(list(backbone.parameters()))
    if backbone.learned:
        backbone(*(example(name, 4) for name in backbone.inputs)).square().sum().backward()
        assert sum(float(p.grad.abs().sum()) for p in backbone.parameters() if p.grad is not None) > 0


def test_wrong_kinds_and_scales_are_named() -> None:
    with pytest.raises(RunError, match="video has no backbone 'vggish'; there are conformer, statistics"):
        make_backbone("vggish", "video")
    with pytest.raises(RunError, match="scale 'huge' is unknown"):
        make_backbone("dpvm", "video", "huge")
    with pytest.raises(RunError, match="the corpus has no such column"):
        make_backbone("stored:x", "video")


def test_the_small_ones_are_small() -> None:
    for kind, side in KINDS:
        assert sum(value.numel() for value in make_backbone(kind, side).parameters()) < 1_000_000


def test_convolutions_leave_a_quarter() -> None:
    assert [quarter(n) for n in (64, 256, 398, 80, 5)] == [16, 64, 100, 20, 2]
