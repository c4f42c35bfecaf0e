"""Where each segment stands in its catalogue: from the calmest to the most energetic, by valence, tension and tempo.

A dial asks for more of something than most of *this* music has, so only the order counts: loudness and notes a second
are not comparable between a library of techno and one of piano pieces. Where something is not known of a segment (no
outline, no mood, no pulse), it stands in the middle of that axis, or the mean of several leaves that out.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from features.spec import CLIP_S, WINDOW_S

from .records import LEANS, Floats, Outline

ENERGY, VALENCE, TENSION = range(3)
ENERGIES: Final = 3  # of which the energy is made
NAMES: Final = ("loudness", "density", "mood_energy", *LEANS)
THINNED: Final = 4096
MOOD_SHARE: Final = 0.5  # a guess counts less than a measurement


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """What the places of m segments follow from, (m,) each; NaN where it is not known."""

    loudness: NDArray[np.float64]  # as mastered
    density: NDArray[np.float64]  # onsets a second
    feelings: NDArray[np.float64]  # (m, 3), moods
    tempi: NDArray[np.float64]


def raw_of(
    outlines: Sequence[Outline | None],
    spans: NDArray[np.int64],
    first_clips: NDArray[np.int64],
    tempi_bpm: Sequence[float],
    moods: Floats | None,
) -> Raw:
    """Of each track an outline, a tempo (0: none) and, in ``spans`` (n, 2), its first row and the one behind its last;
    of each row ``first_clips`` (rows,), and ``moods`` (rows, 3) in [0, 1]."""
    loudness, density = _courses(outlines, spans, first_clips)
    tempi = np.full(len(first_clips), np.nan)
    for tempo_bpm, (first, end) in zip(tempi_bpm, spans.tolist(), strict=True):
        tempi[first:end] = tempo_bpm if tempo_bpm > 0 else np.nan
    feelings = np.full((len(first_clips), 3), np.nan) if moods is None else moods.astype(np.float64)
    return Raw(loudness, density, feelings, tempi)


class Order:
    """The order of a catalogue's segments by each property, in which segments that come later find their places too:
    adding one does not move the others."""

    def __init__(self, raw: Raw) -> None:
        self.segments = len(raw.tempi)  # of which it is made
        self._energies = [Scale(part) for part in _energies(raw)]
        self._axes = [Scale(axis) for axis in self._values(raw)]

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """One that was saved; None where there is none, or it is damaged."""
        try:
            with np.load(path, allow_pickle=False) as held:
                scales = [Scale(held[name]) for name in NAMES]
                segments = int(held["segments"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        order = cls.__new__(cls)
        order._energies, order._axes, order.segments = scales[:ENERGIES], scales[ENERGIES:], segments
        return order

    def save(self, path: Path) -> Self:
        """Write it; returns what ``load`` gives: of each property at most ``THINNED`` values, evenly spaced. Raises
        ``OSError``."""
        scales = zip(NAMES, (*self._energies, *self._axes), strict=True)
        held = io.BytesIO()
        np.savez(held, allow_pickle=False, segments=self.segments, **{name: scale.thinned() for name, scale in scales})
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(held.getvalue())
        new.replace(path)
        order = self.load(path)
        assert order is not None
        return order

    @property
    def sum(self) -> str:
        """Another one for another order."""
        told = sha256()
        for scale in (*self._energies, *self._axes):
            told.update(f"{len(scale.thinned())} ".encode("ascii") + scale.thinned().tobytes())
        return told.hexdigest()

    def standings(self, raw: Raw) -> Floats:
        """(m, 4) in [-1, 1], the axes of ``LEANS``.

        Energy is loudness as mastered, notes and hits a second, and with half the weight the mood's energy, each by its
        place in the order.
        """
        placed = [scale.places(axis) for scale, axis in zip(self._axes, self._values(raw), strict=True)]
        return np.nan_to_num(np.stack(placed, axis=1)).astype(np.float32)

    def _values(self, raw: Raw) -> list[NDArray[np.float64]]:
        parts = [scale.places(part) for scale, part in zip(self._energies, _energies(raw), strict=True)]
        axes = [_mean(parts, (1.0, 1.0, MOOD_SHARE)), raw.feelings[:, VALENCE], raw.feelings[:, TENSION], raw.tempi]
        assert len(axes) == len(LEANS)
        return axes


class Scale:
    """The rising order of ``values``, spread over [-1, 1]."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._known = np.sort(values[~np.isnan(values)])

    def thinned(self) -> NDArray[np.float64]:
        """(at most ``THINNED``,) of the values, from the least to the greatest."""
        count = len(self._known)
        if count <= THINNED:
            return self._known
        kept: NDArray[np.float64] = self._known[np.linspace(0, count - 1, THINNED).round().astype(np.int64)]
        return kept

    def places(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where ``values`` are in the order: equal ones share a place, NaN stays NaN; all of them where the order has
        nothing."""
        ranks, known = np.full(len(values), np.nan), np.flatnonzero(~np.isnan(values))
        if len(self._known):
            known = known[np.argsort(values[known])]  # looked up in order, a million take no more than a moment
            rising = values[known]
            lower, upper = (np.searchsorted(self._known, rising, side) for side in ("left", "right"))
            ranks[known] = 2.0 * ((lower + upper) / 2.0) / len(self._known) - 1.0
        return ranks


def _energies(raw: Raw) -> tuple[NDArray[np.float64], ...]:
    return raw.loudness, raw.density, raw.feelings[:, ENERGY]


def _courses(
    outlines: Sequence[Outline | None], spans: NDArray[np.int64], first_clips: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each segment: mean loudness (of its power) and mean onsets a second; NaN where nothing is known."""
    loudness, density = np.full(len(first_clips), np.nan), np.full(len(first_clips), np.nan)
    for outline, (first, end) in zip(outlines, spans.tolist(), strict=True):
        if outline is None:
            continue
        rows = slice(first, end)
        begins = first_clips[rows] * CLIP_S
        powers = _means(10.0 ** (outline.loudness.astype(np.float64) / 10.0), begins)
        loudness[rows] = 10.0 * np.log10(np.maximum(powers, 1e-12))
        density[rows] = _means(outline.onsets.astype(np.float64), begins)
    return loudness, density


def _means(values: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean over the seconds of each window; NaN where it has none."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    firsts, ends = np.minimum(begins, len(values)), np.minimum(begins + WINDOW_S, len(values))
    counts = ends - firsts
    return np.where(counts > 0, (sums[ends] - sums[firsts]) / np.maximum(counts, 1), np.nan)


def _mean(rows: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """The weighted mean of the values that are known; NaN where none is."""
    stacked = np.stack(rows)
    counted = np.where(np.isnan(stacked), 0.0, np.asarray(weights)[:, None])
    sums = counted.sum(axis=0)
    return np.where(sums > 0, (counted * np.nan_to_num(stacked)).sum(axis=0) / np.maximum(sums, 1e-9), np.nan)
