"""Codes: counting edges, fitted bins, the paper's bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import FeatureError
from features.quantise import (
    Quantiser,
    fit_log,
    paper_beats,
    paper_displacement,
    paper_interval,
    paper_strength,
)


def test_a_code_is_the_number_of_edges_reached():
    quantiser = Quantiser((0.5, 1.0, 4.0))
    codes = quantiser.code(np.array([[-1.0, 0.0, 0.5], [0.99, 1.0, 100.0]]))
    assert codes.tolist() == [[0, 0, 1], [1, 2, 3]]
    assert codes.dtype == np.int64
    assert quantiser.codes == 4
    assert int(quantiser.code(2.0)) == 2
    assert quantiser.code(np.array([np.inf, -np.inf])).tolist() == [3, 0]


def test_edges_lie_where_float32_puts_them():
    quantiser = Quantiser((0.1, 0.2))
    assert quantiser.code(np.float32(0.1)) == 1
    assert quantiser.code(np.array([0.1, 0.2], np.float64)).tolist() == [1, 2]
    assert quantiser.edges == (float(np.float32(0.1)), float(np.float32(0.2)))
    assert Quantiser(quantiser.edges) == quantiser


@pytest.mark.parametrize("edges", [(), (1.0, 1.0), (2.0, 1.0), (float("nan"),), (float("inf"),), (1.0, 1.0 + 1e-12)])
def test_bad_edges_are_refused(edges):
    with pytest.raises(FeatureError, match="increasing"):
        Quantiser(edges)


def test_nan_is_refused():
    with pytest.raises(FeatureError, match="NaN"):
        Quantiser((1.0,)).code(np.array([0.0, np.nan]))


@given(
    st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6), st.sampled_from([0.25, 3.0])), min_size=1, max_size=60),
    st.integers(2, 65),
)
def test_fitted_edges_increase_whatever_the_values(values, bins):
    if not any(values):
        with pytest.raises(FeatureError, match="no positive"):
            fit_log(np.array(values), bins)
        return
    quantiser = fit_log(np.array(values), bins)
    assert quantiser.codes == bins
    assert (np.diff(quantiser.edges) > 0).all()
    codes = quantiser.code(np.sort(values))
    assert (np.diff(codes) >= 0).all()
    assert quantiser.code(0.0) == 0


def test_fitted_edges_are_evenly_spaced_in_the_logarithm():
    quantiser = fit_log(np.geomspace(0.01, 10, 1001), 11)
    ratios = np.diff(np.log(quantiser.edges))
    assert ratios == pytest.approx(np.full(9, ratios[0]), rel=1e-4)
    assert quantiser.edges[0] == pytest.approx(0.01, rel=0.1)
    assert quantiser.edges[-1] == pytest.approx(10, rel=0.1)
    share = np.bincount(quantiser.code(np.geomspace(0.01, 10, 1001)), minlength=11) / 1001
    assert share.max() < 0.12


@pytest.mark.parametrize(("values", "bins"), [([1.0, -1.0], 8), ([1.0, np.nan], 8), ([1.0, 2.0], 1), ([], 8)])
def test_what_cannot_be_fitted(values, bins):
    with pytest.raises(FeatureError):
        fit_log(np.array(values), bins)


def test_the_papers_displacement_bins_are_5_px_of_224():
    quantiser = paper_displacement()
    assert quantiser.codes == 65
    pixels = np.array([0.0, 4.9, 5.1, 12.0, 319.0, 321.0, 9999.0])
    assert quantiser.code(pixels / 224).tolist() == [0, 0, 1, 2, 63, 64, 64]


def test_the_papers_beats_strength_and_interval():
    assert paper_beats().codes == 18
    assert paper_beats().code(np.array([0.0, 1.0, 8.0, 17.0, 40.0])).tolist() == [0, 1, 8, 17, 17]
    assert paper_strength().codes == 49
    assert paper_strength().code(np.array([0.0, 1.0, 2.0, 4.0])).tolist() == [0, 24, 48, 48]
    assert paper_interval().codes == 65
    assert paper_interval().code(np.array([0.0, 0.03, 0.07, 0.5, 3.99, 4.0])).tolist() == [0, 1, 2, 9, 64, 64]
