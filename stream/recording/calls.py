"""A recorded call of the session's: its method and arguments, checked, since a crafted file can hold any.

All functions raise ``BadRecordError`` for what no recorder writes.
"""

import inspect
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from features.frame import FrameFeatures
from stream.core.session import Session

from .format import Record
from .values import Unpacker

# The type of each argument, so that a crafted file cannot make a session publish what is not valid.
ARGUMENTS: Final[dict[str, type | tuple[type, ...]]] = {
    "features": FrameFeatures,
    "pictures": list,
    "slot": int,
    "question": int,
    "share": (int, float),
    "second": int,
    "now_s": (int, float),
    "reason": str,
    "message": dict,
    "frames": int,
    "dropped": int,
    "flush": bool,
}
LARGEST: Final = 2**53  # of a number in a call: what a float holds exactly


class BadRecordError(ValueError):
    """What a record holds, in words that go behind "holds"."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """``bound``: each by its name."""

    positional: list[Any]
    named: dict[str, Any]
    bound: dict[str, Any]


def method_of(record: Record) -> tuple[str, FunctionType]:
    """The public method of a session that a record names."""
    name, args, kwargs = (record.fields.get(key) for key in ("name", "args", "kwargs"))
    if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
        raise BadRecordError("a call without a name or arguments")
    method = vars(Session).get(name)
    if name.startswith("_") or not isinstance(method, FunctionType):
        raise BadRecordError(f"a call of {name[:40]!r}, which this segue's session does not know")
    return name, method


def arguments_of(record: Record, name: str, method: FunctionType, session: Session) -> Arguments:
    """The arguments of a call that ``method_of`` has found."""
    unpacker = Unpacker(record.blob)
    try:
        positional = [unpacker.unpack(value) for value in record.fields["args"]]
        named = {key: unpacker.unpack(value) for key, value in record.fields["kwargs"].items()}
    except ValueError as error:
        raise BadRecordError(f"what no recorder writes ({str(error)[:80]})") from error
    try:
        bound = inspect.signature(method).bind(session, *positional, **named).arguments
    except TypeError as error:
        raise BadRecordError(f"a call of {name} that its session does not take ({error})") from error
    for argument, value in bound.items():
        _check(argument, value)
    return Arguments(positional, named, bound)


def answered(record: Record) -> tuple[int, str]:
    """The question and the hash of a recorded answer."""
    match record.fields["args"]:
        case [int(number), ["answer", str(digest)]]:
            return number, digest
        case _:
            raise BadRecordError("an answer without a question or a hash")


def _check(argument: str, value: object) -> None:
    kind = ARGUMENTS.get(argument, object)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, kind) or (kind is not bool and kind is not object and isinstance(value, bool)):
        raise BadRecordError(f"{argument} that is {type(value).__name__}")
    if argument == "pictures" and not all(isinstance(picture, FrameFeatures) for picture in value):  # type: ignore[attr-defined]
        raise BadRecordError("revised frames that are none")
    if number and not abs(value) < LARGEST:  # type: ignore[arg-type]
        raise BadRecordError(f"{argument} that is {str(value)[:40]}")
