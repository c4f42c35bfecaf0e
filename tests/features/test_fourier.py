"""Spectra by OpenCV: the digits of NumPy's, at any size."""

import numpy as np
import pytest

from features.fourier import AT_ONCE, coarse_spectra, spectra


@pytest.mark.parametrize(("rows", "length", "size"), [(256, 400, 512), (300, 1024, 0), (30, 4096, 0), (1, 128, 0)])
def test_the_digits_are_numpys(rows: int, length: int, size: int) -> None:
    made = np.random.default_rng(length).standard_normal((rows, length)).astype(np.float32)
    window = np.hanning(length).astype(np.float32)
    expected = np.fft.rfft(made * window, size or length, axis=1)
    found = spectra(made, window, size)
    assert found.shape == expected.shape and found.dtype == np.complex64
    assert (found != expected).mean() < 1e-6
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_pieces_that_overlap_and_no_pieces() -> None:
    sound = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::256]
    ones = np.ones(1024, np.float32)
    np.testing.assert_allclose(spectra(windows, ones), np.fft.rfft(windows, axis=1), atol=1e-4)
    assert spectra(windows[:0], ones).shape == (0, 513)


@pytest.mark.parametrize("size", [8, 9, 1103, 8000])
def test_coarse_ones_are_in_order(size: int) -> None:
    made = np.random.default_rng(size).standard_normal((1 + 2 * AT_ONCE // size % 40, size)).astype(np.float32)
    expected = np.fft.rfft(made, axis=1)
    found = coarse_spectra(made)
    np.testing.assert_allclose(found[:, 0], expected[:, 0].real, atol=2e-3)
    np.testing.assert_allclose(found[:, 1::2], expected[:, 1:].real, atol=2e-3)
    np.testing.assert_allclose(found[:, 2::2], expected[:, 1 : 1 + (size - 1) // 2].imag, atol=2e-3)
