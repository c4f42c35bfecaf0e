"""The file: what is written is read, and nothing that happens to a file is more than an error or an earlier end."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.recording.errors import RecordingError
from stream.recording.format import MAGIC, MAX_CHUNK, MAX_RECORD, Reader, Record, create, pack_chunk, pack_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.builds(Record, st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.binary(max_size=40)))
HEADER = {"format": 1, "segue": "0"}


def written(path: Path, chunks: list[list[Record]], header: dict[str, Any] | None = None) -> bytes:
    data = MAGIC + pack_chunk(pack_record(Record(HEADER if header is None else header)))
    data += b"".join(pack_chunk(b"".join(map(pack_record, records))) for records in chunks)
    path.write_bytes(data)
    return data


def read(path: Path) -> tuple[list[Record], str | None]:
    with Reader(path) as reader:
        found = list(reader.records())
        return found, reader.damage


@settings(max_examples=60, deadline=None)
@given(chunks=st.lists(RECORDS, max_size=4))
def test_what_is_written_is_read(tmp_path_factory: Any, chunks: list[list[Record]]) -> None:
    path = tmp_path_factory.mktemp("r") / "file"
    written(path, chunks)
    assert read(path) == ([record for records in chunks for record in records], None)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), chunks=st.lists(RECORDS, min_size=1, max_size=4))
def test_a_cut_or_a_changed_byte_leaves_the_chunks_before_it(
    tmp_path_factory: Any, data: st.DataObject, chunks: list[list[Record]]
) -> None:
    path = tmp_path_factory.mktemp("r") / "file"
    whole = written(path, chunks)
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    path.write_bytes(
        whole[:at] if cut else whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    )
    everything = [record for records in chunks for record in records]
    try:
        found, damage = read(path)
    except RecordingError as error:
        assert at < len(written(path, [])) and str(path) in str(error)
        return
    assert found == everything[: len(found)]
    ends = [len(written(path, chunks[:count])) for count in range(len(chunks) + 1)]
    assert len(found) == sum(map(len, chunks[: sum(end <= at for end in ends) - 1]))
    assert damage is not None or (cut and at in ends)  # cut between two chunks: only a missing last record tells


@pytest.mark.parametrize("content", [b"", b"SEGUE", b"\x00" * 100, b'{"v":1}\n' * 50])
def test_what_is_no_recording(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"other: not a recording; name a file made with --record"):
        Reader(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RecordingError, match="cannot be read"):
            Reader(path)


def test_another_format_names_the_segue_that_made_it(tmp_path: Path) -> None:
    written(tmp_path / "f", [], {"format": 2, "segue": "9.1"})
    with pytest.raises(RecordingError, match=r"format 2, made by segue 9\.1; this segue reads format 1"):
        Reader(tmp_path / "f")


def chunk(body: bytes, raw: int) -> bytes:
    lengths = struct.pack("<II", len(body), raw)
    return lengths + struct.pack("<I", zlib.crc32(body, zlib.crc32(lengths))) + body


@pytest.mark.parametrize(
    ("added", "words"),
    [
        (chunk(zlib.compress(bytes(10_000_000)), 1000), "another length"),
        (chunk(zlib.compress(b"abc"), 1000), "another length"),
        (chunk(b"no zlib", 10), "damaged"),
        (struct.pack("<III", MAX_CHUNK + 1, 5, 0), f"a chunk of {MAX_CHUNK + 1} bytes"),
        (struct.pack("<III", 5, 2**32 - 1, 0), "a chunk of"),
        (pack_chunk(struct.pack("<II", 2**31, 2**31)), "longer than its chunk"),
        (pack_chunk(b"\x01"), "longer than its chunk"),
        (pack_chunk(struct.pack("<II", 3, 0) + b"{1}"), "no JSON"),
        (pack_chunk(struct.pack("<II", 20_000, 0) + b"[" * 20_000), "no JSON"),
        (pack_chunk(struct.pack("<II", 2, 0) + b"[]"), "no object"),
    ],
    ids=range(10),
)
def test_a_chunk_that_lies_ends_the_reading(tmp_path: Path, added: bytes, words: str) -> None:
    good = Record({"kind": "x"}, b"123")
    path = tmp_path / "f"
    path.write_bytes(written(path, [[good]]) + added + pack_chunk(pack_record(good)))
    found, damage = read(path)
    assert found == [good] and damage is not None and words in damage


def test_a_record_has_a_largest_size() -> None:
    assert len(pack_record(Record({}, bytes(MAX_RECORD - 10)))) == MAX_RECORD
    with pytest.raises(ValueError, match="at most"):
        pack_record(Record({}, bytes(MAX_RECORD)))


def test_texts_that_utf8_cannot_say_survive(tmp_path: Path) -> None:
    odd = Record({"text": "half of a pair: \ud83d", "nan": float("inf")})
    written(tmp_path / "f", [[odd]])
    assert json.dumps(read(tmp_path / "f")[0][0].fields) == json.dumps(odd.fields)


def test_a_new_file_is_its_owners_alone_and_never_one_that_exists(tmp_path: Path) -> None:
    with create(tmp_path / "f"):
        assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    with pytest.raises(RecordingError, match="exists already"):
        create(tmp_path / "f")
    with pytest.raises(RecordingError, match="cannot be written"):
        create(tmp_path / "absent" / "f")
