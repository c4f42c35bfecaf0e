"""From a standard score to a probability, where clips are labelled.

Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods", 1999: a
logistic curve with a slope and an offset, fitted to targets that are not quite 0 and 1, so that few labels do not make
it a step.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST: Final = 10  # files of either kind
FLATTEST: Final = 0.05  # a useless or contrary tag hardly counts


def platt(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the log odds over ``scores`` (n,); ``labels`` (n,): whether the tag is right. Both kinds must
    occur. The slope is .05 or more."""
    from sklearn.linear_model import LogisticRegression

    positives = int(labels.sum())
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2))
    twice = np.concatenate([scores, scores])[:, None]
    sides = np.repeat([1, 0], len(labels))
    fitted = LogisticRegression(C=1e3).fit(twice, sides, sample_weight=np.concatenate([targets, 1 - targets]))
    return max(FLATTEST, float(fitted.coef_[0, 0])), float(fitted.intercept_[0])
