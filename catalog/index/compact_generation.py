"""An opened generation: immutable, mapped from its files, for any number of threads; and its searches for rows.

Rows are stored in half precision, and every score is of these. A search looks at short codes first: the vectors are
turned into the few directions that they vary in, and four bits are kept of each (product quantisation as in Jégou,
Douze, Schmid, "Product quantization for nearest neighbor search", 2011; the scan in registers is FAISS's, after André,
Kermarrec, Le Scouarnec, "Quicker ADC", 2019). The best of the codes are scored by their rows.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.errors import SearchIndexError
from catalog.recent import Recent
from catalog.records import Floats, Mask, Track

from .base import Condition
from .compact_files import CODES, CURE, ROWS, Manifest, read_manifest
from .compact_pages import map_pages
from .compact_rounding import singles
from .compact_scan import FAISS, Scanner
from .compact_tracks import TrackTable, read_tracks

Value = TypeVar("Value")
KEPT: Final = 64  # conditions
AT_ONCE: Final = 512  # rows that are multiplied in one go
ONE_BY_ONE: Final = 11  # FAISS's way to look into lists for a single query; a sixth quicker than its default
TOUCHED: Final = 4_000_000  # rows that are read once before searches do
AT_A_TIME: Final = 64  # tracks that are looked at before other threads get their turn
PAUSE_S: Final = 1e-4
Found = tuple[NDArray[np.int64], Floats]  # rows (m,), best first, and their scores


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """The tracks (tracks,) that pass a condition, how many rows they have, and FAISS's selector of these."""

    tracks: Mask
    rows: int
    selector: Any


