"""How a film arrives: each change does what it says, and a film that nothing happened to stays as it is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.errors import StudioError
from studio.world.delivery import Delivery, deliver, draw


@pytest.fixture
def film() -> NDArray[np.uint8]:
    """(16, 90, 160, 3): colours that run across, brighter in each picture."""
    across = np.linspace(0, 200, 160)[None, :, None] * np.array([1.0, 0.6, 0.3])
    return np.stack([np.broadcast_to(across, (90, 160, 3)) + 3 * number for number in range(16)]).astype(np.uint8)


def test_a_film_without_changes_stays_as_it_is(film: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(deliver(film, Delivery(seed=5)), film)


def test_gamma_and_gain_keep_order_and_the_ends(film: NDArray[np.uint8]) -> None:
    darker = deliver(film, Delivery(gamma=1.4))
    assert darker.mean() < film.mean() and darker.min() == 0
    assert np.all(np.diff(darker[0, 0, :, 0].astype(int)) >= 0)
    np.testing.assert_allclose(deliver(film, Delivery(gain=0.5)), film / 2, atol=0.51)


def test_grey_has_no_colour_and_the_same_light(film: NDArray[np.uint8]) -> None:
    grey = deliver(film, Delivery(grey=True))
    assert np.ptp(grey, axis=-1).max() == 0
    light = film @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey[..., 0], light, atol=1.0)


def test_hard_coding_costs_more_the_harder_it_is(film: NDArray[np.uint8]) -> None:
    noisy = np.random.default_rng(1).integers(0, 255, film.shape).astype(np.uint8)
    errors = [np.abs(deliver(noisy, Delivery(quality=q)).astype(int) - noisy).mean() for q in (90, 40, 10)]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert np.abs(deliver(film, Delivery(quality=90)).astype(int) - film).mean() < 4


def test_lost_pictures_are_those_before_and_as_many_as_asked() -> None:
    film = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    shown = deliver(film, Delivery(lost=0.2, seed=3))[:, 0, 0, 0].astype(int)
    behind = np.arange(200) - shown
    assert 20 < (behind > 0).sum() < 60 and behind.min() == 0 and behind.max() < 8
    assert np.all(np.diff(shown) >= 0)
    np.testing.assert_array_equal(shown, deliver(film, Delivery(lost=0.2, seed=3))[:, 0, 0, 0])


def test_a_third_is_untouched_and_every_change_comes() -> None:
    drawn = [draw(np.random.default_rng(seed)) for seed in range(600)]
    plain = [one for one in drawn if one == Delivery(seed=one.seed)]
    assert 0.3 < len(plain) / 600 < 0.5  # of the rest, some drew no change
    for name, usual in (("gamma", 1.0), ("gain", 1.0), ("grey", False), ("quality", 0), ("lost", 0.0)):
        assert 20 < sum(getattr(one, name) != usual for one in drawn) < 300, name


@pytest.mark.parametrize("bad", [{"gamma": 0.0}, {"gain": float("nan")}, {"quality": 101}, {"lost": 1.0}])
def test_values_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(StudioError, match=f"{next(iter(bad))} .* out of range"):
        Delivery(**bad)  # type: ignore[arg-type]
