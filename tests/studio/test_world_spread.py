"""Ranks and real values: tables in order, chance that keeps ranks evenly spread, readings that stand where they say."""

import numpy as np
import pytest

from studio.pairs import draw_latent
from studio.world import spread
from studio.world.pairs import _reading


@pytest.mark.parametrize("table", [spread.REAL, spread.READINGS])
def test_tables_rise_and_have_a_value_for_each_rank(table) -> None:  # type: ignore[no-untyped-def]
    for name, values in table.items():
        assert len(values) == len(spread.RANKS), name
        assert list(values) == sorted(values), name


def test_the_real_median_is_at_the_middle_rank() -> None:
    assert spread.real("brightness", 0.5) == pytest.approx(0.3355)
    assert spread.rank_of("contrast", 0.427) == pytest.approx(0.5)
    assert spread.requested_speed(0.0) < spread.requested_speed(0.5) < spread.requested_speed(1.0)


def test_normal_scores_and_ranks_are_each_others_inverse() -> None:
    for rank in np.linspace(0.01, 0.99, 21):
        assert spread.rank_of_score(spread.normal_score(float(rank))) == pytest.approx(rank, abs=2e-3)


@pytest.mark.parametrize("noise", [0.0, 0.4, 1.0])
def test_chance_keeps_ranks_evenly_spread_and_order_as_far_as_it_says(noise: float) -> None:
    rng = np.random.default_rng(4)
    ranks = rng.random(4000)
    moved = np.array([spread.blur_rank(float(rank), noise, rng) for rank in ranks])
    np.testing.assert_allclose(np.quantile(moved, (0.1, 0.5, 0.9)), (0.1, 0.5, 0.9), atol=0.03)
    assert np.corrcoef(ranks, moved)[0, 1] == pytest.approx(np.sqrt(1 - noise**2), abs=0.04)


def test_readings_of_latents_stand_as_their_table_says() -> None:
    rng = np.random.default_rng(2)
    levels: list[float] = []
    for _ in range(600):
        latent = draw_latent(rng)
        lean = 0.12 * (latent.tempo_bpm - 115) / 60
        levels += [level for _, level in _reading(latent.energy, rng, 0.06, lean)]
    ranks = spread.rank_of("motion", np.array(levels))
    np.testing.assert_allclose(np.quantile(ranks, (0.1, 0.25, 0.5, 0.75, 0.9)), (0.1, 0.25, 0.5, 0.75, 0.9), atol=0.04)
