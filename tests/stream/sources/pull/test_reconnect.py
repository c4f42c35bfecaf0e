"""Coming back: the delays, what is told, and when it is given up; no clock and no network."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import Warned
from stream.errors import SourceError
from stream.sources.pull.reconnect import Backoff, reconnecting


class Source:
    """A context manager that yields so many numbers as frames, then ends or breaks off."""

    def __init__(self, script: list[Any], closed: list[int]) -> None:
        self.count, self.error = script.pop(0)
        self.closed = closed
        self.warning = None
        if self.count is None:
            raise SourceError(self.error)

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.append(1)

    def frames(self) -> Iterator[Any]:
        yield from range(self.count)
        if self.error:
            raise SourceError(self.error)


def drive(script: list[Any], backoff: Backoff, stop_after: int = 99) -> tuple[list[Any], list[str], list[float]]:
    """Frames, what was told, and how long was waited."""
    told: list[Warned] = []
    waits: list[float] = []
    closed: list[int] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) < stop_after

    opened = sum(count is not None for count, _ in script)
    frames: list[Any] = list(reconnecting(lambda: Source(script, closed), backoff, lambda: 1.0, wait, told.append))  # type: ignore[arg-type]
    assert len(closed) <= opened
    return frames, [notice.reason for notice in told], waits


def test_it_goes_on_after_every_end_and_starts_counting_anew() -> None:
    backoff = Backoff(1.0, 2.0, 3.0, tries=3)
    script = [(2, ""), (None, "x: down"), (3, "x: broke"), (None, "down"), (None, "down"), (None, "down")]
    frames, told, waits = drive(script, backoff)
    assert frames == [0, 1, 0, 1, 2] and script == []
    assert waits == [1.0, 2.0, 1.0, 2.0, 3.0]
    assert told == [
        "the source ended; trying again in 1.0 s",
        "x: down; trying again in 2.0 s",
        "the source is back",
        "x: broke; trying again in 1.0 s",
        "down; trying again in 2.0 s",
        "down; trying again in 3.0 s",
        "down; given up after 3 tries",
    ]


def test_the_first_opening_must_succeed() -> None:
    with pytest.raises(SourceError, match="nobody"):
        drive([(None, "nobody there")], Backoff())
    with pytest.raises(SourceError, match="no picture"):
        drive([(0, "holds no picture")], Backoff())


def test_what_its_sender_ended_is_not_opened_again() -> None:
    script: list[Any] = [(2, ""), (3, "")]
    sources: list[Source] = []

    def open_source() -> Source:
        sources.append(Source(script, []))
        sources[-1].finished = len(sources) == 2  # type: ignore[attr-defined]
        return sources[-1]

    told: list[Warned] = []
    frames = list(reconnecting(open_source, Backoff(), lambda: 1.0, lambda _: True, told.append))  # type: ignore[arg-type]
    assert frames == [0, 1, 0, 1, 2] and [notice.reason for notice in told][1:] == ["the source is back"]


def test_it_stops_where_the_wait_says_so() -> None:
    frames, told, waits = drive([(1, ""), (1, ""), (1, "")], Backoff(), stop_after=2)
    assert frames == [0, 0] and len(waits) == 2 and not any("given up" in text for text in told)


@given(
    st.floats(0.01, 5), st.floats(1, 4), st.floats(5, 60), st.integers(0, 40), st.lists(st.floats(0, 1), min_size=40)
)
def test_delays_grow_to_a_bound_within_their_jitter(
    first_s: float, factor: float, most_s: float, tries: int, dice: list[float]
) -> None:
    thrown = iter(dice)
    delays = list(Backoff(first_s, factor, most_s, tries).delays(lambda: next(thrown)))
    nominal = [min(most_s, first_s * factor**n) for n in range(tries)]
    assert len(delays) == tries
    for delay, whole in zip(delays, nominal, strict=True):
        assert 0.499 * whole <= delay <= 1.001 * whole <= 1.001 * most_s


@pytest.mark.parametrize("wrong", [{"first_s": 0.0}, {"most_s": 0.1}, {"factor": 0.5}, {"tries": -1}])
def test_a_senseless_backoff_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="0 < first_s"):
        Backoff(**wrong)
