"""Rows cut, padded and joined again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import EngineError
from engines.rows import checked_sizes, cut, join, pad, padded_size


def test_padded_sizes() -> None:
    assert [padded_size(rows) for rows in (1, 2, 3, 4, 5, 8, 9, 17, 32)] == [1, 2, 4, 4, 8, 8, 16, 32, 32]


def test_what_is_padded_is_the_last_row() -> None:
    assert pad(np.array([[True, False], [False, True]]), 4).tolist()[2:] == [[False, True]] * 2
    whole = np.zeros((4, 2))
    assert pad(whole, 4) is whole


@given(rows=st.integers(1, 40), largest=st.integers(1, 12))
def test_what_is_cut_and_joined_is_the_same(rows: int, largest: int) -> None:
    inputs = {"one": np.arange(3 * rows).reshape(rows, 3), "other": np.arange(rows) % 2 == 0}
    parts = list(cut(inputs, largest))
    assert [count for _, count in parts] == [len(part["one"]) for part, _ in parts]
    assert all(count == largest for _, count in parts[:-1]) and 1 <= parts[-1][1] <= largest
    whole = join([part for part, _ in parts])
    assert all(np.array_equal(whole[name], inputs[name]) for name in inputs)


@pytest.mark.parametrize("sizes", [(), (0, 1), (2, 1), (1, 1)])
def test_sizes_that_are_none_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match="must be positive and ascend"):
        checked_sizes(sizes)
