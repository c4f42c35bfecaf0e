import numpy as np
import pytest

from catalog.index.lifted import lift, lift_query, longest


def test_lifted_vectors_have_one_norm_and_the_same_products() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(50, 7)) * rng.uniform(0.1, 20, (50, 1))).astype(np.float32)
    query = rng.normal(size=7).astype(np.float32)
    lifted = lift(vectors, longest(vectors))
    assert lifted.dtype == np.float32 and lifted[:, :-1].tobytes() == vectors.tobytes()
    np.testing.assert_allclose(np.linalg.norm(lifted, axis=1), longest(vectors), rtol=1e-5)
    np.testing.assert_allclose(lifted @ lift_query(query), vectors @ query, rtol=1e-6)


def test_what_is_longer_than_the_bound_stays_as_long() -> None:
    lifted = lift(np.array([[3.0, 4.0], [0.0, 1.0]], np.float32), 2.0)
    assert lifted.tolist() == [[3.0, 4.0, 0.0], [0.0, 1.0, pytest.approx(3**0.5)]]
    assert longest(np.zeros((0, 3), np.float32)) == 0.0 and lift(np.zeros((0, 3), np.float32), 1.0).shape == (0, 4)
