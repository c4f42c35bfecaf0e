"""Vectors to search, shaped like those of real catalogues.

Two catalogues of the shipped bundle (221 tracks, 2,903 segments, and one of ours) have half of their variance in 4
directions, 90 % in 16 and 99 % in 36 (5, 18 and 45); segments of a track have cosines of .72, one after the other .86
to .88, those of two tracks .24 to .26 with a deviation of .22 to .26. Those drawn here have a common direction, a
track's, and a segment's that changes gradually: 5, 16 and 34 directions, .73, .88, .25, .22. A query lies off the data,
as footage does: its cosine with the segment it was drawn from is .78, with the nearest about .83.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.records import LEANS, Floats
from catalog.standard import LEAN_REACH, index_query

TRACK: Final = 45  # segments of a track, in the mean
COMMON: Final = 0.24  # shares of the squared norm
OWN: Final = 0.48  # of the track; the rest is the segment's
FOLLOWS: Final = 0.57  # correlation of a segment's own part with that of the one before
SOURCE: Final = 0.78  # cosine of a query with what it was drawn from
INSIDE: Final = 0.75  # share of a query's deviation that lies as the data do
FALL: Final = (4.2, 0.8)  # of the spectrum
BLOCK: Final = 5_000  # tracks


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Of vectors of ``dim`` numbers: their common direction, a basis (dim, dim), the deviation along each of it."""

    dim: int
    common: Floats
    basis: Floats
    deviations: Floats


def shape_of(dim: int, seed: int = 0) -> Shape:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)
    shares = np.exp(-((np.arange(dim) / FALL[0]) ** FALL[1]))
    common = basis @ rng.standard_normal(dim).astype(np.float32)
    return Shape(dim, common / np.linalg.norm(common), basis, np.sqrt(shares / shares.sum()).astype(np.float32))


def drawn(shape: Shape, rng: np.random.Generator, rows: int) -> Floats:
    """(rows, dim), of norm 1 in the mean, in the directions that the data vary in."""
    flat = rng.standard_normal((rows, shape.dim), np.float32) * shape.deviations
    return np.asarray(flat @ shape.basis.T, np.float32)


def tracks_of(shape: Shape, rng: np.random.Generator, segments: int) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Counts (tracks,) and vectors (rows, dim) of unit norm, some thousand tracks at a time, ``segments`` in all."""
    left = segments
    while left > 0:
        counts = rng.integers(TRACK // 3, TRACK * 5 // 3 + 1, min(BLOCK, -(-left // TRACK) + 1)).astype(np.int64)
        ends = np.cumsum(counts)
        counts = counts[: int(np.searchsorted(ends, left)) + 1]
        counts[-1] -= max(0, int(counts.sum()) - left)
        left -= int(counts.sum())
        yield counts, segments_of(shape, rng, counts)


def segments_of(shape: Shape, rng: np.random.Generator, counts: NDArray[np.int64]) -> Floats:
    own = np.repeat(drawn(shape, rng, len(counts)), counts, axis=0)
    step = drawn(shape, rng, int(counts.sum()))
    firsts = np.cumsum(counts) - counts
    for place in range(1, int(counts.max())):
        rows = firsts[counts > place] + place
        step[rows] = FOLLOWS * step[rows - 1] + np.sqrt(1 - FOLLOWS**2) * step[rows]
    vectors = np.sqrt(COMMON) * shape.common + np.sqrt(OWN) * own + np.sqrt(1 - COMMON - OWN) * step
    return unit(vectors.astype(np.float32))


def queries_of(shape: Shape, rng: np.random.Generator, vectors: Floats, count: int) -> Floats:
    """(count, dim) of unit norm, off the data."""
    sources = vectors[rng.integers(0, len(vectors), count), : shape.dim]
    off = np.sqrt(INSIDE) * drawn(shape, rng, count)
    off += np.sqrt((1 - INSIDE) / shape.dim) * rng.standard_normal((count, shape.dim), np.float32)
    off -= (off * sources).sum(axis=1, keepdims=True) * sources
    return unit(SOURCE * sources + np.sqrt(1 - SOURCE**2) * unit(off))


def catalogue_rows(vectors: Floats, counts: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """(rows, dim + 5), as ``catalog.standard`` makes of ``vectors``: divided by each track's deviation of .05 to .2,
    behind them its mean of .1 to .5 by the same, and four standings times two."""
    deviations = np.repeat(rng.uniform(0.05, 0.2, len(counts)), counts).astype(np.float32)
    means = np.repeat(rng.uniform(0.1, 0.5, len(counts)), counts).astype(np.float32)
    standings = LEAN_REACH * rng.uniform(-1, 1, (len(vectors), len(LEANS))).astype(np.float32)
    return np.concatenate([vectors / deviations[:, None], (-means / deviations)[:, None], standings], axis=1)


def catalogue_queries(queries: Floats, rng: np.random.Generator) -> Floats:
    """(count, dim + 5): every other one leans, by one dial."""
    leans = [
        tuple((rng.uniform(-1, 1) if i == number // 2 % 4 and number % 2 else 0.0) for i in range(4))
        for number in range(len(queries))
    ]
    return np.stack([index_query(query, lean) for query, lean in zip(queries, leans, strict=True)])


def unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
