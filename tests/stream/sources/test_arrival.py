"""What a sieve lets through is what a sampler takes, and no frame is counted twice or not at all."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.core.sampler import Discontinuity, Sampler
from stream.sources.arrival import Sieve

CLOCK = Fraction(1, 1000)
TIMES = st.lists(st.one_of(st.none(), st.integers(0, 5000), st.sampled_from(["lost"])), max_size=60)


def frame(pts: int | None) -> Any:
    return SimpleNamespace(pts=pts, time_base=CLOCK)


@given(TIMES)
def test_every_frame_is_told_of_once(times: list[Any]) -> None:
    sieve, plain, behind, taken = Sieve(), Sampler(), Sampler(), []
    arrivals = []
    for pts in times:
        if pts == "lost":
            sieve.lose()
            continue
        slot = plain.offer(pts, CLOCK)
        if slot is not None:
            taken.append(slot)
        if (arrival := sieve.take(frame(pts))) is not None:
            arrivals.append(arrival)
    told = sum(1 + one.passed + one.undecoded for one in arrivals) + sieve.passed + sieve.undecoded
    assert told == len(times)
    # who hands only those on to a sampler gets what all of them would have given
    slots = [slot for one in arrivals if (slot := behind.offer(one.frame.pts, CLOCK)) is not None]
    assert [isinstance(slot, Discontinuity) for slot in slots] == [isinstance(slot, Discontinuity) for slot in taken]
    assert [slot for slot in slots if isinstance(slot, int)] == [slot for slot in taken if isinstance(slot, int)]
    assert behind.undated == plain.undated and behind.stale <= plain.stale  # one a little late is no longer late


def test_what_was_passed_over_and_lost_is_told_with_the_next() -> None:
    sieve = Sieve()
    first = sieve.take(frame(0))
    for pts in (10, 20):
        assert sieve.take(frame(pts)) is None
    sieve.lose()
    second, third = sieve.take(frame(130), 7.5), sieve.take(frame(260))
    assert first is not None and second is not None and third is not None
    assert [(one.passed, one.undecoded, one.arrived_s) for one in (first, second, third)] == [
        (0, 0, None),
        (2, 1, 7.5),
        (0, 0, None),
    ]
