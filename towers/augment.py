"""Cheap changes of clips during training, so that the towers also work on real footage and real masters.

Each function works on a batch and draws from the given generator.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor
from torch.nn import functional

from features import spec

FLOOR = float(torch.log(torch.tensor(spec.MEL_FLOOR)))


def pictures(clip_image: Tensor, generator: Generator) -> Tensor:
    """(B, 64, 256) uint8 -> float 0..255: contrast, brightness, gamma and noise per clip; half of them mirrored."""
    count = len(clip_image)
    x = clip_image.to(torch.float32) / 255.0

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, 1, 1).uniform_(low, high, generator=generator)

    x = x.clamp(min=1e-4) ** uniform(-0.4, 0.4).exp()
    mean = x.mean(dim=(1, 2), keepdim=True)
    x = (x - mean) * uniform(0.7, 1.3) + mean + uniform(-0.15, 0.15)
    noise = torch.empty(x.shape).normal_(generator=generator)
    x = x + noise * uniform(0.0, 0.03)
    frames = x.view(count, spec.THUMB_SIZE, spec.THUMBS_PER_CLIP, spec.THUMB_SIZE)
    mirrored = frames.flip(3).flatten(2)
    return torch.where(uniform(0.0, 1.0) < 0.5, mirrored, x).clamp(0.0, 1.0) * 255.0


def mels(clip_mel: Tensor, generator: Generator) -> Tensor:
    """(B, 398, 80) float32 log power -> the same: gain, tilt and noise per clip; a span of time and of bands masked."""
    count, frames, bands = clip_mel.shape

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, 1, 1).uniform_(low, high, generator=generator)

    tilt = torch.linspace(-0.5, 0.5, bands)
    bumps = torch.cos(tilt * torch.pi * uniform(0.5, 3.0) + uniform(0.0, 6.28)) * uniform(0.0, 0.8)
    x = clip_mel + uniform(-1.5, 1.5) + tilt * uniform(-2.0, 2.0) + bumps
    x = torch.logaddexp(x, uniform(FLOOR, -7.0))
    quiet = x.mean(dim=(1, 2), keepdim=True)
    time, band = torch.arange(frames).view(1, -1, 1), torch.arange(bands).view(1, 1, -1)
    late, high = uniform(0.0, float(frames)), uniform(0.0, float(bands))
    masked = ((time >= late) & (time < late + uniform(0.0, 40.0))) | (
        (band >= high) & (band < high + uniform(0.0, 8.0))
    )
    return torch.where(masked, quiet, x)


def mfccs(coefficients: Tensor, generator: Generator) -> Tensor:
    """(B, 32, n) float32: another gain (the first coefficient) and a little noise on all."""
    count = len(coefficients)
    gain = torch.empty(count, 1, 1).uniform_(-4.0, 4.0, generator=generator)
    noise = torch.empty(coefficients.shape).normal_(generator=generator) * 0.1
    return coefficients + noise + functional.pad(gain, (0, 0, 0, coefficients.shape[1] - 1))


def frames(pictures: Tensor, generator: Generator) -> Tensor:
    """(B, n, h, w, 3) uint8 -> float 0..255: contrast, brightness per clip; half of them mirrored."""
    count = len(pictures)
    x = pictures.to(torch.float32)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, 1, 1, 1, 1).uniform_(low, high, generator=generator)

    mean = x.mean(dim=(1, 2, 3, 4), keepdim=True)
    x = (x - mean) * uniform(0.8, 1.2) + mean + uniform(-15.0, 15.0)
    return torch.where(uniform(0.0, 1.0) < 0.5, x.flip(3), x).clamp(0.0, 255.0)


# Feature -> its change; a feature without one stays as it is.
CHANGES: Mapping[str, Callable[[Tensor, Generator], Tensor]] = {
    "clip_mel": mels,
    "content_mfcc": mfccs,
    "emotion_mfcc": mfccs,
    "clip_frames": frames,
    "key_frames": frames,
}
