"""A transport stream is cut where it begins to carry other streams, however it is read."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sources.pull.parts import Part
from stream.sources.pull.transport import Layout, find_packets

Clip = Callable[..., bytes]


@pytest.fixture(scope="module")
def two(clip: Clip) -> tuple[bytes, bytes]:
    return clip(12, sound=True), clip(12, pid=0x200, sound=True)


def change(data: bytes, size: int) -> int | None:
    layout = Layout()
    for at in range(0, len(data), size):
        found = layout.push(data[at : at + size], at)
        if found is not None:
            return found
    return None


@pytest.mark.parametrize("size", [1, 37, 188, 4096, 10**7])
def test_other_streams_are_seen_at_their_table_of_programs(two: tuple[bytes, bytes], size: int) -> None:
    first, second = two
    found = change(first + second, size)
    assert found is not None and len(first) <= found <= len(first) + 188  # a table of services may stand before it
    assert (first + second)[found + 1] & 0x1F == 0 and (first + second)[found + 2] == 0
    assert change(first + first, size) is None and change(first, size) is None


def test_what_counts_is_which_streams_there_are(clip: Clip) -> None:
    plain, heard = clip(6), clip(6, sound=True)
    swapped = clip(6, sound=True, sound_first=True)
    for before, after in ((plain, heard), (heard, plain), (heard, swapped), (plain, clip(6, codec="libx265"))):
        assert change(before + after, 1000) is not None
    assert change(heard + clip(6, sound=True, width=128), 1000) is None


def test_a_damaged_table_is_not_believed(two: tuple[bytes, bytes]) -> None:
    data = bytearray(two[0] * 2)
    at = len(two[0])
    while data[at + 1] & 0x1F != 0x10 or data[at + 2] != 0:  # the streams' table, where FFmpeg puts it
        at += 188
    data[at + 20] ^= 0xFF
    assert change(bytes(data), 1000) is None


@pytest.mark.parametrize(("size", "before", "after"), [(192, 4, 0), (204, 0, 16)])
def test_packets_of_other_sizes(two: tuple[bytes, bytes], size: int, before: int, after: int) -> None:
    data = two[0] + two[1]
    wide = b"".join(bytes(before) + data[at : at + 188] + bytes(after) for at in range(0, len(data), 188))
    assert find_packets(wide) == (0, size)
    found = change(wide, 1000)
    assert found is not None and abs(found - len(two[0]) // 188 * size) <= size


@given(st.binary(max_size=2000), st.integers(1, 700))
def test_any_bytes_are_borne(data: bytes, size: int) -> None:
    change(data, size)
    find_packets(data)


@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=20), size=st.integers(50, 5000))
@settings(max_examples=40)
def test_damage_is_borne(two: tuple[bytes, bytes], flips: list[tuple[int, int]], size: int) -> None:
    data = bytearray(two[0] + two[1])
    for at, value in flips:
        data[at % len(data)] = value
    change(bytes(data), size)


class Once:
    """Bytes that come once, as from a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1111))

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError("no")

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None: ...


@pytest.mark.parametrize("make", [io.BytesIO, Once])
@pytest.mark.parametrize("size", [188, 1000, 65536])
def test_parts_follow_on_each_other_without_a_gap(two: tuple[bytes, bytes], make: Any, size: int) -> None:
    data = two[0] + two[1] + two[0]
    part: Part | None = Part(make(data), 0, b"", Layout())
    parts = []
    while part is not None:
        read = b""
        while piece := part.read(size):
            read += piece
        parts.append(read)
        part = part.following
    wholes = [two[0], two[1][188:], two[0][188:]]  # the first packet of each is no table that counts
    for read, whole in zip(parts, wholes, strict=True):
        assert read.startswith(whole)
        assert len(read) <= len(whole) + 3 * 188  # what was handed on before the change was known


def test_a_part_is_a_file_of_its_own(two: tuple[bytes, bytes]) -> None:
    """FFmpeg looks at the end to know the length, and comes back: that is no end of the part."""
    data = two[0] + two[1]
    part = Part(io.BytesIO(data), 0, b"", Layout())
    part.read(1000)
    assert part.seek(-2000, 2) == len(data) - 2000
    part.read(1000)
    assert part.seek(0) == 0
    read = b""
    while piece := part.read(5000):
        read += piece
    assert abs(len(read) - len(two[0])) <= 188
    after = part.following
    assert after is not None and after.tell() == 0 and after.read(4) == data[len(read) : len(read) + 4]
    assert after.seek(8) == 8 and after.read(4) == data[len(read) + 8 : len(read) + 12]


def test_what_was_read_already_comes_first() -> None:
    raw = io.BytesIO(b"0123456789")
    part = Part(raw, 0, raw.read(4))
    assert part.read(100) == b"0123" and part.read(100) == b"456789" and part.read(1) == b""
    assert part.seek(2) == 2 and part.read(1) == b"2" and part.tell() == 3 and part.following is None


def test_what_breaks_off_is_at_its_end_and_tells_why() -> None:
    class Broken(Once):
        def read(self, size: int) -> bytes:
            if self.tell():
                raise OSError("gone")
            return super().read(2)

    part = Part(Broken(b"abcd"))
    assert part.read(9) == b"ab" and part.read(9) == b"" and str(part.error) == "gone" and part.read(9) == b""
