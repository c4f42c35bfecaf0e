"""Standard scores: the index finds by inner products what the formula says, and favourites lose their lead."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.standard import LEAN_REACH, asked, standard_of

WIDTH = 8


def units(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.normal(size=(count, WIDTH)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@given(st.integers(0, 500), st.integers(1, 30), st.booleans(), st.tuples(*[st.floats(-1, 1)] * 4))
def test_inner_products_are_standard_scores(
    seed: int, rows: int, with_bank: bool, lean: tuple[float, float, float, float]
) -> None:
    rng = np.random.default_rng(seed)
    vectors, query, bank = units(rng, rows), units(rng, 1)[0], units(rng, 12)
    standings = rng.uniform(-1, 1, (rows, 4)).astype(np.float32)
    standard = standard_of(vectors, bank if with_bank else None)
    held = standard.rows(vectors, standings)
    near = vectors @ bank.T
    wanted = (vectors @ query - near.mean(axis=1)) / np.maximum(near.std(axis=1), 0.02)
    if not with_bank:  # nothing but a scale
        wanted = vectors @ query / max(0.02, float((vectors @ vectors.T).std()))
    np.testing.assert_allclose(held @ asked(query, ()), wanted, atol=2e-3, rtol=1e-3)
    turned = np.abs(lean)
    leant = wanted + LEAN_REACH * standings @ (np.array(lean) * turned.max() / max(turned.sum(), 1e-9))
    np.testing.assert_allclose(held @ asked(query, lean), leant, atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(standard.plain(held, slice(0, rows)), vectors, atol=1e-5)
    np.testing.assert_allclose(
        standard.similarities(held, np.arange(rows)[::-1], query), (vectors @ query)[::-1], atol=1e-4
    )
    score = standard.zscore(float(vectors[0] @ query), 0)
    assert score is None if not with_bank else score == pytest.approx(float(wanted[0]), abs=2e-3)


def test_what_is_near_to_everything_is_found_no_more_often_than_others() -> None:
    rng = np.random.default_rng(3)
    middle = units(rng, 1)[0]
    footage = units(rng, 200) * 0.6 + middle
    footage /= np.linalg.norm(footage, axis=1, keepdims=True)
    music = np.concatenate([units(rng, 29), middle[None]])  # the last one lies in the middle of all footage
    bank, queries = footage[:40], footage[40:]
    assert np.mean(np.argmax(queries @ music.T, axis=1) == 29) > 0.9
    standard = standard_of(music, bank)
    held = standard.rows(music, np.zeros((30, 4), np.float32))
    firsts = [int(np.argmax(held @ asked(query, ()))) for query in queries]
    assert firsts.count(29) < 16 and len(set(firsts)) > 15  # of 160


def test_nothing_is_standardised_to_nothing() -> None:
    assert standard_of(np.zeros((0, WIDTH), np.float32), None).rows(
        np.zeros((0, WIDTH), np.float32), np.zeros((0, 4), np.float32)
    ).shape == (0, WIDTH + 5)