class Generation:
    """Of ``folder``; ``manifest`` says what it is."""

    def __init__(self, folder: Path, manifest: Manifest, table: TrackTable, rows: Any, codes: Any) -> None:
        self.folder, self.manifest, self.table = folder, manifest, table
        self._rows = rows
        size = manifest.rows * 2 * manifest.width
        path = folder / ROWS
        mapped = np.memmap(path, np.uint8, "r", offset=path.stat().st_size - size, shape=(size,)) if size else None
        self._bytes: NDArray[np.uint8] = (
            np.zeros((0, 2 * manifest.width), np.uint8)
            if mapped is None
            else np.asarray(mapped).reshape(-1, 2 * manifest.width)
        )
        self._scanner = Scanner(self._bytes, manifest.width)
        if codes is not None:
            FAISS.downcast_index(codes.index).implem = ONE_BY_ONE
        self._refined = None if codes is None else FAISS.IndexRefine(codes, rows)
        self._plain = None if codes is None else self._parameters(manifest.probes, None)
        self._passing: Recent[Condition, Passing] = Recent(KEPT)

    def __len__(self) -> int:
        return self.manifest.rows

    @property
    def coded(self) -> bool:
        return self._refined is not None

    def padded(self, query: Floats) -> Floats:
        """(1, width) of a query (D,)."""
        if len(query) == self.manifest.width:
            return np.ascontiguousarray(query[None], np.float32)
        wide = np.zeros((1, self.manifest.width), np.float32)
        wide[0, : len(query)] = query
        return wide

    def nearest(self, query: Floats, count: int, probes: int, passing: Passing | None) -> Found:
        """About the ``count`` best rows for ``query`` (1, width), by their codes, among those that pass."""
        assert self._refined is not None
        plain = passing is None and probes == self.manifest.probes
        parameters = self._plain if plain else self._parameters(probes, passing)
        return self._search(self._refined, query, count, parameters)

    def exact(self, query: Floats, count: int, allowed: Mask | None) -> Found:
        """The ``count`` best rows of the tracks ``allowed`` (tracks,), every one compared; None: of all."""
        parameters = None if allowed is None else FAISS.SearchParameters(sel=self._selector(allowed))
        return self._search(self._rows, query, count, parameters)

    def scan(self, query: Floats, count: int, rows: NDArray[np.int64]) -> Found:
        """The ``count`` best of ``rows`` (m,), every one compared; the time depends on their number alone."""
        if len(rows) <= AT_ONCE:
            every = self.vectors(rows) @ query[0, : self.manifest.dim]
            order = np.argsort(-every, kind="stable")[:count]
            return rows[order], every[order]
        found, scores = self._scanner.best(query, count, rows)
        return found, scores / np.float32(self.manifest.scale)

    def _search(self, index: Any, query: Floats, count: int, parameters: Any) -> Found:
        """FAISS's own search, without its checks in Python."""
        count = min(count, len(self))
        scores, rows = np.empty(count, np.float32), np.empty(count, np.int64)
        index.search_c(1, FAISS.swig_ptr(query), count, FAISS.swig_ptr(scores), FAISS.swig_ptr(rows), parameters)
        if count and rows[-1] < 0:  # they come last
            found = int(np.count_nonzero(rows >= 0))
            scores, rows = scores[:found], rows[:found]
        scores /= np.float32(self.manifest.scale)
        return rows, scores

    def vectors(self, rows: slice | NDArray[np.int64]) -> Floats:
        """(m, D), a copy."""
        packed = self._bytes[rows] if isinstance(rows, slice) else self._bytes.take(rows, axis=0)
        return singles(np.ascontiguousarray(packed).view(np.float16), self.manifest.scale, self.manifest.dim)

    @cached_property
    def tracks(self) -> list[Track]:
        """All of them; decoded when a condition wants to see them the first time."""
        return [self.table.track(number) for number in range(len(self.table))]

    def passing(self, condition: Condition) -> Passing:
        def make() -> Passing:
            return self._passing_of(np.fromiter(map(condition.passes, self.tracks), np.bool_, len(self.table)))

        return self._passing.get(condition, make)

    @property
    def conditions(self) -> list[Condition]:
        """Those whose tracks it knows."""
        return self._passing.keys()

    def touch(self) -> None:
        """Have the rows mapped, both by us and by FAISS, before searches need them one page after another."""
        if self._bytes.size and len(self) <= TOUCHED:
            map_pages(self._bytes)
            map_pages(FAISS.rev_swig_ptr(self._rows.codes.data(), self._bytes.size))

    def warm(self, other: "Generation") -> None:
        """Before it takes the place of ``other``: touch what is mapped, and look up what ``other`` has looked up."""
        FAISS.omp_set_num_threads(1)
        self.touch()
        if len(self) <= TOUCHED:
            self.exact(np.ones((1, self.manifest.width), np.float32), 1, None)
        if conditions := other.conditions:
            self.tracks = list(paced(map(self.table.track, range(len(self.table)))))
            for condition in conditions:
                tracks = np.fromiter(paced(map(condition.passes, self.tracks)), np.bool_, len(self.table))
                self._passing.get(condition, partial(self._passing_of, tracks))

    def _passing_of(self, tracks: Mask) -> Passing:
        return Passing(tracks, int(self.table.counts[tracks].sum()), self._selector(tracks))

    def _selector(self, tracks: Mask) -> Any:
        return FAISS.IDSelectorBitmap(np.packbits(np.repeat(tracks, self.table.counts), bitorder="little"))

    def _parameters(self, probes: int, passing: Passing | None) -> Any:
        """The selector has to be here: FAISS ignores one of the refining search without a word."""
        chosen = {} if passing is None else {"sel": passing.selector}
        lists = FAISS.SearchParametersIVF(nprobe=probes, **chosen)
        turned = FAISS.SearchParametersPreTransform(index_params=lists)
        return FAISS.IndexRefineSearchParameters(k_factor=self.manifest.k_factor, base_index_params=turned)


def open_generation(folder: Path, dim: int) -> Generation:
    """Raises ``SearchIndexError`` for files that are damaged, or of vectors of another number than ``dim``;
    ``FileNotFoundError`` where the folder is gone."""
    manifest = read_manifest(folder)
    if manifest.dim != dim:
        raise SearchIndexError(f"{folder}: is of vectors of {manifest.dim} numbers, not {dim}; {CURE}")
    try:
        table = read_tracks(folder)
        rows, codes = _read(folder / ROWS), _read(folder / CODES) if manifest.lists else None
        if not len(table.bounds) or rows.ntotal != manifest.rows or int(table.bounds[-1]) != manifest.rows:
            raise ValueError(f"{rows.ntotal} rows, {manifest.rows} were written")
        return Generation(folder, manifest, table, rows, codes)
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # FAISS raises RuntimeError
        raise SearchIndexError(f"{folder}: cannot be read ({str(error).splitlines()[-1][:200]}); {CURE}") from error


def paced(values: Iterator[Value]) -> Iterator[Value]:
    """The same, with pauses: another thread that wants to run Python waits for 5 ms where one does not pause."""
    for number, value in enumerate(values):
        if number % AT_A_TIME == 0:
            time.sleep(PAUSE_S)
        yield value


def _read(path: Path) -> Any:
    """Mapped, where FAISS can do that: other flags for it read most kinds of index in full, without a word."""
    try:
        return FAISS.read_index(str(path), FAISS.IO_FLAG_MMAP_IFC)
    except RuntimeError:
        return FAISS.read_index(str(path))
