"""What client and model repository agree on: names, versions, data types and shapes of a bundle's graphs in Triton."""

from collections.abc import Mapping
from typing import Final

from .manifest import TensorSpec

PREFIX: Final = "segue"
IDENTITY: Final = "segue_identity"  # the parameter of a model's configuration that holds the bundle's identity
DATATYPES: Final[Mapping[str, str]] = {"float32": "FP32", "uint8": "UINT8", "bool": "BOOL"}  # KServe v2's words


def model_name(graph: str, prefix: str = PREFIX) -> str:
    return f"{prefix}_{graph}"


def model_version(identity: str) -> str:
    """The bundle's identity as a version: Triton's are positive integers, so the first 12 hex digits of it (48 bits).

    Every request names it, so a server that was restarted with another bundle refuses by itself.
    """
    return str(int(identity[:12], 16) or 1)


def wire_dims(tensor: TensorSpec) -> tuple[int, ...]:
    """The shape behind the batch axis, as it goes over the wire: Triton knows no empty one, so a number a row is
    ``(1,)`` there."""
    return tuple(int(size) for size in tensor.shape[1:]) or (1,)
