"""Making a generation's files: in a process of its own, as FAISS trains and adds for seconds to minutes.

The codes: the vectors of a sample tell which directions the data vary in. The strongest are kept, turned at random
among each other so that all have as much to say, and each gets four bits.
"""

import shutil
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from catalog.records import Floats

from .compact_files import CODES, ROWS, Manifest, making, publish, seal
from .compact_generation import open_generation
from .compact_merge import Merged, read_waiting
from .compact_rounding import halves, scale_for
from .compact_sizes import Sizes
from .compact_tracks import write_tracks

KEPT: Final = 0.99  # of the sum of squares that the directions hold
STEP: Final = 8  # directions
MOST_FINE: Final = 64  # directions that get four bits each; more share them by twos
TOGETHER: Final = 96  # codes scored before any is taken; with 32, a search in cold caches takes longer
SAMPLE: Final = 65_536  # rows
SAMPLE_A_LIST: Final = 40
ROUNDS: Final = 10  # of k-means
SEED: Final = 20


def build(index: Path, waiting: Path, base: Path | None, dim: int, sizes: Sizes) -> Path:
    """Make a generation of what ``write_waiting`` wrote to ``waiting`` and the generation ``base``, and let it count;
    returns its folder. Raises ``OSError``, also for a full disk, and then leaves all as it was."""
    faiss.omp_set_num_threads(1)
    new, dead = read_waiting(waiting)
    merged = Merged(None if base is None else open_generation(base, dim), dead, new)
    folder = making(index)
    try:
        manifest = _write(folder, merged, dim, sizes)
        named = seal(folder, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    publish(named)
    return named


def _write(folder: Path, merged: Merged, dim: int, sizes: Sizes) -> Manifest:
    rows, width = merged.rows, -(-dim // 8) * 8  # FAISS is ten times as slow for others
    lists, probes = sizes.lists(rows) if rows >= sizes.coded else (0, 0)
    write_tracks(folder, merged.ids, merged.stamps, merged.counts, list(merged.lines()))
    sample, largest = _sample(merged, max(SAMPLE, SAMPLE_A_LIST * lists), width)
    scale = scale_for(largest)
    stored = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    stored.is_trained = True
    codes = _trained(sample, lists) if lists else None
    del sample
    for block in merged.blocks():
        packed = halves(block, scale, width)
        stored.add(packed.astype(np.float32))
        if codes is not None:
            codes.add(_wide(block, width))
    _save(stored, folder / ROWS)
    if codes is not None:
        _save(codes, folder / CODES)
    return Manifest(dim, width, rows, scale, lists, probes, sizes.k_factor(rows))


def _sample(merged: Merged, count: int, width: int) -> tuple[Floats, float]:
    """(at most ``count``, width) rows drawn at random, and the largest number of all rows."""
    rows = merged.rows
    rng = np.random.default_rng(SEED)
    chosen = np.arange(rows) if rows <= count else np.sort(rng.choice(rows, count, replace=False))
    sample, largest, first, at = np.zeros((len(chosen), width), np.float32), 0.0, 0, 0
    for block in merged.blocks():
        largest = max(largest, float(np.abs(block).max(initial=0.0)))
        end = int(np.searchsorted(chosen, first + len(block)))
        sample[at:end, : block.shape[1]] = block[chosen[at:end] - first]
        first, at = first + len(block), end
    return sample, largest


def _trained(sample: Floats, lists: int) -> Any:
    """The index of the codes, empty."""
    turn = directions(sample)
    kept = len(turn)
    transform = faiss.LinearTransform(sample.shape[1], kept, False)
    faiss.copy_array_to_vector(np.ascontiguousarray(turn).reshape(-1), transform.A)
    transform.is_trained = True
    coded = faiss.IndexIVFPQFastScan(
        faiss.IndexFlatIP(kept),
        kept,
        lists,
        kept if kept <= MOST_FINE else kept // 2,
        4,
        faiss.METRIC_INNER_PRODUCT,
        TOGETHER,
    )
    coded.by_residual, coded.cp.spherical = True, False  # what differs from a list's middle is coded, which is small
    coded.cp.niter, coded.cp.seed = ROUNDS, SEED
    coded.cp.min_points_per_centroid = coded.pq.cp.min_points_per_centroid = 1  # tests have few rows; no warnings
    codes = faiss.IndexPreTransform(transform, coded)
    codes.train(sample)
    return codes


def directions(sample: Floats) -> NDArray[np.float32]:
    """(k, width) orthonormal: the strongest directions of ``sample`` (m, width), turned at random among each other; k
    is a multiple of ``STEP``."""
    width = sample.shape[1]
    squares = (sample.T @ sample).astype(np.float64)
    values, vectors = np.linalg.eigh(squares)
    held = np.cumsum(values[::-1]) / max(float(values.sum()), 1e-30)
    kept = min(width, -(-(int(np.searchsorted(held, KEPT)) + 1) // STEP) * STEP)
    turn = np.linalg.qr(np.random.default_rng(SEED).standard_normal((kept, kept)))[0]
    return np.asarray((vectors[:, ::-1][:, :kept] @ turn).T, np.float32)


def _wide(block: Floats, width: int) -> Floats:
    if block.shape[1] == width:
        return block
    wide = np.zeros((len(block), width), np.float32)
    wide[:, : block.shape[1]] = block
    return wide


def _save(index: Any, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:  # FAISS tells a full disk so
        raise OSError(f"{path}: cannot be written ({str(error).splitlines()[-1][:200]})") from error
