"""The contract of a system with the rest of the project. Each system has a file beside this one; ``SYSTEMS`` lists
them.

A system follows the clip stage: it turns windows of clip vectors into unit embeddings that can be indexed, and has its
own loss. A file is imported only when its system is needed.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from .batch import Batch, Side, Sizes
from .errors import RunError

SYSTEMS: Mapping[str, str] = {
    "ut-cmvmr": "towers.ut_cmvmr",
    "vmnet": "towers.vmnet",
    "dpvm": "towers.dpvm",
    "emomv": "towers.emomv",
    "segue": "towers.segue",
    "linear": "towers.linear",
    "cmvae": "towers.cmvae",
    "two-branch": "towers.two_branch",
}


@dataclass(frozen=True)
class GraphModule:
    """One exportable graph.

    ``module`` is in eval mode; ``inputs`` are examples with batch 3, in the order of its ``forward``, each called as
    the bundle contract says: ``clips``, ``mask``, ``embedding``, or the name of a feature; ``features`` names the
    entries of ``features.spec.FEATURES`` that the inputs are fed from. ``of`` and ``takes``: what a graph works on, and
    which graphs' vectors its inputs are, as in a bundle's manifest; None where the name says it.
    """

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    features: tuple[str, ...]
    of: str | None = None
    takes: Mapping[str, str] | None = None


@runtime_checkable
class System(Protocol):
    """A network of one paper, in one of its settings.

    ``video_extras`` and ``music_extras`` name the per-clip features that its two sides take beside the clip vectors.
    """

    name: str
    setting: str
    embedding_dim: int
    video_extras: tuple[str, ...]
    music_extras: tuple[str, ...]

    def video(self, side: Side) -> Tensor:
        """(B, E) of unit norm."""
        ...

    def music(self, side: Side) -> Tensor:
        """(B, E) of unit norm."""
        ...

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss, and its parts as numbers. Modules that only training needs belong to the system as well; ``graphs``
        leaves them out."""
        ...

    def configuration(self) -> dict[str, Any]:
        """JSON that the file's ``build`` turns into the same system with fresh weights."""
        ...

    def graphs(self) -> dict[str, GraphModule]:
        """``video_sequence`` and ``music_sequence``; where it has them, ``matcher`` and ``mood``."""
        ...

    def module(self) -> nn.Module:
        """The module that holds the weights."""
        ...


@runtime_checkable
class ClosedForm(Protocol):
    """A system without epochs: one call on the whole training split fits it."""

    def fit(self, train: Batch) -> None: ...


@runtime_checkable
class Prepared(Protocol):
    """A system with constants of its inputs (means, scales, projections), kept in buffers."""

    def prepare(self, train: Batch) -> None:
        """Measure them on the whole training split; called once, before the first step."""
        ...


@runtime_checkable
class Reranking(Protocol):
    """A system with a second stage, which reorders the first's shortlist; ``reranks``: whether this setting has it."""

    reranks: bool

    def score(self, video: Side, music: Side) -> Tensor:
        """(B,) in [0, 1] for pairs of rows."""
        ...


class SystemFile(Protocol):
    """What a system's file exports beside its class."""

    SETTINGS: tuple[str, ...]

    def make(self, setting: str, sizes: Sizes, scale: str) -> System:
        """Fresh weights for these sizes; ``scale`` is small, paper or tiny. ``RunError`` for an unknown setting."""
        ...

    def build(self, configuration: Mapping[str, Any]) -> System: ...


def system_file(name: str) -> SystemFile:
    """``RunError`` for an unknown name."""
    if name not in SYSTEMS:
        raise RunError(f"system {name!r} is unknown here; known are {', '.join(SYSTEMS)}")
    file: SystemFile = importlib.import_module(SYSTEMS[name])
    return file


def make(name: str, setting: str, sizes: Sizes, scale: str = "small") -> System:
    """A system for a corpus, in one of its settings."""
    check_setting(name, setting)
    return system_file(name).make(setting, sizes, scale)


def check_setting(name: str, setting: str) -> None:
    """``RunError`` for a system that is unknown, or has no such setting."""
    settings = system_file(name).SETTINGS
    if setting not in settings:
        raise RunError(f"{name} has no setting {setting!r}; choose one of {', '.join(settings)}")


def build(name: str, configuration: Mapping[str, Any]) -> System:
    """A system as a run stores it, with fresh weights."""
    return system_file(name).build(configuration)
