"""Augmentation: shapes and ranges held, seeds repeat, frames mirrored one by one."""

import torch

from features import spec
from towers import augment


def test_pictures_stay_pictures() -> None:
    clips = torch.randint(
        0, 256, (16, *spec.CLIP_IMAGE_SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    once, again = (augment.pictures(clips, torch.Generator().manual_seed(4)) for _ in range(2))
    assert once.shape == clips.shape
    assert once.dtype == torch.float32
    assert once.min() >= 0.0 and once.max() <= 255.0
    assert torch.equal(once, again)


def test_mirroring_keeps_the_order_of_the_frames() -> None:
    # Four frames of rising brightness, each darker on the left: brightness must still rise after any mirroring.
    frame = torch.linspace(0, 30, 64).expand(64, 64)
    clip = torch.cat([frame + 40 * k + 30 for k in range(4)], dim=1).to(torch.uint8)
    changed = augment.pictures(clip.expand(32, -1, -1), torch.Generator().manual_seed(0))
    frames = changed.view(32, 64, 4, 64)
    means = frames.mean(dim=(1, 3))
    assert (means.diff(dim=1) > 0).all()
    slopes = frames[..., 32:].mean(dim=(1, 2, 3)) - frames[..., :32].mean(dim=(1, 2, 3))
    assert (slopes > 0).any() and (slopes < 0).any()


def test_mels_stay_above_the_floor_and_finite() -> None:
    mels = torch.full((8, *spec.CLIP_MEL_SHAPE), augment.FLOOR)
    changed = augment.mels(mels, torch.Generator().manual_seed(1))
    assert changed.shape == mels.shape
    assert torch.isfinite(changed).all()
    assert not torch.equal(changed[0], changed[1])
    assert torch.equal(changed, augment.mels(mels, torch.Generator().manual_seed(1)))
