"""Random valid inputs of a graph, for the tests of all engines."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.manifest import GraphSpec


def random_inputs(spec: GraphSpec, rows: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    """``rows`` of each input by name; masks have the valid clips first. The same seed and rows, the same inputs."""
    rng = np.random.default_rng([seed, rows])
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in spec.inputs:
        shape = (rows, *(int(size) for size in tensor.shape[1:]))
        if tensor.dtype == "bool":
            arrays[tensor.name] = np.arange(shape[1]) < rng.integers(1, shape[1] + 1, (rows, 1))
        elif tensor.dtype == "uint8":
            arrays[tensor.name] = rng.integers(0, 256, shape, np.uint8)
        else:
            arrays[tensor.name] = rng.normal(size=shape).astype(np.float32)
    return arrays
