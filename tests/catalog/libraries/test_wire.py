"""Messages of Protocol Buffers, against their own library where that is installed."""

import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.libraries.wire import WireError, fields_of


def test_kinds_of_values() -> None:
    data = b"\x08\x96\x01" + b"\x11" + struct.pack("<d", 1.5) + b"\x1a\x02hi" + b"\x25" + struct.pack("<f", 0.5)
    assert list(fields_of(data)) == [(1, 150), (2, 1.5), (3, b"hi"), (4, 0.5)]
    assert list(fields_of(b"\x08" + b"\xff" * 9 + b"\x01")) == [(1, -1)]


@pytest.mark.parametrize("data", [b"\x08", b"\x08\xff", b"\x11123", b"\x1a\x05hi", b"\x0b", b"\x08" + b"\xff" * 11])
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(WireError):
        list(fields_of(data))


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_end(data: bytes) -> None:
    with suppress(WireError):
        assert all(number >= 0 for number, _ in fields_of(data))


@given(st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False), st.lists(st.binary(max_size=20), max_size=4))
@settings(deadline=None)
def test_as_the_library_writes_it(whole: int, real: float, parts: list[bytes]) -> None:
    message = _message()
    message.whole, message.real = whole, real
    message.parts.extend(parts)
    values = list(fields_of(message.SerializeToString()))
    assert dict(values).get(1, 0) == whole and dict(values).get(2, 0.0) == real
    assert [value for number, value in values if number == 3] == parts


def _message() -> Any:
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="m.proto", package="m", syntax="proto2")
    kind = file.message_type.add(name="M")
    kind.field.add(name="whole", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    kind.field.add(name="real", number=2, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    kind.field.add(name="parts", number=3, type=field.TYPE_BYTES, label=field.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("m.M"))()
