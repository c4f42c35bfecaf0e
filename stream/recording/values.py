"""A session's input and output as JSON and raw bytes, and back; and hashes of values that are not kept themselves.

A number, a text, true, false and null stand for themselves. Everything else is a list that begins with its kind:
``["list", [...]]``, ``["map", {...}]``, ``["array", dtype, [shape]]`` and ``["frame", {...}]`` (``FrameFeatures``, its
colours under ``colour``). The bytes of the arrays lie end to end in the record's blob, in the order in which they are
named.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.appearance import ColourStats
from features.frame import FrameFeatures
from features.spec import SCENE_SHAPE, THUMB_SIZE
from stream.core.events import Answer, Event, Infer, Search

DTYPES: Final = ("uint8", "float32", "float64", "bool", "int64")
SMALL_DIMS: Final = 3
LARGEST: Final = 1e6  # of a frame's numbers: far beyond any measured one, and sums of them stay finite


class Packer:
    """Values -> JSON; ``blob`` collects the arrays' bytes. Raises ``TypeError`` for other types."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    @property
    def blob(self) -> bytes:
        return b"".join(self._parts)

    def pack(self, value: object) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value
            case np.generic():
                return value.item()
            case np.ndarray():
                if value.dtype.name not in DTYPES:
                    raise TypeError(f"an array of {value.dtype.name} is not kept; there are {', '.join(DTYPES)}")
                self._parts.append(_bytes(value))
                return ["array", value.dtype.name, list(value.shape)]
            case FrameFeatures():
                parts = {field.name: getattr(value, field.name) for field in fields(value)}
                parts["colour"] = asdict(value.colour)
                return ["frame", {name: self.pack(part) for name, part in parts.items()}]
            case Mapping():
                return ["map", {str(name): self.pack(part) for name, part in value.items()}]
            case Sequence():
                return ["list", [self.pack(part) for part in value]]
        raise TypeError(f"a value of type {type(value).__name__} is not kept")


class Unpacker:
    """JSON and bytes -> values. Raises ``ValueError`` for what ``Packer`` does not write."""

    def __init__(self, blob: bytes) -> None:
        self._blob, self._at = blob, 0

    def unpack(self, value: Any) -> Any:
        try:
            return self._unpack(value)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def _unpack(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value
            case ["list", list(parts)]:
                return [self._unpack(part) for part in parts]
            case ["map", dict(parts)]:
                return {name: self._unpack(part) for name, part in parts.items()}
            case ["array", str(dtype), list(shape)]:
                return self._array(dtype, shape)
            case ["frame", dict(parts)]:
                return _frame({name: self._unpack(part) for name, part in parts.items()})
        raise ValueError(str(value)[:60])

    def _array(self, dtype: str, shape: list[int]) -> NDArray[Any]:
        if dtype not in DTYPES or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"an array of {dtype[:20]} {str(shape)[:60]}")
        count = math.prod(shape)
        size = count * np.dtype(dtype).itemsize
        if size > len(self._blob) - self._at:
            raise ValueError(f"an array of {size} bytes where {len(self._blob) - self._at} are left")
        array = np.frombuffer(self._blob, np.dtype(dtype).newbyteorder("<"), count, self._at).reshape(shape)
        self._at += size
        return array.astype(dtype)  # a copy: the blob is freed, and its byte order may differ


def event_record(event: Event) -> dict[str, Any]:
    """An event as it is kept and compared: a question with the hash of its inputs, a notice with every digit."""
    if isinstance(event, Infer):
        return {"say": "Infer", "id": event.id, "graph": event.graph, "sha256": digest(event.inputs)}
    if isinstance(event, Search):
        sha256 = digest((event.query, event.n, event.filters, event.keep, event.lean))
        return {"say": "Search", "id": event.id, "n": event.n, "sha256": sha256}
    exact: dict[str, Any] = json.loads(json.dumps(_exact(event), default=_plain))
    return {"say": type(event).__name__, **exact}


