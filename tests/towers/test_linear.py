"""The closed forms against what they are defined to be."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from towers.batch import Batch, Labels, Side, Sizes
from towers.errors import RunError
from towers.linear import Configuration, Linear, fit_matrices, make

Array = npt.NDArray[np.float64]


def pairs(count: int, seed: int, shared: int = 3, width: int = 8, noise: float = 0.3) -> tuple[Array, Array]:
    """Two views of ``shared`` numbers, beside loud numbers that only one of them has."""
    rng, mix = np.random.default_rng(seed), np.random.default_rng(99)
    latent = rng.normal(size=(count, shared))
    sides = []
    for _ in range(2):
        own = 3.0 * rng.normal(size=(count, 2)) @ mix.normal(size=(2, width))
        sides.append(latent @ mix.normal(size=(shared, width)) + own + noise * rng.normal(size=(count, width)))
    return sides[0], sides[1]


def standardised(rows: Array) -> Array:
    out: Array = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return out


def batch(video: Array, music: Array) -> Batch:
    count = len(video)
    unknown = torch.full((count, 1), torch.nan)

    def side(rows: Array) -> Side:
        return Side(torch.from_numpy(rows.astype(np.float32)).unsqueeze(1), torch.ones(count, 1, dtype=torch.bool))

    labels = Labels(
        torch.zeros(count, 1),
        unknown.expand(-1, 3),
        torch.full((count,), -1),
        unknown.squeeze(1),
        torch.arange(count),
        unknown,
    )
    return Batch(side(video), side(music), labels, unknown, unknown)


def recall(setting: str, dimensions: int) -> float:
    """R@10 among 200 that no fit has seen; chance is 5%."""
    system = Linear(Configuration(setting, dimensions, 8, 8))
    system.fit(batch(*pairs(600, 0)))
    test = batch(*pairs(200, 1))
    similarity = system.video(test.video) @ system.music(test.music).T
    rank = (similarity > similarity.diagonal().unsqueeze(1)).sum(dim=1)
    return float((rank < 10).float().mean())


def test_cca_finds_the_canonical_correlations() -> None:
    x, y = (standardised(side) for side in pairs(400, 0))
    seen, heard = fit_matrices("cca", x, y, 3)
    found = [abs(np.corrcoef(x @ seen[:, i], y @ heard[:, i])[0, 1]) for i in range(3)]
    # By definition: the singular values of the product of the two orthonormal bases.
    true = np.linalg.svd(np.linalg.qr(x)[0].T @ np.linalg.qr(y)[0], compute_uv=False)[:3]
    assert found == pytest.approx(true.tolist(), abs=2e-3)
    assert true[0] > 0.9


def test_pls_svd_is_the_singular_value_decomposition_of_the_cross_covariance() -> None:
    x, y = (standardised(side) for side in pairs(400, 0))
    seen, heard = fit_matrices("pls-svd", x, y, 3)
    left, _, right = np.linalg.svd(x.T @ y)
    for i in range(3):
        # The same directions; a pair of them may be turned together.
        sign = np.sign(seen[:, i] @ left[:, i])
        assert np.allclose(seen[:, i], sign * left[:, i], atol=1e-6)
        assert np.allclose(heard[:, i], sign * right[i], atol=1e-6)


def test_pca_keeps_the_loudest_directions_of_each_side() -> None:
    x, y = (standardised(side) for side in pairs(400, 0))
    seen, heard = fit_matrices("pca", x, y, 2)
    for rows, axes in ((x, seen), (y, heard)):
        assert np.allclose(np.var(rows @ axes, axis=0), np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1][:2])


def test_what_reads_pairs_beats_what_does_not() -> None:
    pca, pls_svd, pls_ca, cca = (recall(setting, 3) for setting in ("pca", "pls-svd", "pls-ca", "cca"))
    assert pca < 0.2
    assert cca > 0.5
    assert pca < min(pls_svd, pls_ca) <= max(pls_svd, pls_ca) <= cca + 0.02


def test_more_dimensions_than_pairs_do_not_break_a_fit() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(20, 300)), rng.normal(size=(20, 200))
    for setting in ("pca", "pls-svd", "pls-ca", "cca"):
        system = Linear(Configuration(setting, 32, 300, 200))
        system.fit(batch(*wide))
        embedding = system.video(batch(*wide).video)
        assert torch.allclose(embedding.norm(dim=-1), torch.ones(20), atol=1e-4)


def test_a_dimension_that_never_changes_takes_no_part() -> None:
    video, music = pairs(100, 0)
    video[:, 2] = 5.0
    system = Linear(Configuration("cca", 3, 8, 8))
    system.fit(batch(video, music))
    other = video.copy()
    other[:, 2] = -400.0
    assert torch.equal(system.video(batch(video, music).video), system.video(batch(other, music).video))


def test_extras_stand_beside_the_clips() -> None:
    sizes = Sizes(video=4, music=4, vocabulary=1, emotions=0, extras=frozenset({"displacement", "rhythm"}))
    system = make("cca", sizes, "tiny")
    assert (system.video_extras, system.music_extras) == (("displacement",), ("rhythm",))
    mask = torch.tensor([[True, True, False]])
    side = Side(torch.ones(1, 3, 4), mask, {"displacement": torch.tensor([[0.2, 0.4, 9.0]])})
    assert system.video_projection.level(side)[0].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.3])


def test_two_pairs_are_too_few() -> None:
    with pytest.raises(RunError, match="at least 3"):
        Linear(Configuration("cca", 2, 8, 8)).fit(batch(*pairs(2, 0)))
