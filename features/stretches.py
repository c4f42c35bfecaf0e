"""Where in a track music plays, and how its stretches begin and end, by loudness alone.

*Silent* is softer than 30 LU below the track's integrated loudness (at the common loudness inaudible beside anything)
and softer than -60 LUFS; in a track that is itself softer than that, 10 LU below it. A silence of 3 s separates two
stretches; a few clicks between silences, or before the music, are no stretch.

*Loudness of a place* is that of the 3 s around it (EBU's short-term loudness). Where the beginning or end of a stretch
is 6 LU softer than the minute there, that is its intro or outro: until the loudness has risen, or from where it begins
to fall.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .loudness import lufs_of
from .r128 import BLOCK_S, BLOCKS_PER_S, Levels

Floats = NDArray[np.float64]

BELOW_LU: Final = 30.0
SILENT_LUFS: Final = -60.0
SOFT_LU: Final = 10.0  # below a track that is itself softer than that
GAP_S: Final = 3.0
_LEAST_S: Final = 2.0  # of sound: less is a click, neither music nor a fade
_COUNT_IN_S: Final = 15.0
_DENSE: Final = 0.6  # share of 2 s that is audible in music; less in clicks once a second
_WINDOW: Final = 3 * BLOCKS_PER_S
_AROUND_S: Final = 60.0  # at a stretch's beginning or end, for comparison
_USUAL: Final = 70.0  # per cent: the loudness of that minute
_SOFT_END_LU: Final = 6.0
_NEAR_LU: Final = 1.5
_MOST: Final = 0.4  # of a stretch: the longest soft part at its end, unless it is a fade
_FADE_LU: Final = 15.0  # least distance of a fade's begin or end below the usual loudness
_SLOPE_LU: Final = 1.0  # in ``_STEP``: faster changes belong to the fade
_STEP: Final = 5 * BLOCKS_PER_S


@dataclass(frozen=True, slots=True)
class Stretch:
    """Music from ``begin_s`` to ``end_s``. Until ``rise_s`` it rises or is soft, from ``fall_s`` on it fades or is
    soft; these are the ends where it begins or stops at its full level."""

    begin_s: float
    end_s: float
    rise_s: float
    fall_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s


def silence_lufs(lufs: float) -> float:
    """Below this a track of that integrated loudness is silent."""
    if lufs == float("-inf"):
        return float("-inf")
    return max(lufs - BELOW_LU, min(SILENT_LUFS, lufs - SOFT_LU))


def stretches_of(levels: Levels) -> list[Stretch]:
    """The stretches in rising time, at least one."""
    length_s = len(levels.power) * BLOCK_S
    audible = lufs_of(levels.power) >= silence_lufs(levels.lufs)
    spans = [_without_count_in(audible, *span) for span in _runs(audible, round(GAP_S * BLOCKS_PER_S))]
    music = [(a, b) for a, b in spans if audible[a:b].sum() >= _LEAST_S * BLOCKS_PER_S and audible[a:b].mean() >= 0.3]
    if not music:
        music = sorted(spans, key=lambda span: span[0] - span[1])[:1] or [(0, max(1, len(audible)))]
    return [_with_ends(levels.power, first, end, length_s) for first, end in music]


def _runs(audible: NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """First block and the one behind the last of each run, those less than ``gap`` blocks apart joined."""
    at = np.flatnonzero(audible)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > gap)
    firsts, lasts = at[np.concatenate([[0], cuts + 1])], at[np.concatenate([cuts, [len(at) - 1]])]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def _without_count_in(audible: NDArray[np.bool_], first: int, end: int) -> tuple[int, int]:
    """The stretch from where it is audible most of the time, if that is soon."""
    window = 2 * BLOCKS_PER_S
    total = np.concatenate([[0], np.cumsum(audible[first:end])])
    last = min(len(total) - 1 - window, round(_COUNT_IN_S * BLOCKS_PER_S))
    if last < 0:
        return first, end
    share = (total[window : window + last + 1] - total[: last + 1]) / window
    dense = np.flatnonzero((share >= _DENSE) & audible[first : first + last + 1])
    if share[0] >= _DENSE or not len(dense):
        return first, end
    at = first + int(dense[0])
    # The window reaches over the last gap into the music: go on to where the sound stays.
    quiet = np.flatnonzero(~audible[at : at + window])
    long = [int(q) for q in quiet if not audible[at + q : at + q + 2].any()]
    return (at + long[-1] + int(np.argmax(audible[at + long[-1] :])) if long else at), end


def _with_ends(power: Floats, first: int, end: int, length_s: float) -> Stretch:
    loudness = _short_term(power[first:end])
    fall = len(loudness) - _soft_part(loudness[::-1])
    rise = _soft_part(loudness[:fall])
    begin_s, end_s = first * BLOCK_S, min(end * BLOCK_S, length_s)
    return Stretch(begin_s, end_s, begin_s + rise * BLOCK_S, min(end_s, begin_s + fall * BLOCK_S))


def _short_term(power: Floats) -> Floats:
    """(n,) LUFS of the 3 s around each block, of fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(power)])
    at = np.arange(len(power))
    first, end = np.maximum(at - _WINDOW // 2, 0), np.minimum(at + _WINDOW // 2 + 1, len(power))
    return lufs_of((total[end] - total[first]) / (end - first))


def _soft_part(loudness: Floats) -> int:
    """How many blocks at the beginning are a rise, or softer than what follows; 0 for a beginning at full level."""
    usual = float(np.percentile(loudness[: round(_AROUND_S * BLOCKS_PER_S)], _USUAL)) if len(loudness) else 0.0
    loud = np.flatnonzero(loudness >= usual - _SOFT_END_LU)
    if not len(loud) or loud[0] < _LEAST_S * BLOCKS_PER_S:
        return 0
    near = int(loud[0]) + int(np.argmax(loudness[loud[0] :] >= usual - _NEAR_LU))
    # A long fade reaches out of the minute.
    while near + _STEP < len(loudness) and loudness[near + _STEP] > loudness[near] + _SLOPE_LU:
        near += BLOCKS_PER_S
    if near > _MOST * len(loudness) and loudness[: 2 * BLOCKS_PER_S].min() > usual - _FADE_LU:
        return 0  # a soft half is no intro
    return near
