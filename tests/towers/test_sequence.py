"""Sequence stage: quantising, masks, crops."""

import numpy as np
import pytest
import torch

from features.quantise import fit_log
from towers.objective import crop
from towers.presets import PRESETS, SETTINGS, Configuration
from towers.sequence import Bins, masked_mean
from towers.ut_cmvmr import Score, UtCmvmr


def system(setting: str = "se-r") -> UtCmvmr:
    torch.manual_seed(0)
    edges = ((1.0, 4.0, 8.0), (0.5, 1.0, 2.0), (0.3, 0.5, 0.7))
    return UtCmvmr(Configuration(PRESETS["tiny"], setting, (0.01, 0.05, 0.1, 0.3, 0.5), edges)).eval()


def test_bins_agree_with_the_quantiser_on_and_between_edges() -> None:
    values = np.random.default_rng(0).gamma(1.0, 0.2, 500).astype(np.float32)
    quantiser = fit_log(values, 12)
    tried = np.concatenate([values, np.array(quantiser.edges, np.float32), [np.float32(0.0)]])
    assert Bins(quantiser.edges)(torch.from_numpy(tried)).tolist() == quantiser.code(tried).tolist()


def test_masked_mean_reads_valid_places_only() -> None:
    x = torch.tensor([[[1.0], [3.0], [float("nan")]]])
    assert masked_mean(x, torch.tensor([[True, True, False]])).item() == 2.0


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_stands_behind_the_mask_does_not_matter(setting: str) -> None:
    net = system(setting)
    generator = torch.Generator().manual_seed(1)
    clips = torch.randn(4, 7, net.clip_dim, generator=generator)
    mask = torch.arange(7) < torch.tensor([[1], [3], [6], [7]])
    displacement, rhythm = torch.rand(4, 7, generator=generator), torch.rand(4, 7, 3, generator=generator) * 5
    other = torch.where(mask.unsqueeze(-1), clips, 50.0)
    other_displacement = torch.where(mask, displacement, 9.0)
    other_rhythm = torch.where(mask.unsqueeze(-1), rhythm, 9.0)
    with torch.inference_mode():
        torch.testing.assert_close(net.video(clips, mask, displacement), net.video(other, mask, other_displacement))
        torch.testing.assert_close(net.music(clips, mask, rhythm), net.music(other, mask, other_rhythm))
        score = Score(net)
        torch.testing.assert_close(
            score(clips, mask, displacement, clips, mask, rhythm),
            score(other, mask, other_displacement, other, mask, other_rhythm),
        )


def test_order_rhythm_and_flow_matter_in_their_setting_only() -> None:
    clips, mask = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(2)), torch.ones(1, 7, dtype=torch.bool)
    slow, fast = torch.full((1, 7), 0.02), torch.full((1, 7), 0.4)
    for setting in SETTINGS:
        net = system(setting)
        with torch.inference_mode():
            turned = not torch.allclose(net.video(clips, mask, slow), net.video(clips.flip(1), mask, slow), atol=1e-5)
            moved = not torch.allclose(net.video(clips, mask, slow), net.video(clips, mask, fast), atol=1e-5)
        assert turned == (setting in ("se", "se-r"))
        assert moved == (setting == "se-r")


def test_crop_moves_a_window_to_the_front() -> None:
    values = torch.arange(7.0).view(1, 7).repeat(3, 1)
    moved, mask = crop(torch.tensor([7, 3, 1]), torch.tensor([0, 2, 6]), values)
    assert moved.tolist() == [[0, 1, 2, 3, 4, 5, 6], [2, 3, 4, 0, 0, 0, 0], [6, 0, 0, 0, 0, 0, 0]]
    assert mask.sum(dim=1).tolist() == [7, 3, 1]
    wide, _ = crop(torch.tensor([2]), torch.tensor([1]), torch.arange(14.0).view(1, 7, 2))
    assert wide[0, :3].tolist() == [[2, 3], [4, 5], [0, 0]]
