"""The unified tag target (UT-CMVMR, section 2.1): one label for a piece of music and for all of its videos.

A music's collection holds the tags of all its videos, repeats included. With n_ij the times that tag i stands in
collection j and M collections, equation (1) is

    tfidf_ij = n_ij / sum_k n_kj * log(M / (1 + |{j : t_i in j}|))

and the best tag is the label. A tag that nearly every collection has weighs 0 or less. Ties fall to the first by name.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

UNKNOWN = -1


@dataclass(frozen=True)
class TagTargets:
    """Counts over the training collections: ``documents`` says how many hold a tag; ``labels`` are the best tags."""

    collections: int
    documents: dict[str, int]
    labels: tuple[str, ...]

    @classmethod
    def fit(cls, collections: Sequence[Sequence[str]]) -> Self:
        documents = Counter(tag for tags in collections for tag in set(tags))
        counted = cls(len(collections), dict(sorted(documents.items())), ())
        best = {counted.best(tags) for tags in collections if tags}
        return cls(counted.collections, counted.documents, tuple(sorted(filter(None, best))))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return tuple(self.documents)

    def tfidf(self, tags: Sequence[str]) -> dict[str, float]:
        """Equation (1) for one collection; tags that training never saw are left out."""
        return {
            tag: count / len(tags) * math.log(self.collections / (1 + self.documents[tag]))
            for tag, count in sorted(Counter(tags).items())
            if tag in self.documents
        }

    def best(self, tags: Sequence[str]) -> str | None:
        weights = self.tfidf(tags)
        return max(weights, key=lambda tag: weights[tag]) if weights else None

    def label(self, tags: Sequence[str]) -> int:
        """Index in ``labels`` of the best tag that is one, or ``UNKNOWN``."""
        known = {tag: weight for tag, weight in self.tfidf(tags).items() if tag in self.labels}
        return self.labels.index(max(known, key=lambda tag: known[tag])) if known else UNKNOWN

    def vector(self, tags: Sequence[str]) -> npt.NDArray[np.float32]:
        """(vocabulary,) float32: positive TF-IDF weights at unit norm, in place of a sentence embedding."""
        weights = self.tfidf(tags)
        vector = np.array([max(weights.get(tag, 0.0), 0.0) for tag in self.vocabulary], np.float32)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), np.float32)
