"""The training loop's pieces: windows cut short, noise, what is kept, and its options."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from towers.batch import Batch, Labels, Side, Sizes
from towers.checkpoint import Checkpoint
from towers.errors import RunError
from towers.fit import FitOptions, crop, draw, fit_system, spread, validate
from towers.system import make


def side(values: torch.Tensor, lengths: list[int] | None = None) -> Side:
    mask = torch.ones(values.shape[:2], dtype=torch.bool)
    if lengths is not None:
        mask = torch.arange(values.shape[1]) < torch.tensor(lengths).unsqueeze(1)
    return Side(values, mask, {"rhythm": values.expand(-1, -1, 3)})


def test_crop_moves_a_window_to_the_front() -> None:
    values = torch.arange(7.0).view(1, 7, 1).repeat(3, 1, 1)
    cut, course = crop(side(values), values[..., 0], torch.tensor([7, 3, 1]), torch.tensor([0, 2, 6]))
    expected = [[0, 1, 2, 3, 4, 5, 6], [2, 3, 4, 0, 0, 0, 0], [6, 0, 0, 0, 0, 0, 0]]
    assert cut.clips[..., 0].tolist() == course.tolist() == cut.extras["rhythm"][..., 1].tolist() == expected
    assert cut.mask.sum(dim=1).tolist() == [7, 3, 1]


@settings(max_examples=60, deadline=None)
@given(valid=st.integers(1, 7), length=st.integers(1, 7), start=st.integers(0, 6))
def test_a_crop_never_shows_what_was_masked(valid: int, length: int, start: int) -> None:
    values = torch.full((1, 7, 1), -1.0)
    values[0, :valid] = 1.0
    cut, _ = crop(side(values, [valid]), values[..., 0], torch.tensor([length]), torch.tensor([min(start, 7 - length)]))
    assert cut.mask.any() and (cut.clips[cut.mask] == 1.0).all() and (cut.clips[~cut.mask] == 0.0).all()


def pairs(count: int = 48, seed: int = 0) -> Batch:
    """Both sides show the same three numbers, each in a mixture of its own."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(count, 1, 3, generator=generator)
    mix = torch.Generator().manual_seed(9)
    sides = []
    for _ in range(2):
        told = latent @ torch.randn(3, 10, generator=mix)
        sides.append(
            Side(told + 0.1 * torch.randn(count, 7, 10, generator=generator), torch.ones(count, 7, dtype=torch.bool))
        )
    course = torch.rand(count, 7, generator=generator)
    labels = Labels(
        torch.zeros(count, 4),
        torch.rand(count, 3, generator=generator),
        torch.full((count,), -1),
        torch.zeros(count),
        torch.arange(count),
        course,
    )
    return Batch(sides[0], sides[1], labels, course, course)


OPTIONS = FitOptions(epochs=12, batch=16, rate=1e-2)


def fitted(options: FitOptions, seed: int = 0) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    torch.manual_seed(seed)
    system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
    figures = fit_system(system, pairs(), pairs(24, 1), options, seed)
    return figures, system.module().state_dict()


def test_it_learns_and_repeats() -> None:
    figures, weights = fitted(OPTIONS)
    again, same = fitted(OPTIONS)
    assert figures["val_r10"] > 80 and figures == again
    assert all(torch.equal(value, same[name]) for name, value in weights.items())
    assert fitted(OPTIONS, 1)[0] != figures


def test_the_best_epoch_is_kept_not_the_last() -> None:
    system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
    seen: list[float] = []
    figures = fit_system(
        system, pairs(), pairs(24, 1), replace(OPTIONS, every=1), 0, lambda told: seen.append(told["val_log_rank"])
    )
    assert figures["val_log_rank"] == min(seen)
    assert validate(system, pairs(24, 1))["val_log_rank"] == pytest.approx(min(seen))


def test_patience_ends_a_training_that_gets_no_better() -> None:
    epochs: list[float] = []
    system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
    options = FitOptions(epochs=30, batch=16, rate=0.0, patience=3, every=1, noise=0.0)
    fit_system(system, pairs(), pairs(24, 1), options, 0, lambda told: epochs.append(told["epoch"]))
    assert epochs[-1] == 4.0


def test_half_precision_learns_too() -> None:
    assert fitted(replace(OPTIONS, amp=True))[0]["val_r10"] > 80


def test_sides_are_cut_apart_and_disturbed_in_their_own_scale() -> None:
    train = pairs()
    options = FitOptions(short=1.0, noise=0.5)
    drawn = draw(
        train,
        torch.arange(48),
        (spread(train.video), spread(train.music)),
        options,
        torch.Generator().manual_seed(0),
    )
    assert (drawn.video.mask.sum(dim=1) != drawn.music.mask.sum(dim=1)).any()
    assert drawn.video_course.shape == (48, 7)
    calm = draw(
        train,
        torch.arange(48),
        (spread(train.video), spread(train.music)),
        FitOptions(short=0.0, noise=0.0),
        torch.Generator(),
    )
    torch.testing.assert_close(calm.video.clips, train.video.clips)


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    train = pairs()
    train.video.clips[3, 2] = torch.nan
    system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
    with pytest.raises(RunError, match="the loss became nan in epoch 1"):
        fit_system(system, train, pairs(24, 1), OPTIONS, 0)


class KilledError(Exception):
    """In the middle of saving."""


def test_killed_while_saving_the_epoch_before_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever file was to be put in place when the end came, and however often."""
    unbroken, weights = fitted(OPTIONS)
    replace_file, calls = Path.replace, 0

    def killed(source: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise KilledError
        return replace_file(source, target)

    monkeypatch.setattr(Path, "replace", killed)
    for attempt in range(100):
        system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
        torch.manual_seed(attempt)
        checkpoint = Checkpoint(tmp_path, {"of": "this"})
        if attempt == 0:
            torch.manual_seed(0)
            system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
        try:
            figures = fit_system(system, pairs(), pairs(24, 1), OPTIONS, 0, checkpoint=checkpoint)
        except KilledError:
            continue
        break
    assert attempt > 3 and figures == unbroken
    assert all(torch.equal(value, weights[name]) for name, value in system.module().state_dict().items())


def test_patience_is_remembered(tmp_path: Path) -> None:
    """A training that had ended, but for its last words, does not get another epoch."""
    options = FitOptions(epochs=30, batch=16, rate=0.0, patience=3, every=1, noise=0.0)
    for expected in ([1.0, 2.0, 3.0, 4.0], []):
        epochs: list[float] = []
        system = make("segue", "full", Sizes(10, 10, 4, 0), "tiny")
        checkpoint = Checkpoint(tmp_path, {})
        fit_system(
            system, pairs(), pairs(24, 1), options, 0, lambda told, to=epochs: to.append(told["epoch"]), checkpoint
        )
        assert epochs == expected
