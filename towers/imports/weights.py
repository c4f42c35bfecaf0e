"""Loads weights from others' files into our networks: strictly, and as weights only; nothing in a file runs."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from .errors import ImportedError

AGAIN: Final = "it is damaged or another file: delete it and import again"


def load_strictly(network: nn.Module, path: Path, name: str, within: str = "") -> None:
    """Fill ``network`` from a file of weights; ``within``: the key of the weights in it.

    Raises ``ImportedError`` for a file without weights, and where names, shapes or types are not the network's own.
    """
    stored = read_weights(path, name)
    if within:
        stored = stored.get(within) if isinstance(stored, Mapping) else None
    check_tensors(network, stored, f"{name} {path}")
    network.load_state_dict(stored)


def read_weights(path: Path, name: str) -> Any:
    """The content of a file: tensors, numbers and mappings of them. ``ImportedError`` for another kind of file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, ValueError, KeyError, TypeError, OSError
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImportedError(f"{name} {path}: cannot be read as weights ({reason}); {AGAIN}") from error


def check_tensors(network: nn.Module, stored: object, name: str) -> None:
    """``ImportedError`` unless ``stored`` holds finite tensors of the network's own names, shapes and types."""
    if not isinstance(stored, Mapping):
        raise ImportedError(f"{name}: holds no named weights where they should be; {AGAIN}")
    expected = network.state_dict()
    if missing := [key for key in expected if key not in stored]:
        raise ImportedError(f"{name}: lacks {len(missing)} weights, the first {missing[0]}; {AGAIN}")
    if extra := [key for key in stored if key not in expected]:
        raise ImportedError(f"{name}: has {len(extra)} weights that it should not have, the first {extra[0]}; {AGAIN}")
    for key, own in expected.items():
        value = stored[key]
        if not isinstance(value, Tensor) or value.shape != own.shape or value.dtype != own.dtype:
            actual = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ImportedError(f"{name}: {key} is {actual}, must be {own.dtype} {tuple(own.shape)}; {AGAIN}")
        if not bool(torch.isfinite(value).all()):
            raise ImportedError(f"{name}: {key} has numbers that are not finite; {AGAIN}")
