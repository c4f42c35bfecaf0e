"""The linear baselines that VM-NET compares with, by scikit-learn, fitted in closed form: no epochs, no gradient.

Settings: ``pca`` (each side by itself, without pairs: the floor), ``pls-svd`` (singular vectors of the
cross-covariance), ``pls-ca`` (canonical PLS, Wegelin 2000), ``cca`` (canonical correlations).

Both sides are means over the window's clip vectors, with the means of the scalar features beside, standardised on the
training split. Before the three that use pairs, each side is reduced to at most 128 principal components, and to no
more than a third of the pairs: this regularises (CCA on more dimensions than pairs finds meaningless correlations of 1)
and keeps scikit-learn's iterations to seconds on a thousand dimensions. Everything is linear, so one matrix a side is
stored.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn
from torch.nn import functional

from features import spec

from .batch import Batch, Side, Sizes
from .errors import RunError
from .levels import Standard
from .sequence import masked_mean
from .system import GraphModule
from .windows import dual_graphs

NAME = "linear"
SETTINGS = ("pca", "pls-svd", "pls-ca", "cca")
DIMENSIONS = {"small": 64, "paper": 128, "tiny": 8}
VIDEO_EXTRAS = ("displacement", "colour", "motion")
MUSIC_EXTRAS = ("rhythm", "harmony")
REDUCED = 128  # principal components ahead of a fit on pairs
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Configuration:
    """``dimensions`` of the embedding; sides with fewer components leave zeros behind."""

    setting: str
    dimensions: int
    video_dim: int
    music_dim: int
    video_extras: tuple[str, ...] = ()
    music_extras: tuple[str, ...] = ()


class Projection(nn.Module):
    """A window to a point: standardised means, one matrix, unit length."""

    weights: Tensor

    def __init__(self, clip_dim: int, extras: tuple[str, ...], dimensions: int) -> None:
        super().__init__()
        self.extras = extras
        width = clip_dim + sum(size_of(name) for name in extras)
        self.standard = Standard(width)
        self.register_buffer("weights", torch.eye(width, dimensions))

    def level(self, side: Side) -> Tensor:
        """(B, D): means over the valid clips."""
        clips = side.clips.shape[1]
        beside = [side.extras[name].reshape(-1, clips, size_of(name)) for name in self.extras]
        return masked_mean(torch.cat([side.clips, *beside], dim=-1), side.mask)

    def forward(self, side: Side) -> Tensor:
        return functional.normalize(self.standard(self.level(side)) @ self.weights, dim=-1)

    def prepare(self, side: Side) -> Array:
        """Fit the scale; the standardised levels (n, D)."""
        level = self.level(side)
        self.standard.prepare(level)
        rows: Array = self.standard(level).double().numpy()
        return rows

    def set_weights(self, weights: Array) -> None:
        """(D, n) with n up to the embedding's size."""
        self.weights.zero_()
        self.weights[:, : weights.shape[1]] = torch.from_numpy(weights).to(self.weights.dtype)


class Linear(nn.Module):
    """A ``System`` in ``ClosedForm``."""

    name = NAME

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        self.config, self.setting, self.embedding_dim = config, config.setting, config.dimensions
        self.video_extras, self.music_extras = config.video_extras, config.music_extras
        self.video_projection = Projection(config.video_dim, config.video_extras, config.dimensions)
        self.music_projection = Projection(config.music_dim, config.music_extras, config.dimensions)

    def fit(self, train: Batch) -> None:
        """``RunError`` where there are fewer than three pairs."""
        if len(train) < 3:
            raise RunError(f"{NAME}/{self.setting}: {len(train)} training pairs are too few to fit; give at least 3")
        video, music = self.video_projection.prepare(train.video), self.music_projection.prepare(train.music)
        video_matrix, music_matrix = fit_matrices(self.setting, video, music, self.config.dimensions)
        self.video_projection.set_weights(video_matrix)
        self.music_projection.set_weights(music_matrix)

    def video(self, side: Side) -> Tensor:
        embedding: Tensor = self.video_projection(side)
        return embedding

    def music(self, side: Side) -> Tensor:
        embedding: Tensor = self.music_projection(side)
        return embedding

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The distance of the pairs, 1 - cosine; a figure to report, without a gradient."""
        distance = 1.0 - (self.video(batch.video) * self.music(batch.music)).sum(dim=-1).mean()
        return distance, {"distance": float(distance)}

    def module(self) -> nn.Module:
        return self

    def configuration(self) -> dict[str, Any]:
        return asdict(self.config)

    def graphs(self) -> dict[str, GraphModule]:
        return dual_graphs(self, self.config.video_dim, self.config.music_dim)


def fit_matrices(setting: str, video: Array, music: Array, dimensions: int) -> tuple[Array, Array]:
    """Standardised (n, D) of either side -> the matrices (D, <= dimensions) that they are multiplied with."""
    pairs = len(video)
    if setting == "pca":
        return principal(video, min(dimensions, pairs - 1)), principal(music, min(dimensions, pairs - 1))
    limit = max(1, min(REDUCED, pairs // 3))
    before = principal(video, limit), principal(music, limit)
    x, y = video @ before[0], music @ before[1]
    count = min(dimensions, x.shape[1], y.shape[1])
    if setting == "pls-svd":
        model = PLSSVD(n_components=count, scale=False).fit(x, y)
        rotations = model.x_weights_, model.y_weights_
    else:
        kind = CCA if setting == "cca" else PLSCanonical
        with warnings.catch_warnings():
            # Late components are noise and converge slowly between equal directions; any of them will do.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = kind(n_components=count, scale=False, max_iter=1000).fit(x, y)
        rotations = model.x_rotations_, model.y_rotations_
    return before[0] @ rotations[0], before[1] @ rotations[1]


def principal(rows: Array, limit: int) -> Array:
    """Principal axes as columns (D, <= limit), without those of less than a millionth of the largest variance."""
    model = PCA(n_components=min(limit, *rows.shape), svd_solver="full").fit(rows)
    variance = model.explained_variance_
    axes: Array = model.components_[: max(1, int((variance > 1e-6 * variance[0]).sum()))].T
    return axes


def size_of(extra: str) -> int:
    shape: list[int] = spec.FEATURES[extra]["shape"]  # type: ignore[assignment]
    return int(np.prod(shape))


def make(setting: str, sizes: Sizes, scale: str) -> Linear:
    """For a corpus, with those scalar features that it has."""
    video, music = (tuple(name for name in names if name in sizes.extras) for names in (VIDEO_EXTRAS, MUSIC_EXTRAS))
    return Linear(Configuration(setting, DIMENSIONS[scale], sizes.video, sizes.music, video, music))


def build(configuration: Mapping[str, Any]) -> Linear:
    """From a stored configuration; then fit it, or load weights."""
    stored = dict(configuration)
    for name in ("video_extras", "music_extras"):
        stored[name] = tuple(stored[name])
    return Linear(Configuration(**stored))
