"""Edges of the quantised inputs, fitted on a training split: log-spaced, since most motion and most beats are gentle.

UT-CMVMR's own flow bins are 5 pixels wide, so that most content falls into the lowest few; ``features.quantise`` keeps
them for comparison.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from features import quantise

Edges = dict[str, list[list[float]]]


def fit_edges(displacement: npt.NDArray[np.floating], rhythm: npt.NDArray[np.floating], bins: int = 24) -> Edges:
    """``displacement`` (n,) and ``rhythm`` (n, 3) of the clips of the training pairs -> edges by feature and field.

    Beats are counted, so theirs are the paper's.
    """
    return {
        "displacement": [list(quantise.fit_log(displacement, bins).edges)],
        "rhythm": [
            list(quantise.paper_beats().edges),
            list(quantise.fit_log(rhythm[..., 1], bins).edges),
            list(quantise.fit_log(rhythm[..., 2], bins).edges),
        ],
    }


def paper_edges() -> Edges:
    """The bins of UT-CMVMR's released code; see ``features.quantise``."""
    return {
        "displacement": [list(quantise.paper_displacement().edges)],
        "rhythm": [
            list(quantise.paper_beats().edges),
            list(quantise.paper_strength().edges),
            list(quantise.paper_interval().edges),
        ],
    }


def as_edges(stored: Mapping[str, object]) -> Edges:
    """From JSON."""
    return {
        str(name): [[float(edge) for edge in field] for field in fields]  # type: ignore[attr-defined]
        for name, fields in stored.items()
    }
