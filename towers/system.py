"""What a system is to the rest of the project: a name, two sizes, and graphs. One file per system beside this one.

Registered are the names in ``SYSTEMS``; a system's file is imported only when it is asked for. Rooms stand ready for
VM-NET, DPVM and EmoMV: each is a ``System`` in a file of its own, made from the configuration that its run stores.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from .errors import RunError

SYSTEMS: Mapping[str, str] = {"ut-cmvmr": "towers.ut_cmvmr"}


@dataclass(frozen=True)
class GraphModule:
    """One exportable graph.

    ``module`` is in eval mode; ``inputs`` are examples with batch 3, in the order of its ``forward``; ``features``
    names the entries of ``features.spec.FEATURES`` that the inputs are fed from.
    """

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    features: tuple[str, ...]


@runtime_checkable
class System(Protocol):
    """A trained network of one paper. ``clip_dim`` is C and ``embedding_dim`` E of the bundle contract."""

    name: str
    clip_dim: int
    embedding_dim: int

    def configuration(self) -> dict[str, object]:
        """JSON that ``build`` turns into the same system with fresh weights."""
        ...

    def graphs(self) -> dict[str, GraphModule]: ...

    def module(self) -> nn.Module:
        """What holds the weights."""
        ...


def build(name: str, configuration: Mapping[str, object]) -> System:
    """A system with fresh weights; ``RunError`` for a name that nobody registered."""
    if name not in SYSTEMS:
        raise RunError(f"system {name!r} is unknown here; known are {', '.join(SYSTEMS)}")
    system: System = importlib.import_module(SYSTEMS[name]).build(configuration)
    return system
