"""Vectors of one norm, for indexes that are graphs.

A catalogue's vectors have norms from 5 to 20 (``catalog.standard``). A graph that joins neighbours by inner product
then joins everything to the longest vectors, and a search in it ends early: HNSW found .94 of the best tracks where it
finds .99 of them once all vectors have one norm. So each gets one more number, ``sqrt(bound^2 - norm^2)``, which a
query has as 0: inner products stay as they are, and the nearest by inner product are the nearest by angle (Bachrach et
al., Speeding up the Xbox recommender system using a Euclidean transformation for inner-product spaces, RecSys 2014).
"""

import numpy as np

from catalog.records import Floats


def longest(vectors: Floats) -> float:
    """The largest norm; 0 for no vector."""
    return float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64).max(initial=0.0)))


def lift(vectors: Floats, bound: float) -> Floats:
    """(m, D + 1) of norm ``bound``; longer vectors keep theirs."""
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    more = np.sqrt(np.maximum(bound * bound - squares, 0.0)).astype(np.float32)
    return np.concatenate([vectors, more[:, None]], axis=1)


def lift_query(query: Floats) -> Floats:
    """(D + 1,)"""
    return np.append(query, np.float32(0.0))
