"""What a sieve lets through is what a sampler takes, and no frame is counted twice or not at all."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.core.sampler import Sampler
from stream.sources.arrival import Sieve

CLOCK = Fraction(1, 1000)
TIMES = st.lists(st.one_of(st.none(), st.integers(0, 5000), st.sampled_from(["lost"])), max_size=60)


def frame(pts: int | None) -> Any:
    return SimpleNamespace(pts=pts, time_base=CLOCK)


@given(TIMES)
def test_every_frame_is_told_of_once(times: list[Any]) -> None:
    sieve, arrivals = Sieve(), []
    for pts in times:
        if pts == "lost":
            sieve.lose()
        elif (arrival := sieve.take(frame(pts))) is not None:
            arrivals.append(arrival)
    assert sum(1 + one.passed + one.undecoded for one in arrivals) + sieve.passed + sieve.undecoded == len(times)


@given(st.lists(st.one_of(st.none(), st.integers(0, 400), st.integers(9_000, 40_000)), max_size=60))
def test_a_sampler_behind_it_takes_what_it_would_have_taken_of_all(steps_ms: list[int | None]) -> None:
    sieve, alone, behind, now_ms = Sieve(), Sampler(), Sampler(), 0
    expected, taken = [], []
    for step_ms in steps_ms:
        now_ms += step_ms or 0
        pts = None if step_ms is None else now_ms
        expected.append(alone.offer(pts, CLOCK))
        if (arrival := sieve.take(frame(pts))) is not None:
            taken.append(behind.offer(arrival.frame.pts, CLOCK))
    kinds = [
        [one if isinstance(one, int) else type(one) for one in some if one is not None] for some in (expected, taken)
    ]
    assert kinds[0] == kinds[1] and behind.undated == alone.undated


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
