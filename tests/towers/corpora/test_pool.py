"""Work in processes: everything comes back, and one item that kills its process costs itself alone.

The work is a function of the standard library, since a spawned process cannot import a test.
"""

import operator
import signal

from towers.corpora.pool import Crashed, side_by_side


def test_a_crash_costs_one_item() -> None:
    harmless = [signal.SIGCONT, signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG]
    items = [*harmless[:2], signal.SIGKILL, *harmless[2:]]
    done = dict(side_by_side(signal.raise_signal, items, 2))
    assert isinstance(done.pop(signal.SIGKILL), Crashed)
    assert done == dict.fromkeys(harmless)


def test_everything_comes_back_from_several_processes() -> None:
    assert dict(side_by_side(operator.neg, range(7), 3)) == {item: -item for item in range(7)}


def test_one_job_works_here() -> None:
    assert list(side_by_side(operator.neg, iter([1, 2]), 1)) == [(1, -1), (2, -2)]
