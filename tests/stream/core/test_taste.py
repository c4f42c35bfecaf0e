"""Likes pull, skips push a little, neither by more than its span, and without any nothing moves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.core.taste import KEPT_PROFILES, LIKE_SPAN, SKIP_SPAN, Profiles, by_track, profiles, taste

Fake = Callable[..., Any]
NONE = np.empty((0, 3))
EAST, NORTH, UP = np.eye(3)


def test_a_profile_gives_the_mean_cosine_over_all_pairs(candidate: Fake) -> None:
    one, two = candidate(1), candidate(2)
    one.mask[4:], two.clips[:] = False, 3 * two.clips
    pairs = [np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a in one.clips[:4] for b in two.clips]
    first, second = profiles([one, two])
    assert first @ second == pytest.approx(np.mean(pairs), abs=1e-6)
    one.mask[:] = False
    assert not profiles([one])[0].any()
    assert by_track([]) == {} and (by_track([two, one])[two.track.id] == second).all()


def test_likes_pull_and_skips_push_less() -> None:
    pool = np.stack([EAST, NORTH, UP, (EAST + NORTH) / 2])
    liked, skipped = taste(pool, EAST[None], NONE), taste(pool, NONE, EAST[None])
    assert list(np.argsort(-liked, kind="stable")) == [0, 3, 1, 2]
    assert list(np.argsort(skipped, kind="stable")) == [0, 3, 1, 2]
    assert np.abs(skipped).max() < np.abs(liked).max()
    both = taste(pool, np.stack([EAST, NORTH]), NONE)
    assert both[0] == pytest.approx(both[1]) == pytest.approx(both[3]) and both[2] < both[0]


def test_nothing_liked_moves_nothing_and_neither_does_a_pool_of_one_sound() -> None:
    assert (taste(np.stack([EAST, NORTH]), NONE, NONE) == 0).all()
    assert (taste(np.stack([EAST, EAST]), UP[None], EAST[None]) == 0).all()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 32), st.integers(0, 9), st.integers(0, 9))
def test_no_two_change_places_that_are_further_apart_than_the_spans(seed: int, n: int, likes: int, skips: int) -> None:
    rng = np.random.default_rng(seed)
    pool, liked, skipped = (rng.normal(size=(k, 4)) ** 3 for k in (n, likes, skips))
    moved = taste(pool, liked, skipped)
    assert moved.max() - moved.min() <= LIKE_SPAN * (likes > 0) + SKIP_SPAN * (skips > 0)
    assert np.abs(moved).max() <= (LIKE_SPAN + SKIP_SPAN) / 2


def test_profiles_keep_the_first_that_was_heard_and_know_what_is_missing() -> None:
    kept = Profiles()
    assert kept.unknown(["a", "b"]) == ["a", "b"]
    kept.keep("a", EAST)
    kept.keep("a", NORTH)
    kept.keep("b", None)
    assert kept.unknown(["a", "b", "c"]) == ["c"]
    assert kept.of(["a", "b", "c"], 3).tolist() == [EAST.tolist()]
    assert kept.of(["a"], 4).shape == (0, 4)
    kept.keep("b", UP)
    assert kept.of(["b"], 3).tolist() == [UP.tolist()]


def test_profiles_are_bounded_and_those_in_use_stay() -> None:
    kept = Profiles()
    kept.keep("mine", EAST)
    for number in range(2 * KEPT_PROFILES):
        kept.keep(str(number), UP)
        kept.of(["mine"], 3)
    assert len(kept._by_track) == KEPT_PROFILES and kept.unknown(["mine", "0"]) == ["0"]
