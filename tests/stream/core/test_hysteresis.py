"""The first place: held against noise, lost to a patient, a large, or a well-timed lead."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stream.core.events import Reasons, Weights
from stream.core.hysteresis import Hysteresis, HysteresisOptions
from stream.core.ranking import Ranked, order, scored

Fake = Callable[..., Any]
OPTIONS = HysteresisOptions(
    margin=0.05, dwell_s=3, large=0.2, after_cut=0.02, hold_s=0, past=0.0, eased_dwell_s=1, opening_s=0, on_air_s=0
)
A, B, C = (f"{n:016x}" for n in (1, 2, 3))


@pytest.fixture
def hop(candidate: Fake) -> Fake:
    """``hop(hysteresis, {1: score, ...}, cut=False, playing=None, pinned=None)`` -> (advice, ids in order)."""

    def run(
        hysteresis: Hysteresis, scores: dict[int, float], cut: bool = False, **given: str | None
    ) -> tuple[str, list[str]]:
        ranked = sorted((Ranked(candidate(n), s, Reasons(s, s, s)) for n, s in scores.items()), key=order)
        settled = hysteresis.place(ranked, cut, **given)
        return settled.advice, [row.entry.candidate.track.id for row in settled.rows]

    return run


def test_the_best_is_first_at_once(hop: Fake) -> None:
    assert hop(Hysteresis(OPTIONS, 5), {1: 0.4, 2: 0.6}) == ("switch", [B, A])


def test_a_small_lead_never_takes_the_first_place(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    for _ in range(20):
        assert hop(hysteresis, {1: 0.56, 2: 0.60}) == ("stay", [A, B])


def test_a_lead_must_last(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    assert hop(hysteresis, {1: 0.5, 2: 0.6})[0] == "could switch"
    assert hop(hysteresis, {1: 0.5, 2: 0.6})[0] == "could switch"
    assert hop(hysteresis, {1: 0.6, 2: 0.6})[0] == "stay"  # interrupted
    assert [hop(hysteresis, {1: 0.5, 2: 0.6}) for _ in range(4)] == [
        ("could switch", [A, B]),
        ("could switch", [A, B]),
        ("switch", [B, A]),
        ("stay", [B, A]),
    ]


def test_challengers_wait_each_for_themselves(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5, 3: 0.5})
    assert hop(hysteresis, {1: 0.5, 2: 0.60, 3: 0.50})[1][0] == A
    assert hop(hysteresis, {1: 0.5, 2: 0.50, 3: 0.60})[1][0] == A
    assert hop(hysteresis, {1: 0.5, 2: 0.60, 3: 0.50})[1][0] == A
    assert hop(hysteresis, {1: 0.5, 2: 0.50, 3: 0.60})[1][0] == A


def test_a_large_lead_does_not_wait(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    assert hop(hysteresis, {1: 0.4, 2: 0.61}) == ("switch", [B, A])


def test_after_a_cut_a_small_lead_is_enough(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    assert hop(hysteresis, {1: 0.60, 2: 0.61}, cut=True)[0] == "stay"
    assert hop(hysteresis, {1: 0.57, 2: 0.60}, cut=True) == ("switch", [B, A])


def test_a_holder_that_is_gone_is_replaced(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    assert hop(hysteresis, {2: 0.5, 3: 0.4}) == ("switch", [B, C])


def test_when_the_holder_vanishes_every_challenger_waits_anew(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5, 3: 0.5, 4: 0.5})
    for _ in range(2):  # of the three that it takes
        assert hop(hysteresis, {1: 0.5, 2: 0.6, 3: 0.5, 4: 0.5})[1][0] == A
    assert hop(hysteresis, {2: 0.58, 3: 0.6, 4: 0.5})[1][0] == C
    assert [hop(hysteresis, {2: 0.6, 3: 0.5, 4: 0.5})[1][0] for _ in range(3)] == [C, C, B]


def test_advice_is_about_what_is_on_air_until_it_changes(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    assert hop(hysteresis, {1: 0.6, 2: 0.58}, playing=B) == ("stay", [B, A])
    said = [hop(hysteresis, {1: 0.7, 2: 0.6}, playing=B) for _ in range(5)]
    assert [advice for advice, _ in said] == ["could switch", "could switch", "switch", "switch", "switch"]
    assert said[-1][1] == [A, B]
    assert hop(hysteresis, {1: 0.7, 2: 0.6}, playing=A) == ("stay", [A, B])


def test_music_from_elsewhere_is_left_after_the_dwell(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    said = [hop(hysteresis, {1: 0.6, 2: 0.52}, playing="elsewhere") for _ in range(4)]
    assert [advice for advice, _ in said] == ["could switch", "could switch", "switch", "switch"]


def test_a_pinned_track_stands_first(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 2)
    hop(hysteresis, {1: 0.9, 2: 0.5, 3: 0.1})
    assert hop(hysteresis, {1: 0.9, 2: 0.5, 3: 0.1}, pinned=C) == ("switch", [C, A])
    assert hop(hysteresis, {1: 0.9, 2: 0.5, 3: 0.1}, pinned=C) == ("stay", [C, A])
    assert hop(hysteresis, {1: 0.9, 2: 0.5}, pinned=C) == ("switch", [A, B])


def test_a_new_holder_is_left_alone_except_by_a_large_lead(hop: Fake) -> None:
    options = replace(OPTIONS, hold_s=5)
    hysteresis = Hysteresis(options, 5)
    said = [hop(hysteresis, {1: 0.6, 2: 0.5})] + [hop(hysteresis, {1: 0.5, 2: 0.6}, cut=True) for _ in range(6)]
    assert [ids[0] for _, ids in said] == [A] * 5 + [B] * 2
    hasty = Hysteresis(options, 5)
    hop(hasty, {1: 0.6, 2: 0.5})
    assert hop(hasty, {1: 0.3, 2: 0.6}) == ("switch", [B, A])


def test_scores_and_parts_are_smoothed_alike(candidate: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, past=0.5), 5)
    for score, expected in ((0.8, 0.8), (0.4, 0.6), (0.4, 0.5)):
        (row,) = hysteresis.place([Ranked(candidate(1), score, Reasons(score, 0.5, 2 * score - 0.5))], False).rows
        assert row.score == pytest.approx(expected)
        assert row.entry.reasons.content == pytest.approx(expected) and row.entry.reasons.rhythm == pytest.approx(0.5)
        assert row.entry.reasons.mood == pytest.approx(2 * expected - 0.5)


def test_under_a_full_dial_a_score_rises_with_its_parts(candidate: Fake) -> None:
    hysteresis, shown = Hysteresis(replace(OPTIONS, past=0.5), 5), []
    for part in (0.5, 0.9, 0.9):
        steered = scored(candidate(1), Reasons(part, part, part), Weights(), 0.0, 0.7, 0.75)
        shown.append(hysteresis.place([steered], False).rows[0].score)
    assert shown == pytest.approx([0.675, 0.735, 0.765])  # 0.3 of 0.5, 0.7, 0.8 and 0.7 of 0.75


def test_nothing_to_suggest_is_an_empty_list(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6})
    assert hop(hysteresis, {}) == ("stay", [])


def test_a_reset_forgets_the_ranking_but_not_what_is_on_air(hop: Fake) -> None:
    hysteresis = Hysteresis(OPTIONS, 5)
    hop(hysteresis, {1: 0.6, 2: 0.5}, playing=B)
    hysteresis.reset()
    assert hysteresis.incumbent == B
    assert hop(hysteresis, {1: 0.6, 2: 0.58}, playing=B) == ("stay", [B, A])


def test_in_a_new_scene_a_lead_need_not_last(hop: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, hold_s=5), 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    hysteresis.ease(anew=True)
    assert hop(hysteresis, {1: 0.56, 2: 0.60}) == ("stay", [A, B])  # less than the margin
    assert hop(hysteresis, {1: 0.5, 2: 0.6}) == ("switch", [B, A])
    assert hop(hysteresis, {1: 0.6, 2: 0.5}) == ("could switch", [B, A])  # once; from now on as ever


def test_ease_wears_off(hop: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, eased_s=3), 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    hysteresis.ease(anew=False)
    for _ in range(3):
        assert hop(hysteresis, {1: 0.6, 2: 0.6})[0] == "stay"
    assert hop(hysteresis, {1: 0.5, 2: 0.6})[0] == "could switch"


def test_a_new_scene_forgets_the_scores_of_the_old(hop: Fake, candidate: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, past=0.5), 5)
    for score, anew, expected in ((0.8, False, 0.8), (0.4, True, 0.4), (0.6, False, 0.5)):
        if anew:
            hysteresis.ease(anew=True)
        (row,) = hysteresis.place([Ranked(candidate(1), score, Reasons(score, score, score))], False).rows
        assert row.score == pytest.approx(expected)


def test_weights_and_what_is_added_count_at_once(candidate: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, past=0.5), 5)

    def score(mood: float, weights: Weights, adjust: float) -> float:
        reasons = Reasons(0.0, 0.0, mood)
        ranked = [scored(candidate(1), reasons, weights, adjust)]
        return hysteresis.place(ranked, False, weights=weights).rows[0].score

    assert score(1.0, Weights(1, 0, 1), 0.0) == 0.5
    assert score(0.5, Weights(1, 0, 1), 0.0) == 0.375
    assert score(0.75, Weights(0, 0, 1), 0.0) == 0.75
    assert score(0.75, Weights(0, 0, 1), 0.125) == 0.875
    assert score(0.75, Weights(0, 0, 1), -2.0) == 0.0


def test_the_first_list_is_easier_to_replace(hop: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, hold_s=5, opening_s=3), 5)
    said = [hop(hysteresis, {1: 0.6, 2: 0.5}), *(hop(hysteresis, {1: 0.5, 2: 0.6}) for _ in range(2))]
    assert [ids[0] for _, ids in said] == [A, B, B]


def test_what_is_on_air_is_left_alone_for_a_while(hop: Fake) -> None:
    hysteresis = Hysteresis(replace(OPTIONS, on_air_s=5), 5)
    hop(hysteresis, {1: 0.6, 2: 0.5})
    said = [hop(hysteresis, {1: 0.1, 2: 0.9}, playing=A) for _ in range(7)]
    assert [advice for advice, _ in said] == ["could switch"] * 5 + ["switch"] * 2
    assert hop(hysteresis, {1: 0.1, 2: 0.9, 3: 0.2}, playing=B, pinned=C)[1][0] == C  # but for a pin
