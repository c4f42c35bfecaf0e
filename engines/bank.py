"""A bundle's bank: its towers' vectors of real footage, which a score is compared with.

Some music is near to whatever is shown, and some to nothing: towers have favourites, which nearest-neighbour search
makes worse (hubs; Radovanovic et al., "Hubs in space", 2010). How near a segment is to *this* video says more once it
is known how near it is to others. The bank holds numbers only, measured by ``segue bank`` on videos of any kind.
"""

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError

LEAST: Final = 8  # windows: fewer show no spread
MOST: Final = 1024
NORM: Final = 1e-3  # how far from 1


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """``queries`` (n, E) float32 of unit norm: vectors of windows of footage; ``moods`` (n, 3) float32 in [0, 1]: the
    mood of each, None where the bundle has no mood graph."""

    queries: NDArray[np.float32]
    moods: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.queries)


def to_bytes(bank: Bank) -> bytes:
    """The file's bytes, the same for the same bank."""
    out = io.BytesIO()
    arrays: dict[str, Any] = {"queries": bank.queries}
    if bank.moods is not None:
        arrays["moods"] = bank.moods
    np.savez(out, **arrays)
    return out.getvalue()


def read(data: bytes, embedding_dim: int, where: str) -> Bank:
    """A bank from a file's bytes; ``where`` stands in front of every error. Raises ``BundleError`` for bytes that are
    no bank, or one that is not as wide as the bundle's vectors."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # noqa: BLE001 - numpy and zipfile raise many kinds for what is no archive
        reason = f"{type(error).__name__}: {error}"
        raise BundleError(f"{where}: is no bank ({reason}); make it again with segue bank") from None
    queries, moods = arrays.get("queries"), arrays.get("moods")
    if queries is None or queries.ndim != 2 or queries.shape[1] != embedding_dim:
        shape = "missing" if queries is None else f"of shape {queries.shape}"
        raise BundleError(f"{where}: queries are {shape}, must be (n, {embedding_dim}); make it again with segue bank")
    if not LEAST <= len(queries) <= MOST or (moods is not None and moods.shape != (len(queries), 3)):
        raise BundleError(
            f"{where}: {len(queries)} queries, moods of shape {None if moods is None else moods.shape}; must be "
            f"{LEAST} to {MOST}, with three numbers each; make it again with segue bank"
        )
    parts = [part for part in (queries, moods) if part is not None]
    if not all(part.dtype.kind == "f" and np.isfinite(part).all() for part in parts):
        raise BundleError(f"{where}: holds numbers that are not finite; make it again with segue bank")
    if np.abs(np.linalg.norm(queries, axis=1) - 1.0).max() > NORM or (moods is not None and not _in_unit(moods)):
        raise BundleError(f"{where}: queries not of unit norm, or moods not in [0, 1]; make it again with segue bank")
    return Bank(queries.astype(np.float32), None if moods is None else moods.astype(np.float32))


def _in_unit(values: NDArray[np.floating]) -> bool:
    return bool(values.min() >= 0.0 and values.max() <= 1.0)
