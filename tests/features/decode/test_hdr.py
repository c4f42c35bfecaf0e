"""Code values of high dynamic range become those of the standard one."""

import numpy as np
import pytest

from features.decode.hdr import HLG, LUMA_2020, PQ, TO_709, to_sdr

LEVELS = np.array([0.0, 0.05, 0.1, 0.384, 0.608, 0.829, 0.9])


def pq(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, the way in."""
    y = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(scene: np.ndarray) -> np.ndarray:
    """ARIB STD-B67, the way in."""
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def coded(code: np.ndarray) -> np.ndarray:
    return np.round(np.repeat(code[None, :, None], 3, axis=2) * 65535).astype(np.uint16)


def test_pq_of_an_ordinary_picture_is_that_picture() -> None:
    found = to_sdr(coded(pq(203 * LEVELS**2.4)), PQ, 9)
    assert np.abs(found[0, :, 0] - 255 * LEVELS).max() <= 2.5


def test_hlg_of_an_ordinary_picture_is_that_picture() -> None:
    scene = (203 / 1000 * LEVELS**2.4) ** (1 / 1.2)  # without the system gamma of the display
    found = to_sdr(coded(hlg(scene)), HLG, 9)
    assert np.abs(found[0, :, 0] - 255 * LEVELS).max() <= 2.5


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_colours_come_back_as_they_were(transfer: int) -> None:
    """Those of BT.709 in BT.2020, shown by BT.2100's display: HLG's system gamma acts on luminance."""
    colours = np.array(
        [[200, 40, 40], [40, 180, 40], [40, 40, 200], [180, 180, 60], [60, 160, 160], [160, 60, 160], [90, 40, 20]]
    )
    light = 203 * (colours / 255) ** 2.4 @ np.linalg.inv(TO_709[9].astype(float)).T  # cd/m2
    if transfer == PQ:
        code = pq(light)
    else:
        share = light / 1000
        code = hlg(share * (share @ LUMA_2020)[:, None] ** (1 / 1.2 - 1))
    found = to_sdr(np.round(code[None] * 65535).astype(np.uint16), transfer, 9)[0]
    assert np.abs(found.astype(int) - colours).max() <= 2


def test_the_references_of_the_standards() -> None:
    """BT.2408: reference white is 58% of PQ and 75% of HLG; both are nearly white."""
    for code, transfer in ((0.5807, PQ), (0.75, HLG)):
        assert 246 <= to_sdr(coded(np.array([code])), transfer, 9)[0, 0, 0] <= 253


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_is_brighter_up_to_the_peak_and_nothing_overflows(transfer: int) -> None:
    found = to_sdr(coded(np.linspace(0, 1, 500)), transfer, 9)[0, :, 0]
    assert (np.diff(found.astype(int)) >= 0).all() and found[0] == 0 and found[-1] == 255
    drawn = np.random.default_rng(0).integers(0, 65536, (50, 50, 3), dtype=np.uint16)
    assert to_sdr(drawn, transfer, 9).shape == (50, 50, 3)


def test_wide_colours_come_back_and_grey_stays_grey() -> None:
    red_709 = np.array([0.6274, 0.0691, 0.0164])  # BT.709's red in BT.2020 (BT.2087)
    code = np.round(pq(203 * 0.5 * red_709) * 65535).astype(np.uint16)[None, None]
    red = to_sdr(code, PQ, 9)[0, 0].astype(int)
    assert red[0] > 180 and red[1] < 30 and red[2] < 30
    for primaries in (1, 2, 9, 12):
        grey = to_sdr(coded(np.array([0.4])), PQ, primaries)[0, 0].astype(int)
        assert np.ptp(grey) <= 1
