"""Figures of rankings and of lists of suggestions: pure functions of numbers.

*Own-track AUC*: the share of the other tracks that score lower than a video's own, ties half: 0.5 is chance. *Hubs*:
tracks that are near everything (Radovanović, Nanopoulos and Ivanović, JMLR 2010): how often each track is in the lists
of different videos.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from towers.intervals import Interval, bootstrap

Floats = NDArray[np.float64]

RANDOM_DRAWS: Final = 500
LEVELS: Final = (1, 5, 10, 25)


def share_below(own: float, others: Sequence[float]) -> float:
    """In [0, 1]; ties count half."""
    values = np.asarray(others, np.float64)
    return float(((values < own).sum() + 0.5 * (values == own).sum()) / len(values))


def rank_of(own: float, others: Sequence[float]) -> float:
    """1 for the best; half of the ties count as better."""
    values = np.asarray(others, np.float64)
    return 1.0 + float((values > own).sum()) + 0.5 * float((values == own).sum())


def levels(tracks: int) -> tuple[int, ...]:
    """The k of R@k that mean something in a gallery of ``tracks``: at most half of it."""
    return tuple(level for level in LEVELS if 2 * level <= tracks)


def mean_of(values: Sequence[float]) -> Interval:
    """The mean and its 95% interval, by a bootstrap over videos."""
    return bootstrap(np.asarray(values), lambda table: table.mean(axis=-1))


def share_of(hits: Sequence[bool]) -> Interval:
    """The share of hits and its 95% interval by Wilson (1927), because a bootstrap of no hits in nine has no width."""
    n, share, z = len(hits), float(np.mean(hits)), 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach))


def median_of(values: Sequence[float]) -> Interval:
    return bootstrap(np.asarray(values), lambda table: np.asarray(np.median(table, axis=-1)))


def spearman(left: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    """The correlation of ranks, ties share a rank; 0 if one side does not vary."""
    from scipy.stats import rankdata

    left_ranks, right_ranks = (rankdata(side) - (len(side) + 1) / 2 for side in (left, right))
    size = float(np.sqrt((left_ranks**2).sum() * (right_ranks**2).sum()))
    return float((left_ranks * right_ranks).sum()) / size if size else 0.0


def agreement(left: Sequence[float], right: Sequence[float]) -> Interval:
    """Spearman's correlation and its interval, pairs drawn together."""
    return bootstrap(np.array([left, right]), lambda table: np.asarray(spearman(table[0], table[1])))


def hub_figures(lists: Sequence[Sequence[str]], tracks: int) -> dict[str, float]:
    """Of lists, one a video, out of ``tracks`` tracks: ``largest`` (how many lists hold the most frequent track),
    ``skewness`` and ``gini`` of these counts over all tracks, ``shown`` (different tracks), ``overlap`` (mean Jaccard
    of two lists)."""
    counts = occurrences(lists, tracks)
    return {
        "largest": float(counts.max()),
        "skewness": skewness(counts),
        "gini": gini(counts),
        "shown": float((counts > 0).sum()),
        "overlap": overlap(lists),
    }


def occurrences(lists: Sequence[Sequence[str]], tracks: int) -> Floats:
    """(tracks,) how many lists hold each track, the most frequent first."""
    counts = np.zeros(tracks)
    frequency = Counter(track for tracks_of_list in lists for track in tracks_of_list)
    counts[: len(frequency)] = sorted(frequency.values(), reverse=True)
    return counts


def skewness(counts: Floats) -> float:
    """The third standardised moment; 0 if counts do not vary."""
    deviation = float(counts.std())
    return float((((counts - counts.mean()) / deviation) ** 3).mean()) if deviation else 0.0


def gini(counts: Floats) -> float:
    """0 if all tracks are shown equally often, near 1 if one track fills all lists."""
    total = float(counts.sum())
    if not total:
        return 0.0
    rising = np.sort(counts)
    places = np.arange(1, len(rising) + 1)
    return float((2.0 * places - len(rising) - 1.0) @ rising / (len(rising) * total))


def overlap(lists: Sequence[Sequence[str]]) -> float:
    """Mean Jaccard of two lists; 0 for fewer than two."""
    sets = [set(tracks_of_list) for tracks_of_list in lists]
    shares = [len(left & right) / max(1, len(left | right)) for left, right in combinations(sets, 2)]
    return float(np.mean(shares)) if shares else 0.0


def random_hubs(sizes: Sequence[int], tracks: int, seed: int = 0) -> dict[str, Interval]:
    """The same figures of random lists: the mean, and the range of 95% of the draws."""
    figures: dict[str, list[float]] = {}
    for drawn in blind_lists(sizes, tracks, seed):
        for name, value in hub_figures(drawn, tracks).items():
            figures.setdefault(name, []).append(value)
    return {
        name: Interval(float(np.mean(values)), *(float(v) for v in np.percentile(values, (2.5, 97.5))))
        for name, values in figures.items()
    }


def random_occurrences(sizes: Sequence[int], tracks: int, seed: int = 0) -> Floats:
    """(tracks,) the mean of `occurrences` over random lists."""
    return np.asarray(np.mean([occurrences(drawn, tracks) for drawn in blind_lists(sizes, tracks, seed)], axis=0))


def blind_lists(sizes: Sequence[int], tracks: int, seed: int) -> Iterator[list[list[str]]]:
    """`RANDOM_DRAWS` times a random list of each size; every track is equally likely."""
    rng = np.random.default_rng(seed)
    names = [str(number) for number in range(tracks)]
    for _ in range(RANDOM_DRAWS):
        yield [[names[at] for at in rng.permutation(tracks)[:size]] for size in sizes]


def change(before: Sequence[float], after: Sequence[float]) -> Interval:
    """The mean difference over videos and its interval."""
    return mean_of([b - a for a, b in zip(before, after, strict=True)])


def response(positions: Sequence[float], values: Sequence[Sequence[float]]) -> float:
    """Spearman of a dial's position with a measure; ``values``: of each position, one a video."""
    at = np.repeat(np.asarray(positions, np.float64), [len(column) for column in values])
    return spearman(at, np.concatenate([np.asarray(column, np.float64) for column in values]))


def mean_measures(lists: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each measure over those that have it."""
    names = dict.fromkeys(name for measures in lists for name in measures)
    return {name: float(np.mean([measures[name] for measures in lists if name in measures])) for name in names}
