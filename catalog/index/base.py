"""The interface of everything that searches segments: ``VectorIndex``, its queries and its hits.

*Conventions*: a vector is (D,) float32 of any norm, its score its inner product with the query. A segment is known by
its track's id and its number in that track, from 0 on. A track is added and removed as a whole, with all its segments:
so an index never holds segments of two versions of it.

An index may answer approximately: sometimes not with the very best tracks, and with scores and vectors that are rounded
by at most 2e-3 of the norms; ``exact`` tells, its docstring how often and how much. It may look up a condition by an
expression over fields that it keeps of a track, or by the ids of the tracks that pass. It may not change vectors,
answer with a track that ``where`` leaves out or with a track twice, look at every track for ``where.only``, search with
more threads than its caller's, or import torch.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats, Mask, Track


class Hit(NamedTuple):  # a search makes dozens; other kinds of class take thrice as long
    """A track's best segment for a query."""

    track: str  # the track's id
    segment: int  # its number in the track
    score: float  # the inner product with the vector as the index keeps it, to 1e-5 of the product of both norms


class Condition(Hashable, Protocol):
    """What a track must be; ``catalog.records.Filters`` is one. Equal conditions pass the same tracks, and a track
    passes or fails for ever unless it is upserted again, so that an index may keep the results."""

    def passes(self, track: Track) -> bool: ...


@dataclass(frozen=True, slots=True)
class Where:
    """Which tracks count: those of ``only`` (None: all) but for ``exclude``, if they pass ``condition`` (None: all do).
    Ids that the index does not know have no effect. Ids change with every search and are few; conditions repeat."""

    only: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    condition: Condition | None = None


EVERYWHERE = Where()


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Whole tracks with their vectors: ``vectors`` (m, D) float32 has the segments of the first track, then those of
    the second; ``counts`` (tracks,) int64 tells how many each has. ``stamps``: for each track a short text that says
    which version of it this is, "" for none; empty: none has any. Raises ``ValueError`` where these do not fit."""

    tracks: Sequence[Track]
    counts: NDArray[np.int64]
    vectors: Floats
    stamps: Sequence[str] = ()

    def __post_init__(self) -> None:
        counts, vectors = self.counts, self.vectors
        if vectors.ndim != 2 or vectors.dtype != np.float32:
            raise ValueError(f"vectors must be (m, D) float32, not {vectors.shape} {vectors.dtype}")
        if len(counts) != len(self.tracks) or (counts < 0).any() or int(counts.sum()) != len(vectors):
            raise ValueError(f"{len(vectors)} vectors for {len(self.tracks)} tracks whose counts are {counts}")
        if len(self.stamps) not in (0, len(self.tracks)):
            raise ValueError(f"{len(self.stamps)} stamps for {len(self.tracks)} tracks; give one for each, or none")

    def chosen(self, wanted: Mask) -> Self:
        """Those of the tracks for which ``wanted`` (tracks,) is true."""
        picked = np.flatnonzero(wanted).tolist()
        stamps = [self.stamps[i] for i in picked] if self.stamps else ()
        return replace(
            self, tracks=[self.tracks[i] for i in picked], counts=self.counts[wanted],
            vectors=self.vectors[np.repeat(wanted, self.counts)], stamps=stamps,
        )  # fmt: skip

    def check(self, dim: int) -> None:
        """Raises ``ValueError`` unless an index of vectors (D,) of ``dim`` numbers may take them."""
        if self.vectors.shape[1] != dim:
            raise ValueError(f"vectors of {self.vectors.shape[1]} numbers; this index has vectors of {dim}")
        if len({track.id for track in self.tracks}) < len(self.tracks):
            raise ValueError("a track comes twice; give all of its segments at once")
        if not np.isfinite(self.vectors.sum()) and not np.isfinite(self.vectors).all():  # a sum takes no memory
            raise ValueError("the vectors hold numbers that are not finite")


@dataclass(frozen=True, slots=True)
class SearchState:
    """``device``: where searches run now; ``reason``: why not on the GPU where one was requested."""

    device: str
    reason: str = ""
    proposed: int = 0  # queries that the GPU answered
    passed_on: int = 0  # queries that went to the CPU though the GPU was there


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Options to open an index. An index may keep files under ``folder / "index"``, and reads nothing else there.
    ``device``: one of ``gpu.DEVICES``, for indexes that can use a GPU; others say in their state that they do not."""

    folder: Path  # the catalogue's
    dim: int  # D
    device: str = "cpu"
    segments: int = 0  # how many the catalogue has


class VectorIndex(Protocol):
    """Every method may be called by any number of threads at once. A search that begins after a write has returned sees
    it; a search under way sees each track as it was or as it is. Writes of several threads run one after another.

    A server that does not answer, or a file that cannot be read, raises ``catalog.errors.SearchIndexError``.
    """

    @property
    def exact(self) -> bool:
        """Whether a search always finds the best tracks; a class variable where it is known beforehand."""
        ...

    def keeps(self, segments: int) -> bool:
        """Whether it keeps that many segments when it is closed."""
        ...

    def __len__(self) -> int:
        """How many segments it holds; 0: nothing was added yet, or it keeps nothing when it is closed."""
        ...

    @property
    def state(self) -> SearchState: ...

    def search(self, query: Floats, n: int, where: Where = EVERYWHERE) -> list[Hit]:
        """The best segment of each of the ``n`` best tracks for ``query`` (D,), best first; equal scores by the track's
        id, then the segment's number (which of equal ones are the last among ``n`` is open). Fewer where fewer pass,
        none for ``n`` below 1. Raises ``ValueError`` for a query of another shape, or not finite."""
        ...

    def vectors(self, tracks: Sequence[str]) -> list[Floats]:
        """For each id the vectors (k, D) of its segments, as they were added (rounded where the index is not exact),
        not to be written to; (0, D) for an id that is not there. The time grows with the number of ids; pass all at
        once."""
        ...

    def stamps(self) -> dict[str, str]:
        """The ids of all tracks that it holds, also of those without segments, each with its stamp ("" for none). An
        index that was kept while it was closed tells so what it still holds; whatever differs from that is upserted
        or removed by whoever opens it."""
        ...

    def blocks(self, where: Where = EVERYWHERE) -> Iterator[Segments]:
        """Everything that passes, whole tracks by rising id, each with at least one segment, some ten thousand segments
        at a time, with their stamps: for what no search can answer, and to build another index. Slow."""
        ...

    def upsert(self, segments: Segments) -> None:
        """Add tracks; known ones are replaced with all their segments. The index keeps no reference to the arrays.
        Raises what ``Segments.check`` does, and then leaves the index as it was."""
        ...

    def remove(self, tracks: Iterable[str]) -> None:
        """Forget tracks and their segments; unknown ids are ignored."""
        ...

    def close(self) -> None:
        """Let go of devices, files and connections. May be called twice; nothing else may be called after it."""
        ...
