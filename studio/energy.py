"""The courses of energy over a piece, which pairs draw from."""

import numpy as np


def draw_energy(rng: np.random.Generator, lean: float, length_s: float) -> tuple[tuple[float, float], ...]:
    """A course of energy: ramp, fall, arc, valley, drop, break, steps or plateau, with a wobble of its own.

    15 breakpoints (time_s, level) from 0 s to ``length_s``, levels in [0, 1]; ``lean`` is added to every level.
    """
    low, high = np.sort(rng.uniform(0, 1, 2))
    middle = (low + high) / 2
    gap = max(high - low, rng.uniform(0.3, 0.75))
    low, high = middle - gap / 2, middle + gap / 2
    turn = rng.uniform(0.2, 0.8)
    shape = rng.choice(["rise", "fall", "arc", "valley", "drop", "break", "steps", "plateau"])
    points: list[tuple[float, float]]
    if shape == "rise":
        points = [(0, low), (turn, low + (high - low) * rng.uniform(0.1, 0.9)), (1, high)]
    elif shape == "fall":
        points = [(0, high), (turn, low + (high - low) * rng.uniform(0.1, 0.9)), (1, low)]
    elif shape == "arc":
        points = [(0, low), (turn, high), (1, low)]
    elif shape == "valley":
        points = [(0, high), (turn, low), (1, high)]
    elif shape == "drop":
        points = [(0, low), (turn - 0.02, low), (turn + 0.02, high), (1, high)]
    elif shape == "break":
        points = [(0, high), (turn - 0.02, high), (turn + 0.02, low), (1, low)]
    elif shape == "steps":
        levels = rng.uniform(low, high, 4)
        points = [
            (at, float(v)) for k, v in enumerate(levels) for at in (k / 4 + (0.02 if k else 0), (k + 1) / 4 - 0.02)
        ]
    else:
        points = [(0, middle), (turn, middle + 0.1), (1, middle)]
    grid = np.arange(15) / 14
    curve = np.interp(grid, *np.array(points).T) + lean + 0.05 * rng.standard_normal(15)
    return tuple(
        (round(float(at * length_s), 2), round(float(v), 4)) for at, v in zip(grid, np.clip(curve, 0, 1), strict=True)
    )
