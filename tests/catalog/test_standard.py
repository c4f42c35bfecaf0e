"""Standard scores: the index finds by inner products what the formula says, and favourites lose their lead."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.standard import LEAN_REACH, index_query, plain, scale_of, similarities, standard_of

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
    owners = np.sort(rng.integers(0, 5, rows)).astype(np.int64)  # some have no segment
    standard = standard_of(vectors, bank if with_bank else None, owners, scale_of(vectors))
    held = standard.rows(vectors, standings)
    near = np.stack([(vectors[owners == owner] @ bank.T).max(axis=0) for owner in owners])
    wanted = (vectors @ query - near.mean(axis=1)) / np.maximum(near.std(axis=1), 0.02)
    if not with_bank:  # nothing but a scale
        wanted = vectors @ query / max(0.02, float((vectors @ vectors.T).std()))
    np.testing.assert_allclose(held @ index_query(query, ()), wanted, atol=2e-3, rtol=1e-3)
    turned = np.abs(lean)
    leant = wanted + LEAN_REACH * standings @ (np.array(lean) * turned.max() / max(turned.sum(), 1e-9))
    np.testing.assert_allclose(held @ index_query(query, lean), leant, atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(plain(held, standard.deviations[:, None]), vectors, atol=1e-5)
    np.testing.assert_allclose(
        similarities(held[::-1], standard.deviations[::-1], query), (vectors @ query)[::-1], atol=1e-4
    )
    assert standard.known is with_bank


def test_what_is_near_to_everything_is_found_no_more_often_than_others() -> None:
    rng = np.random.default_rng(3)
    middle = units(rng, 1)[0]
    footage = units(rng, 200) * 0.6 + middle
    footage /= np.linalg.norm(footage, axis=1, keepdims=True)
    music = np.concatenate([units(rng, 29), middle[None]])  # the last one lies in the middle of all footage
    bank, queries = footage[:40], footage[40:]
    assert np.mean(np.argmax(queries @ music.T, axis=1) == 29) > 0.9
    standard = standard_of(music, bank, np.arange(30), 1.0)
    held = standard.rows(music, np.zeros((30, 4), np.float32))
    firsts = [int(np.argmax(held @ index_query(query, ()))) for query in queries]
    assert firsts.count(29) < 16 and len(set(firsts)) > 15  # of 160


def test_a_long_track_is_found_no_more_often_than_a_short_one() -> None:
    """One of 40 segments among 19 of two, all drawn alike."""
    rng = np.random.default_rng(4)
    owners = np.repeat(np.arange(20), [40, *[2] * 19])
    music, bank, queries = units(rng, len(owners)), units(rng, 60), units(rng, 400)
    plain = owners[np.argmax(queries @ music.T, axis=1)]
    held = standard_of(music, bank, owners, 1.0).rows(music, np.zeros((len(music), 4), np.float32))
    found = owners[[int(np.argmax(held @ index_query(query, ()))) for query in queries]]
    assert (plain == 0).mean() > 0.3
    assert (found == 0).mean() < 0.1 and len(set(found)) == 20


def test_a_track_across_two_blocks_is_one_track(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    music, bank, owners = units(rng, 23), units(rng, 9), np.repeat(np.arange(4), [7, 1, 12, 3])
    whole = standard_of(music, bank, owners, 1.0)
    monkeypatch.setattr("catalog.standard.BLOCK", 5)
    parts = standard_of(music, bank, owners, 1.0)
    np.testing.assert_allclose(whole.means, parts.means, rtol=1e-5)
    np.testing.assert_allclose(whole.deviations, parts.deviations, rtol=1e-4)


@pytest.mark.parametrize("bank", [None, np.ones((3, WIDTH), np.float32)])
def test_nothing_is_standardised_to_nothing(bank: np.ndarray | None) -> None:
    nothing, none = np.zeros((0, WIDTH), np.float32), np.zeros(0, np.int64)
    assert standard_of(nothing, bank, none, scale_of(nothing)).rows(nothing, np.zeros((0, 4), np.float32)).shape == (
        0,
        WIDTH + 5,
    )
