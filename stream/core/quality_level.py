"""How closely the pictures are followed: in full, or in named lower steps on a machine that cannot keep up."""

from dataclasses import dataclass
from typing import Final

from features.spec import HOP_S


@dataclass(frozen=True, slots=True)
class QualityLevel:
    """A list every ``hop_s`` seconds of media time, from one of every ``stride`` motion slots.

    With a stride of 2 motion is sampled 4 times a second: speeds stay true (they are divided by the time that passed),
    but the pulse of the pictures is no longer measured, since too many slots are empty. Without ``deblock``, pictures
    are decoded without the filter that hides the edges of blocks, which is a third of decoding H.264.
    """

    name: str
    hop_s: int = HOP_S
    stride: int = 1
    deblock: bool = True


FULL: Final = QualityLevel("full")
STEPS: Final = (
    FULL,
    QualityLevel("longer hop", hop_s=2),
    QualityLevel("lower motion rate", hop_s=2, stride=2, deblock=False),
)
