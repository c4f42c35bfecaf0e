"""Sinks beside each other: each hears everything, and one that fails takes no other along."""

import logging

import pytest

from stream.core.events import Cut, End, Notice
from stream.sinks.base import FunctionSink, Sinks


class Failing:
    """Fails at the second notice."""

    def __init__(self) -> None:
        self.said: list[Notice] = []

    def put(self, notice: Notice) -> None:
        self.said.append(notice)
        if len(self.said) == 2:
            raise OSError("the line is cut")


CUTS = [Cut(float(second), 0.5) for second in range(4)]
END = End(4, 4, 0, 0)


def test_each_hears_everything_in_order_and_who_comes_late_the_rest() -> None:
    one, other, needed = list[Notice](), list[Notice](), list[Notice]()
    sinks = Sinks([FunctionSink(one.append)], needed=[FunctionSink(needed.append)])
    sinks.put(CUTS[0])
    sinks.add(FunctionSink(other.append))
    for cut in CUTS[1:]:
        sinks.put(cut)
    assert one == needed == CUTS and other == CUTS[1:]


def test_one_that_fails_is_left_out_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    failing, behind = Failing(), list[Notice]()
    sinks = Sinks([failing, FunctionSink(behind.append)])
    with caplog.at_level(logging.ERROR, logger="segue.sinks"):
        for cut in CUTS:
            sinks.put(cut)
        sinks.put(END)
    assert failing.said == [*CUTS[:2], END] and behind == [*CUTS, END], "what it opened it may still close"
    assert [record.message for record in caplog.records] == [
        "a sink (Failing) failed and is left out; the session goes on"
    ]


def test_one_that_is_needed_ends_it_with_what_it_raised() -> None:
    beside = list[Notice]()
    sinks = Sinks([FunctionSink(beside.append)], needed=[Failing()])
    sinks.put(CUTS[0])
    with pytest.raises(OSError, match="the line is cut"):
        sinks.put(CUTS[1])
    assert beside == CUTS[:2]


def test_one_that_fails_at_the_end_gets_it_once() -> None:
    failing = Failing()
    sinks = Sinks([failing])
    sinks.put(CUTS[0])
    sinks.put(END)
    assert failing.said == [CUTS[0], END]
