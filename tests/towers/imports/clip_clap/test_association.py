"""The association: learnt where pairs say so, by hand where they do not."""

import numpy as np
import pytest

from towers.imports.clip_clap.association import FEWEST, PENALTIES, _left_out, judge_choices, learn, own_shares

TAGS, MEANINGS = 12, 6


def pairs(count: int, rule: float, noise: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Music is where the video's tags are by a matrix of which ``rule`` is other than the one by hand."""
    rng = np.random.default_rng(seed)
    hand, other = rng.normal(size=(2, TAGS, MEANINGS))
    seen = np.tanh(rng.normal(size=(count, TAGS)))
    place = seen @ ((1 - rule) * hand + rule * other)
    heard = place @ np.linalg.pinv(hand) + noise * rng.normal(size=(count, TAGS))
    return seen, heard, hand


def test_own_is_the_share_of_others_that_are_further() -> None:
    seen = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert own_shares(seen, seen).tolist() == [1.0, 1.0, 1.0]
    assert own_shares(seen, -seen).tolist() == [0.0, 0.0, 0.0]
    assert own_shares(np.ones((4, 2)), np.ones((4, 2))).tolist() == [0.5] * 4


def test_what_leaving_one_out_says_is_what_is_learnt_without_it() -> None:
    rng = np.random.default_rng(1)
    rows, missed = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    told = _left_out(rows @ rows.T, missed, 3.0)
    for out in range(9):
        kept = np.delete(rows, out, axis=0)
        matrix = np.linalg.solve(kept.T @ kept + 3.0 * np.eye(4), kept.T @ np.delete(missed, out, axis=0))
        np.testing.assert_allclose(told[out], rows[out] @ matrix, atol=1e-10)
    assert not _left_out(rows @ rows.T, missed, float("inf")).any()


def test_pairs_of_another_rule_move_the_matrix() -> None:
    seen, heard, hand = pairs(80, 1.0)
    learnt = learn(seen, heard, hand)
    assert np.isfinite(learnt.penalty) and learnt.pairs == 80
    assert learnt.by_hand < 0.7 < 0.9 < learnt.left_out
    assert own_shares(seen @ learnt.matrix, heard @ hand).mean() > 0.9 and "learnt" in learnt.text()


def test_what_is_learnt_takes_videos_to_where_their_music_is() -> None:
    seen, heard, hand = pairs(300, 0.5, 0.0)
    learnt = learn(seen, heard, 5.0 * hand)  # whatever the scale of the matrix
    places, music = seen @ learnt.matrix, heard @ hand
    assert all(np.corrcoef(places[:, axis], music[:, axis])[0, 1] > 0.97 for axis in range(MEANINGS))


def test_a_choice_is_judged_by_what_the_others_would_have_chosen() -> None:
    """The first choice is best for the first video alone, which makes it best of all; without it the second is."""
    table = np.array([[1.0, 0.4, 0.4, 0.4], [0.0, 0.5, 0.5, 0.5]])
    assert judge_choices(table) == (0, pytest.approx((0.0 + 3 * 0.4) / 4))
    assert judge_choices(np.array([[0.5, 0.5], [0.5, 0.5]]))[0] == 1  # of equals the one nearest to the hand


def test_pairs_of_the_rule_by_hand_leave_it() -> None:
    seen, heard, hand = pairs(60, 0.0, 0.0)
    learnt = learn(seen, heard, hand)
    assert np.isinf(learnt.penalty) and learnt.matrix is hand and learnt.left_out == 1.0


def test_pairs_without_a_rule_promise_nothing() -> None:
    rng = np.random.default_rng(2)
    found = [learn(*rng.normal(size=(2, 40, TAGS)), rng.normal(size=(TAGS, MEANINGS))).left_out for _ in range(10)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)  # chosen and judged on the same videos it would be more


def test_few_pairs_teach_nothing() -> None:
    seen, heard, hand = pairs(FEWEST - 1, 1.0)
    learnt = learn(seen, heard, hand)
    assert learnt.matrix is hand and learnt.pairs == FEWEST - 1
    assert f"{FEWEST - 1} pairs, {FEWEST} are needed" in learnt.text()
    assert learn(np.zeros((0, TAGS)), np.zeros((0, TAGS)), hand).pairs == 0 and PENALTIES[-1] == float("inf")
