"""The rows: they hold still, they are always in order, and they move when there is a reason."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.events import Reasons
from stream.core.ranking import Ranked, order
from stream.core.rows import RowOptions, Rows

Fake = Callable[..., Any]
OPTIONS = RowOptions(row_margin=0.05, row_dwell_s=3, rest_s=5, again_s=0)


class Shown:
    """Rows driven by scores: ``{number: score}``."""

    def __init__(self, candidate: Fake, size: int = 3) -> None:
        self.rows, self.candidate = Rows(OPTIONS, size), candidate

    def hop(self, scores: dict[int, float], first: int, **given: Any) -> tuple[list[int], str]:
        ranked = sorted((Ranked(self.candidate(n), s, Reasons(s, s, s)) for n, s in scores.items()), key=order)
        self.last, changed = self.rows.arrange(ranked, f"{first:016x}", 1.0, **given)
        return [int(row.entry.candidate.track.id, 16) for row in self.last], changed


@pytest.fixture
def shown(candidate: Fake) -> Shown:
    return Shown(candidate)


START = {1: 0.9, 2: 0.6, 3: 0.5, 4: 0.4}


def test_they_begin_best_first_behind_who_holds_the_first_place(shown: Shown) -> None:
    assert shown.hop(START, 2) == ([2, 1, 3], "scene")


def test_a_small_lead_changes_nothing_however_long_it_lasts(shown: Shown) -> None:
    shown.hop(START, 1)
    for _ in range(40):
        assert shown.hop({**START, 4: 0.54}, 1) == ([1, 2, 3], "")


def test_a_lead_from_outside_must_last_and_the_rows_must_have_stood(shown: Shown) -> None:
    shown.hop(START, 1)
    said = [shown.hop({**START, 4: 0.62}, 1) for _ in range(6)]
    assert [ids for ids, _ in said] == [[1, 2, 3]] * 4 + [[1, 4, 2]] * 2
    assert [changed for _, changed in said] == [""] * 4 + ["lead", ""]


def test_a_lead_that_breaks_off_begins_again(shown: Shown) -> None:
    shown.hop(START, 1)
    for turn in range(30):
        assert shown.hop({**START, 4: 0.4 if turn % 3 == 2 else 0.7}, 1)[0] == [1, 2, 3]


def test_one_row_passes_another_by_a_lead_that_lasts(shown: Shown) -> None:
    shown.hop(START, 1)
    said = [shown.hop({**START, 3: 0.7}, 1)[0] for _ in range(6)]
    assert said == [[1, 2, 3]] * 4 + [[1, 3, 2]] * 2


def test_the_rows_of_a_new_scene_are_set_down_once_more(candidate: Fake) -> None:
    shown = Shown(candidate)
    shown.rows = Rows(replace(OPTIONS, again_s=2, again_margin=0.03), 3)
    said = [shown.hop({**START, 4: score}, 1) for score in (0.4, 0.9, 0.54, 0.9, 0.4)]
    assert [changed for _, changed in said] == ["scene", "", "scene", "", ""]
    assert [ids for ids, _ in said] == [[1, 2, 3]] * 2 + [[1, 2, 4]] * 3
    gone = Shown(candidate)
    gone.rows = Rows(replace(OPTIONS, again_s=1), 3)
    assert [gone.hop(scores, 1)[1] for scores in (START, {1: 0.9, 3: 0.5, 4: 0.4})] == ["scene", "gone"]
    close = Shown(candidate)
    close.rows = Rows(replace(OPTIONS, again_s=2, again_margin=0.03), 3)
    assert [close.hop({**START, 4: score}, 1)[1] for score in (0.4, 0.9, 0.52)] == ["scene", "", ""]


def test_the_holder_of_the_first_place_stands_first_at_once(shown: Shown) -> None:
    shown.hop(START, 1)
    assert shown.hop(START, 2) == ([2, 1, 3], "lead")


def test_a_cause_sets_them_down_anew_and_is_told_only_where_it_changed_something(shown: Shown) -> None:
    shown.hop(START, 1)
    assert shown.hop({**START, 4: 0.51}, 1, cause="wish") == ([1, 2, 4], "wish")
    assert shown.hop({**START, 4: 0.51}, 1, cause="scene") == ([1, 2, 4], "")


def test_a_track_that_is_gone_leaves_its_place_to_the_next(shown: Shown) -> None:
    shown.hop(START, 1)
    assert shown.hop({1: 0.9, 3: 0.5, 4: 0.4}, 1) == ([1, 3, 4], "gone")
    assert shown.hop({1: 0.9, 3: 0.5}, 1) == ([1, 3], "gone")
    assert shown.hop(START, 1) == ([1, 2, 3], "lead")  # there is room again


def test_who_stands_above_a_higher_score_is_shown_with_it_and_why(shown: Shown) -> None:
    shown.hop(START, 1)
    shown.hop({1: 0.5, 2: 0.6, 3: 0.63, 4: 0.4}, 1, reasons={f"{1:016x}": "on air"})
    assert [row.held for row in shown.last] == ["on air", "place", ""]
    assert [row.score for row in shown.last] == [0.63] * 3
    assert [row.lift for row in shown.last] == pytest.approx([0.13, 0.03, 0.0])


@given(
    st.lists(
        st.tuples(st.lists(st.floats(0, 1), min_size=6, max_size=6), st.integers(1, 6)),
        max_size=40,
    )
)
def test_whatever_the_scores_do_the_rows_are_in_order_and_rest(
    candidate: Fake, hops: Sequence[tuple[list[float], int]]
) -> None:
    shown = Shown(candidate, size=4)
    before: list[int] = []
    stood, first_before = 0.0, 0
    for scores, first in hops:
        ids, changed = shown.hop(dict(enumerate(scores, start=1)), first)
        told = [row.score for row in shown.last]
        assert told == sorted(told, reverse=True) and all(row.lift >= 0 for row in shown.last)
        assert ids[0] == first and len(set(ids)) == 4
        assert bool(changed) == (ids != before)
        stood += 1
        if changed and before and first == first_before:  # a lead: the rows have stood
            assert stood >= OPTIONS.rest_s
        if changed:
            stood = 0
        before, first_before = ids, first
