"""Sequence stage: quantising, masks, and what each setting of UT-CMVMR can see."""

import numpy as np
import pytest
import torch

from features.quantise import fit_log
from towers.batch import Side, Sizes
from towers.sequence import Bins, masked_mean
from towers.ut_cmvmr import SETTINGS, UtCmvmr, make

EDGES = {"displacement": [[0.01, 0.05, 0.1, 0.3, 0.5]], "rhythm": [[1.0, 4.0, 8.0], [0.5, 1.0, 2.0], [0.3, 0.5, 0.7]]}


def system(setting: str = "se-r") -> UtCmvmr:
    torch.manual_seed(0)
    return make(setting, Sizes(16, 16, 4, 0, edges=EDGES), "tiny").eval()


def window(clips: torch.Tensor, mask: torch.Tensor, displacement: torch.Tensor) -> Side:
    return Side(clips, mask, {"displacement": displacement})


def test_bins_agree_with_the_quantiser_on_and_between_edges() -> None:
    values = np.random.default_rng(0).gamma(1.0, 0.2, 500).astype(np.float32)
    quantiser = fit_log(values, 12)
    tried = np.concatenate([values, np.array(quantiser.edges, np.float32), [np.float32(0.0)]])
    assert Bins(quantiser.edges)(torch.from_numpy(tried)).tolist() == quantiser.code(tried).tolist()


def test_masked_mean_reads_valid_places_only() -> None:
    x = torch.tensor([[[1.0], [3.0], [float("nan")]]])
    assert masked_mean(x, torch.tensor([[True, True, False]])).item() == 2.0


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_matcher_does_not_read_behind_the_mask(setting: str) -> None:
    net = system(setting)
    generator = torch.Generator().manual_seed(1)
    clips = torch.randn(4, 7, 16, generator=generator)
    mask = torch.arange(7) < torch.tensor([[1], [3], [6], [7]])
    rhythm = torch.rand(4, 7, 3, generator=generator) * 5

    def pair(filler: float) -> tuple[Side, Side]:
        held = torch.where(mask.unsqueeze(-1), clips, filler)
        beats = torch.where(mask.unsqueeze(-1), rhythm, filler)
        return window(held, mask, beats[..., 0] / 10), Side(held, mask, {"rhythm": beats})

    with torch.inference_mode():
        torch.testing.assert_close(net.score(*pair(0.0)), net.score(*pair(50.0)))


def test_order_rhythm_and_flow_matter_in_their_setting_only() -> None:
    clips, mask = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(2)), torch.ones(1, 7, dtype=torch.bool)
    slow, fast = torch.full((1, 7), 0.02), torch.full((1, 7), 0.4)
    for setting in SETTINGS:
        net = system(setting)
        with torch.inference_mode():
            here, turned, moved = (
                net.video(window(*given))
                for given in ((clips, mask, slow), (clips.flip(1), mask, slow), (clips, mask, fast))
            )
        assert (not torch.allclose(here, turned, atol=1e-5)) == (setting in ("se", "se-r"))
        assert (not torch.allclose(here, moved, atol=1e-5)) == (setting == "se-r")
