"""High dynamic range (PQ and HLG, ITU-R BT.2100) -> what a screen of standard range shows.

Its code values are meant for another display: taken as they are, pictures come out pale and dark. Reference white, 203
cd/m2 (ITU-R BT.2408), becomes white; brighter light is bent towards it; BT.2020's or P3's colours become BT.709's.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

PQ: Final = 16  # transfer characteristics, as ITU-T H.273 numbers them
HLG: Final = 18
TRANSFERS: Final = frozenset({PQ, HLG})
WHITE: Final = 203.0
HLG_PEAK: Final = 1000.0  # cd/m2, the nominal display that HLG's system gamma of 1.2 is for
KNEE: Final = 0.9  # of white: from here on highlights are bent
SCREEN_GAMMA: Final = 2.4  # ITU-R BT.1886
STEPS: Final = 4096  # of the tables

# primaries (H.273) -> linear light to that of BT.709; from ITU-R BT.2407 and SMPTE RP 177
TO_709: Final = {
    9: np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32),
    12: np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]], np.float32),
}
LUMA_2020: Final = np.array([0.2627, 0.6780, 0.0593], np.float32)


def to_sdr(picture: NDArray[np.uint16], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint16 RGB, full range, coded by ``transfer`` (`PQ` or `HLG`) -> uint8 RGB of BT.709.

    ``primaries`` are BT.2020's unless H.273 numbers them otherwise.
    """
    light = _light_table(transfer)[picture >> 4]  # of white
    if transfer == HLG:
        luma = light @ LUMA_2020
        light = light * (HLG_PEAK / WHITE * np.power(luma, 0.2, dtype=np.float32))[..., None]
    if primaries != 1:
        light = light @ TO_709.get(primaries, TO_709[9]).T
    light = np.maximum(light, 0.0)
    bent = np.where(light > KNEE, 1.0 - (1.0 - KNEE) * np.exp((KNEE - light) / (1.0 - KNEE)), light)
    return np.asarray(_level_table()[(bent * (STEPS - 1) + 0.5).astype(np.int32)], np.uint8)


@cache
def _light_table(transfer: int) -> NDArray[np.float32]:
    """Code value -> light: of white for PQ, of the scene's peak for HLG."""
    code = np.linspace(0.0, 1.0, STEPS)
    if transfer == PQ:
        root = np.power(code, 4096 / (2523 * 128))
        light = np.maximum(root - 3424 / 4096, 0.0) / (2413 / 128 - 2392 / 128 * root)
        return np.asarray(10_000.0 / WHITE * np.power(light, 16384 / 2610), np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.asarray(np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12), np.float32)


@cache
def _level_table() -> NDArray[np.uint8]:
    """Light of white -> level."""
    return np.asarray(np.round(255 * np.linspace(0.0, 1.0, STEPS) ** (1 / SCREEN_GAMMA)), np.uint8)
