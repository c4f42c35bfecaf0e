"""Compact bilinear pooling (Gao et al. 2016): the outer product of two vectors, in a few numbers.

Each vector is count-sketched to ``size`` numbers by a fixed random hash and sign; their circular convolution, a product
of spectra, sketches the outer product.
"""

import torch
from torch import Tensor, nn


class CompactBilinear(nn.Module):
    """(n, a) and (n, b) -> (n, size). The hashes are drawn from the generator of torch and kept with the weights."""

    left: Tensor
    right: Tensor

    def __init__(self, a: int, b: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("left", sketch(a, size))
        self.register_buffer("right", sketch(b, size))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        spectra = torch.fft.rfft(a @ self.left) * torch.fft.rfft(b @ self.right)
        pooled: Tensor = torch.fft.irfft(spectra, n=self.size)
        return pooled


def sketch(width: int, size: int) -> Tensor:
    """(width, size): each row one place, plus or minus one."""
    places = torch.randint(size, (width,))
    signs = torch.randint(2, (width,)).float() * 2.0 - 1.0
    return torch.zeros(width, size).scatter_(1, places.unsqueeze(1), signs.unsqueeze(1))
