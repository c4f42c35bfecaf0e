"""Checkpoints that the test writes come back; what is damaged, or of another kind, is named."""

import contextlib
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towers.imports.errors import ImportedError
from towers.imports.tf_checkpoint import read_checkpoint

ARRAYS = {
    "conv2d/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 1, 4),
    "conv2d/bias": np.array([1.5, -2.5], np.float32),
    "conv2d_1/bias": np.array([3.0], np.float32),
    "global_step": np.array(300, np.int64),
    "a/double": np.array([[1e-300]], np.float64),
    "a/empty": np.zeros((0, 3), np.float32),
    "a/whole": np.array([-1, 2**31 - 1], np.int32),
}


@pytest.mark.parametrize("prefixes", [True, False])
@pytest.mark.parametrize("rows_each", [1, 3, 100])
def test_what_was_written_comes_back(checkpoints: ModuleType, rows_each: int, prefixes: bool) -> None:
    found = read_checkpoint(*checkpoints.checkpoint(ARRAYS, rows_each=rows_each, prefixes=prefixes))
    assert sorted(found) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].shape == array.shape and found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": 1}, "compressed"),
        ({"header": b"\x08\x02"}, "2 shards"),
        ({"header": b"\x08\x01\x10\x01"}, "byte order"),
    ],
)
def test_other_kinds_are_refused(checkpoints: ModuleType, options: dict[str, object], says: str) -> None:
    with pytest.raises(ImportedError, match=says):
        read_checkpoint(*checkpoints.checkpoint(ARRAYS, **options))


def test_numbers_of_another_kind_are_refused_by_name(checkpoints: ModuleType) -> None:
    with pytest.raises(ImportedError, match="x/bytes is of kind 4"):
        read_checkpoint(*checkpoints.checkpoint({"x/bytes": np.zeros(2, np.uint8)}))


def test_data_that_is_cut_short_is_named(checkpoints: ModuleType) -> None:
    index, data = checkpoints.checkpoint(ARRAYS)
    with pytest.raises(ImportedError, match=r"global_step.*cut short"):
        read_checkpoint(index, data[:-1])


def test_a_file_that_is_no_index_is_named(checkpoints: ModuleType) -> None:
    index, data = checkpoints.checkpoint(ARRAYS)
    for wrong in (b"", b"no", data, index[:-1]):
        with pytest.raises(ImportedError, match="no table"):
            read_checkpoint(wrong, data)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_harmless(checkpoints: ModuleType, data: st.DataObject) -> None:
    """Never anything but our own error, however a byte is changed."""
    index, values = checkpoints.checkpoint(ARRAYS)
    at = data.draw(st.integers(0, len(index) - 1))
    damaged = index[:at] + bytes([data.draw(st.integers(0, 255))]) + index[at + 1 :]
    with contextlib.suppress(ImportedError):
        read_checkpoint(damaged, values)
