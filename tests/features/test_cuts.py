"""Cut scores of cuts, of motion, of stillness and of fades."""

import numpy as np
import pytest

from features.cuts import HARD_CUT, CutMeter
from features.errors import FeatureError


def test_a_hard_cut_stands_out_of_motion(texture, other_texture, view):
    meter = CutMeter()
    before = [meter.push(view(texture, 300 - 4 * i)) for i in range(16)]
    cut = meter.push(view(other_texture, 200))
    after = [meter.push(view(other_texture, 200 + 4 * i)) for i in range(1, 16)]
    assert before[0] == 0
    assert max(before) < 0.3
    assert HARD_CUT <= cut <= 1
    assert max(after) < 0.3


def test_two_cuts_within_half_a_second_both_count(texture, other_texture, view):
    meter = CutMeter()
    shots = [view(texture, 200)] * 8 + [view(other_texture, 200)] * 3 + [view(texture, 400)] * 8
    scores = [meter.push(picture) for picture in shots]
    assert {i for i, score in enumerate(scores) if score >= HARD_CUT} == {8, 11}


def test_a_cut_adds_at_most_three_times_the_mean_to_it(texture, other_texture, view):
    """Else one cut would be what the next is compared with, and hide it."""
    meter = CutMeter()
    for _ in range(8):
        meter.push(view(texture, 200))
    before = meter._mean
    assert meter.push(view(other_texture, 200)) >= HARD_CUT
    usual = max(before, 0.008)
    assert meter._mean == pytest.approx(before + 0.25 * (3 * usual - before))


def test_stillness_and_noise_score_nothing(texture, view):
    meter, rng = CutMeter(), np.random.default_rng(0)
    still = view(texture, 200).astype(np.int16)
    pictures = [np.clip(still + rng.integers(-4, 5, still.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    assert max(meter.push(picture) for picture in pictures) < 0.05


def test_a_fade_is_no_cut(texture, view):
    meter, picture = CutMeter(), view(texture, 200).astype(np.float32)
    assert max(meter.push((picture * level).astype(np.uint8)) for level in np.linspace(1, 0, 24)) < HARD_CUT


def test_something_that_flies_past_is_no_cut(texture, view):
    meter = CutMeter()
    for i in range(12):
        picture = view(texture, 200).copy()
        if i == 8:
            picture[20:70, 60:100] = 255  # a seventh of the picture, at once
        assert meter.push(picture) < HARD_CUT


def test_a_palette_on_the_edge_of_a_bin_is_no_cut():
    meter = CutMeter()
    assert max(meter.push(np.full((90, 160, 3), 127 + i % 2, np.uint8)) for i in range(8)) < 0.05


def test_other_pictures_are_refused():
    with pytest.raises(FeatureError, match="canonical"):
        CutMeter().push(np.zeros((90, 160), np.uint8))
