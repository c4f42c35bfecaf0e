"""Progress: nothing for what is short, a line that changes on a terminal, one every ten seconds elsewhere."""

import io

from benchmarks.report.progress import Progress, clock_text, counted, expect, reached


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(out: io.StringIO) -> tuple[Progress, Clock]:
    clock = Clock()
    return Progress(out, clock), clock


def test_nothing_for_three_seconds_then_what_is_left() -> None:
    out = Terminal()
    say, clock = progress(out)
    reached(say, 1, 4)
    clock.now_s = 2.9
    say.draw()
    assert out.getvalue() == ""
    clock.now_s = 20.0
    say.draw()
    assert out.getvalue() == "0:20 gone, about 1:00 left"
    say("half")
    assert out.getvalue().endswith("\rhalf\n")  # the line that changes is gone first


def test_elsewhere_a_line_every_ten_seconds() -> None:
    out = io.StringIO()
    say, clock = progress(out)
    for second in range(35):
        clock.now_s = float(second)
        say.draw()
    assert out.getvalue().splitlines() == ["0:10 gone", "0:20 gone", "0:30 gone"]


def test_work_of_a_known_length() -> None:
    say, clock = progress(io.StringIO())
    clock.now_s = 10.0
    expect(say, 60.0)
    clock.now_s = 30.0
    assert say.line() == "0:30 gone, about 0:40 left"
    clock.now_s = 80.0
    assert say.line() == "1:20 gone"  # longer than it was said to take: nothing is made up


def test_items_by_their_weight() -> None:
    say, clock = progress(io.StringIO())
    shown = []
    for size in counted([1, 3], say, float):
        clock.now_s += 10.0 * size
        shown.append(say.line())
    assert shown == ["0:10 gone", "0:40 gone, about 2:00 left"]


def test_any_other_function_is_left_alone() -> None:
    reached(print, 1, 2)
    expect(lambda _: None, 1.0)
    assert list(counted([1, 2], print)) == [1, 2]


def test_times() -> None:
    assert [clock_text(seconds) for seconds in (0, 59.6, 75, 3725)] == ["0:00", "1:00", "1:15", "1:02:05"]
