"""Slots are a function of timestamps alone: at most eight a second, exact at any rate, and no guess about bad ones."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.sampler import Discontinuity, Sampler

MS = Fraction(1, 1000)


def offered(pts: list[int | None], time_base: Fraction = MS) -> list[int | Discontinuity | None]:
    sampler = Sampler()
    return [sampler.offer(value, time_base) for value in pts]


@pytest.mark.parametrize(("fps", "per_second"), [(1, 1), (5, 5), (8, 8), (24, 8), (30, 8), (60, 8), (120, 8)])
def test_any_constant_rate(fps: int, per_second: int) -> None:
    taken = [slot for slot in offered(list(range(fps * 10)), Fraction(1, fps)) if slot is not None]
    assert len(taken) == 10 * per_second
    assert taken == sorted({i * 8 // fps for i in range(fps * 10)})


@given(stride=st.integers(1, 8), steps=st.lists(st.integers(0, 900), min_size=1, max_size=200))
def test_of_every_few_slots_one_is_filled(stride: int, steps: list[int]) -> None:
    pts = [0]
    for step in steps:
        pts.append(pts[-1] + step)
    sampler = Sampler()
    sampler.stride = stride
    taken = [slot for value in pts if isinstance(slot := sampler.offer(value, MS), int)]
    groups = [slot // stride for slot in taken]
    assert groups == sorted(set(groups)) == sorted({value * 8 // 1000 // stride for value in pts})
    assert set(taken) <= {value * 8 // 1000 for value in pts}


def test_an_odd_rate_never_drifts() -> None:
    time_base = Fraction(1001, 30_000)
    sampler = Sampler()
    hours = 30_000 * 3600 // 1001
    assert sampler.offer(0, time_base) == 0
    for pts in range(299, hours, 299):  # just under ten seconds apart
        slot = sampler.offer(pts, time_base)
        if isinstance(slot, Discontinuity):
            pytest.fail(slot.reason)
        assert slot == pts * 1001 * 8 // 30_000


@given(
    steps=st.lists(st.integers(0, 9_999), min_size=1, max_size=200),
    start=st.integers(-(10**12), 10**12),
    unit=st.integers(1, 50),
)
def test_slots_increase_and_hold_their_first_frame(steps: list[int], start: int, unit: int) -> None:
    time_base = Fraction(1, 1000 * unit)
    pts = [start]
    for step in steps:
        pts.append(pts[-1] + step * unit)
    slots = offered(pts, time_base)
    expected = [(value - start) * 8 // (1000 * unit) for value in pts]
    seen: set[int] = set()
    for slot, due in zip(slots, expected, strict=True):
        assert slot == (None if due in seen else due)
        seen.add(due)


@given(st.permutations(range(20)))
def test_jitter_within_a_second_loses_no_order(order: list[int]) -> None:
    """Frames 40 ms apart in any order: slots still increase, and each frame is sampled, stale or passed over."""
    sampler = Sampler()
    slots = [slot for i in order if (slot := sampler.offer(40 * i, MS)) is not None]
    assert all(isinstance(slot, int) for slot in slots)
    assert slots == sorted(slots)
    assert sampler.frames == 20 and sampler.sampled == len(slots)
    newest, stale = -1, 0
    for i in order:
        stale += i < newest
        newest = max(newest, i)
    assert sampler.stale == stale


def test_a_small_step_back_is_passed_over_and_a_large_one_begins_anew() -> None:
    first, late, back, following = offered([5000, 4000, 3999, 4124])
    assert (first, late) == (0, None)
    assert isinstance(back, Discontinuity) and back.slot == 0 and "back" in back.reason
    assert following == 1


def test_a_picture_that_is_held_is_no_jump() -> None:
    assert offered([0, 12_000, 24_000, 3_624_000]) == [0, 96, 192, 28_992]
    jump = offered([0, 3_600_001])[1]
    assert isinstance(jump, Discontinuity) and jump.slot == 0 and "forward by 3.6e+03 s" in jump.reason


def test_where_frames_arrive_a_picture_is_held_for_as_long_as_that_takes() -> None:
    sampler = Sampler()
    arrivals = [(0, 100.0), (20_000, 120.5), (29_999, 121.0), (30_000, 121.1), (40_500, 121.2)]
    found = [sampler.offer(pts, MS, arrived_s) for pts, arrived_s in arrivals]
    assert found[:4] == [0, 160, 239, 240]
    assert isinstance(found[4], Discontinuity) and "forward by 10.5 s" in found[4].reason


def test_a_late_frame_does_not_shorten_what_passed() -> None:
    sampler = Sampler()
    assert sampler.offer(5_000, MS, 50.0) == 0
    assert sampler.offer(4_500, MS, 69.9) is None  # late, and the next picture came 20 s after the newest
    assert sampler.offer(25_000, MS, 70.0) == 160


def test_some_inputs_hold_a_picture_for_less() -> None:
    sampler = Sampler(held_s=60)
    assert sampler.offer(0, MS) == 0 and sampler.offer(60_000, MS) == 480
    assert isinstance(sampler.offer(120_001, MS), Discontinuity)


def test_a_frame_without_time_is_said_once_and_then_counted() -> None:
    sampler = Sampler()
    assert sampler.offer(0, MS) == 0
    lost = sampler.offer(None, MS)
    assert isinstance(lost, Discontinuity) and lost.slot is None
    assert sampler.offer(None, MS) is None and sampler.offer(7, None) is None
    assert not sampler.dated and sampler.elapsed_s == 0.0
    assert sampler.offer(50, MS) == 0
    assert sampler.undated == 3 and sampler.sampled == 2 and sampler.frames == 5


def test_a_negative_or_zero_time_base_is_no_time() -> None:
    assert offered([1], Fraction(0)) == [None]
    assert offered([1], Fraction(-1, 10)) == [None]


def test_time_is_exact_where_floats_are_not() -> None:
    sampler = Sampler()
    base = 10**18  # seconds since long ago: a float could not tell neighbouring frames apart
    assert sampler.offer(base * 1000, MS) == 0
    assert sampler.offer(base * 1000 + 124, MS) is None
    assert sampler.offer(base * 1000 + 125, MS) == 1
    assert sampler.elapsed_s == 0.125


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(-2000, 12_000), st.integers(3_590_000, 3_610_000)),
            st.sampled_from([MS, Fraction(1, 90_000), Fraction(1001, 30_000)]),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_units_may_change_and_times_stay_exact(steps: list[tuple[int, Fraction]]) -> None:
    """The same choice as seconds in exact fractions give."""
    sampler = Sampler()
    now, first, newest, slot = Fraction(0), None, Fraction(0), -1
    for step_ms, unit in steps:
        pts = int((now + step_ms * MS) / unit)
        now = pts * unit
        answer = sampler.offer(pts, unit)
        back, forward = first is not None and newest - now > 1, first is not None and now - newest > 3600
        if first is None or back or forward:
            assert isinstance(answer, Discontinuity) == (first is not None)
            first = newest = now
            slot = 0
        elif now < newest:
            assert answer is None
        else:
            newest = now
            expected = int((now - first) * 8)
            assert answer == (expected if expected > slot else None)
            slot = max(slot, expected)
        assert sampler.elapsed_s == float(newest - first)
        now = newest