def digest(value: object) -> str:
    """SHA-256, in hex, of arrays, plain values, sequences, mappings, sets and dataclasses of them.

    Types, lengths, dtypes and shapes count; file paths do not, so a catalogue may move; nor do fields that came later,
    as long as they have their defaults (``catalog.records.LATER``), nor what is measured since (``MEASURED_LATER``).
    """
    hasher = hashlib.sha256()
    for part in _canonical(value):
        hasher.update(part)
    return hasher.hexdigest()


def answer_digest(answer: Answer) -> str:
    """The hash of an answer: a graph's outputs by name, or a search's candidates in order."""
    return digest(answer)


def _canonical(value: object) -> list[bytes]:
    match value:
        case np.ndarray():
            shape = ",".join(map(str, value.shape))
            return [f"array {value.dtype.name} {shape};".encode(), _bytes(value)]
        case np.generic():
            return _canonical(value.item())
        case None | bool() | int() | float():
            return [f"{value!r};".encode()]
        case str():
            data = value.encode("utf-8", "surrogatepass")
            return [f"text {len(data)};".encode(), data]
        case PurePath():
            return [b"path;"]
        case Mapping():
            parts = [part for name in sorted(value) for part in (*_canonical(name), *_canonical(value[name]))]
            return [f"map {len(value)};".encode(), *parts]
        case frozenset() | set():
            return [f"set {len(value)};".encode(), *(part for item in sorted(value) for part in _canonical(item))]
        case Sequence():
            return [f"list {len(value)};".encode(), *(part for item in value for part in _canonical(item))]
    if is_dataclass(value):
        return [b"object;", *_canonical(_parts(value))]
    raise TypeError(f"a value of type {type(value).__name__} has no hash here")


def _parts(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, without those that came later and have their defaults or are measured."""
    return {field.name: getattr(value, field.name) for field in fields(value) if not _is_unused(value, field)}


def _is_unused(value: object, field: Field[Any]) -> bool:
    if not field.metadata.get("later"):
        return False
    if field.metadata.get("measured"):
        return True
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return bool(getattr(value, field.name) == default)


def _exact(value: object) -> object:
    """A value of an event as what JSON can hold, every digit kept."""
    if is_dataclass(value):
        return {name: _exact(part) for name, part in _parts(value).items()}
    if isinstance(value, Mapping):
        return {name: _exact(part) for name, part in value.items()}
    return [_exact(part) for part in value] if isinstance(value, tuple | list) else value


def _frame(parts: dict[str, Any]) -> FrameFeatures:
    colour = ColourStats(**{name: float(part) for name, part in parts.pop("colour").items()})
    thumb, small = parts.pop("thumb"), parts.pop("small")
    scene, whole = parts.pop("scene", None), parts.pop("whole", None)  # recordings of older versions have none
    if thumb.shape != (THUMB_SIZE, THUMB_SIZE) or thumb.dtype != np.uint8:
        raise ValueError(f"a thumbnail of {thumb.dtype} {thumb.shape}")
    if small is not None and (small.ndim != SMALL_DIMS or small.dtype != np.uint8):
        raise ValueError(f"a small picture of {small.dtype} {small.shape}")
    for picture in (scene, whole):
        if picture is not None and (picture.shape != SCENE_SHAPE or picture.dtype != np.uint8):
            raise ValueError(f"a whole picture of {picture.dtype} {picture.shape}")
    numbers = {name: float(part) for name, part in parts.items()}
    if not all(abs(number) < LARGEST for number in (*numbers.values(), *asdict(colour).values())):
        raise ValueError(f"a frame's numbers {str(numbers)[:80]}")
    return FrameFeatures(thumb=thumb, colour=colour, small=small, scene=scene, whole=whole, **numbers)


def _bytes(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"a value of type {type(value).__name__} is not kept")
