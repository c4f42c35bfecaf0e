"""Window statistics against NumPy, clip by clip."""

import numpy as np
import pytest
import torch

from features import spec
from towers.levels import GlobalNormalisation, Standard, low_level, music_level, order_statistics, video_level

VALUES = spec.LOW_LEVEL_VALUES


def windows() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(7) < torch.tensor([[7], [5], [2], [1]])
    clips = torch.randn(4, 7, 3, generator=generator)
    return torch.where(mask.unsqueeze(-1), clips, torch.nan), mask


def test_video_level_is_mean_deviation_and_the_five_largest() -> None:
    clips, mask = windows()
    said = video_level(clips, mask).numpy()
    for row in range(4):
        valid = clips[row][mask[row]].numpy()
        largest = np.sort(valid, axis=0)[::-1]
        ranks = [largest[min(rank, len(valid) - 1)] for rank in range(5)]
        assert said[row] == pytest.approx(np.concatenate([valid.mean(axis=0), valid.std(axis=0), *ranks]), abs=1e-6)


def test_too_few_clips_repeat_their_smallest_value() -> None:
    clips = torch.tensor([[[3.0], [8.0], [0.0]]])
    assert order_statistics(clips, torch.tensor([[True, True, False]]))[0].tolist() == [8.0, 3.0, 3.0, 3.0, 3.0]
    assert order_statistics(clips[:, :1], torch.tensor([[True]]))[0].tolist() == [3.0] * 5


def test_music_level_is_mean_deviation_and_maximum() -> None:
    clips, mask = windows()
    said = music_level(clips, mask).numpy()
    valid = clips[2, :2].numpy()
    assert said[2] == pytest.approx(
        np.concatenate([valid.mean(axis=0), valid.std(axis=0), valid.max(axis=0)]), abs=1e-6
    )


def test_low_level_clips_give_what_all_frames_together_would() -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(3, 50, VALUES)) * rng.uniform(0.5, 2, (3, 1, VALUES)) + rng.normal(size=(3, 1, VALUES))
    clips = np.concatenate([frames.mean(axis=1), frames.var(axis=1), frames.max(axis=1)], axis=1)
    padded = np.full((1, 7, 3 * VALUES), np.nan, dtype=np.float32)
    padded[0, :3] = clips
    said = low_level(torch.from_numpy(padded), torch.arange(7).unsqueeze(0) < 3)[0].numpy()
    together = frames.reshape(-1, VALUES)
    expected = np.concatenate([together.mean(axis=0), together.var(axis=0), together.max(axis=0)])
    assert said == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_scales_are_those_of_the_training_split() -> None:
    levels = torch.tensor([[1.0, 5.0, 7.0], [3.0, 9.0, 7.0]])
    standard = Standard(3)
    standard.prepare(levels)
    assert standard(levels).tolist() == [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]
    assert standard(torch.tensor([[1.0, 5.0, 99.0]]))[0, 2].item() == 0.0  # it never changed, so nothing is known of it


@pytest.mark.parametrize("rows", [12, 200])
def test_global_normalisation_keeps_the_principal_components(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    levels = torch.randn(rows, 40, generator=generator) @ torch.randn(40, 40, generator=generator)
    module = GlobalNormalisation(40, 6)
    module.prepare(levels)
    assert module.components is not None
    scaled = module.standard(levels).double()
    left, values, _ = torch.linalg.svd(scaled, full_matrices=False)
    projected = scaled @ module.components.double()
    assert torch.allclose(projected.norm(dim=0), values[:6], rtol=1e-4)
    assert torch.allclose((left[:, :6] * projected).sum(dim=0).abs(), values[:6], rtol=1e-4)
    assert torch.allclose(module(levels).norm(dim=-1), torch.ones(rows))


def test_fewer_windows_than_components_leave_zeros() -> None:
    levels = torch.randn(4, 40, generator=torch.Generator().manual_seed(0))
    module = GlobalNormalisation(40, 6)
    module.prepare(levels)
    assert module.components is not None
    assert module.components.any(dim=0).tolist() == [True] * 3 + [False] * 3  # four rows without their mean span three
    assert torch.isfinite(module(levels)).all()
