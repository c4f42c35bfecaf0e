"""Work in processes: everything comes back, and one item that kills its process costs itself alone."""

import os

from towers.corpora.pool import Crashed, side_by_side


def double(item: int) -> int:
    if item == 3:
        os._exit(1)
    return 2 * item


def negate(item: int) -> int:
    return -item


def test_a_crash_costs_one_item() -> None:
    done = dict(side_by_side(double, range(6), 2))
    assert isinstance(done.pop(3), Crashed)
    assert done == {0: 0, 1: 2, 2: 4, 4: 8, 5: 10}


def test_one_job_works_here() -> None:
    assert list(side_by_side(negate, iter([1, 2]), 1)) == [(1, -1), (2, -2)]
