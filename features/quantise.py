"""Numbers to codes: the bins of rhythm and motion embeddings.

The ``paper_*`` bins are those of the released UT-CMVMR code (Mao et al.), in this project's units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import FeatureError
from .spec import CLIP_S

_PAPER_FRAME_PX = 224.0  # the paper's frames are square, and one second apart
_PAPER_STRENGTHS = 48
_FULL_STRENGTH = 2.0  # our strengths are 1 at a track's 95th percentile; twice that is the paper's last code
_NO_INTERVAL_S = 1e-3  # shorter than any beat interval: parts "no interval", 0, from the rest


@dataclass(frozen=True, slots=True)
class Quantiser:
    """``len(edges) + 1`` codes, split at strictly increasing finite ``edges``, which are float32 values.

    float32 because the graphs that repeat this compare in float32: both must put a value on the same side of an edge.
    Raises ``FeatureError`` for edges that are empty, not finite or, as float32, not strictly increasing.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        rounded = np.asarray(self.edges, dtype=np.float32)
        if rounded.ndim != 1 or not rounded.size or not np.isfinite(rounded).all() or (np.diff(rounded) <= 0).any():
            raise FeatureError("quantiser edges must be finite and strictly increasing in float32, and at least one")
        object.__setattr__(self, "edges", tuple(rounded.tolist()))

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return len(self.edges) + 1

    def code(self, values: NDArray[np.floating] | float) -> NDArray[np.int64]:
        """Of each value, the number of edges <= it: int64 of the same shape. Raises ``FeatureError`` for NaN."""
        compared = np.asarray(values, dtype=np.float32)
        if np.isnan(compared).any():
            raise FeatureError("a value to quantise is NaN")
        return np.asarray(np.searchsorted(np.asarray(self.edges, np.float32), compared, side="right"), dtype=np.int64)


def fit_log(values: NDArray[np.floating], bins: int) -> Quantiser:
    """``bins`` codes, log-spaced from the 1st to the 99th percentile of the positive ``values``; zeros get code 0.

    Where all positive values are equal, the edges span an octave around them. Raises ``FeatureError`` for fewer than
    two bins, for values that are negative or not finite, and if none is positive.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if bins < 2:
        raise FeatureError(f"{bins} bins: give at least 2")
    if not np.isfinite(flat).all() or (flat < 0.0).any():
        raise FeatureError("values to fit bins on must be finite and not negative")
    positive = flat[flat > 0.0]
    if not positive.size:
        raise FeatureError("no positive value to fit bins on: the corpus has nothing but zeros")
    low, high = np.percentile(positive, (1.0, 99.0))
    if high < low * 1.01:
        low, high = low / np.sqrt(2.0), high * np.sqrt(2.0)
    return Quantiser(tuple(np.geomspace(low, high, bins - 1).tolist()))


def paper_displacement() -> Quantiser:
    """65 codes of mean displacement in frame widths per second: bins of 5 px on frames of 224 px, one a second."""
    return Quantiser(tuple((np.linspace(0.0, 320.0, 65)[1:] / _PAPER_FRAME_PX).tolist()))


def paper_beats() -> Quantiser:
    """18 codes of the number of beats in a clip: 0 to 16, and 17 or more."""
    return Quantiser(tuple(float(count) for count in range(1, 18)))


def paper_strength() -> Quantiser:
    """49 codes of mean beat strength: the paper rounds it to 0 ... 48.

    Its strengths are raw onset strengths, whose scale depends on loudness and settings; ours are relative to the track,
    so the choice that twice the track's 95th percentile is the last code is ours.
    """
    return Quantiser(tuple(((np.arange(_PAPER_STRENGTHS) + 0.5) * _FULL_STRENGTH / _PAPER_STRENGTHS).tolist()))


def paper_interval() -> Quantiser:
    """65 codes of mean beat interval in seconds: code 0 for fewer than two beats, then 64 equal bins of (0, 4] s.

    The paper numbers "fewer than two" last; the order of codes does not matter to an embedding.
    """
    return Quantiser((_NO_INTERVAL_S, *np.linspace(0.0, float(CLIP_S), 65)[1:-1].tolist()))
