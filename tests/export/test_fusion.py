"""The choice of a share: by hand on tables of cosines, and through real files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engines.bundle import load_bundle
from export.errors import ExportError
from export.fusion import SHARES, Cosines, choose_share, measure_pairs
from export.material import windows
from features.spec import FEATURES

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(6, 10))
OWN = np.eye(6, 10)


def test_the_figure_of_a_video_is_the_share_of_tracks_that_its_own_beats() -> None:
    cosines = Cosines(np.array([[0.5, 0.9, 0.1, 0.5]] * 2), np.zeros((2, 4)))
    assert cosines.own(0.0).tolist() == pytest.approx([0.5, 1.0])  # of 3 others: one less, one tie; all
    assert cosines.own(1.0).tolist() == pytest.approx([0.5, 0.5])


def test_a_part_that_knows_wins_and_a_part_that_does_not_loses() -> None:
    good = choose_share(Cosines(NOISE, 9 * OWN))
    assert good.theirs == 1.0 and good.left_out == 1.0 and good.share >= 0.5
    bad = choose_share(Cosines(9 * OWN, NOISE))
    assert bad.ours == 1.0 and bad.left_out == 1.0 and bad.share <= 0.5
    assert {good.share, bad.share} <= set(SHARES) and (good.videos, good.tracks) == (6, 10)
    assert "6 videos and 10 tracks" in good.text()


def test_each_video_is_judged_by_what_the_others_chose() -> None:
    """Five videos for theirs, one for ours: without it the choice is theirs, which it loses by."""
    ours, theirs = np.zeros((6, 10)), np.zeros((6, 10))
    theirs[np.arange(5), np.arange(5)] = 1.0
    theirs[5] = 1.0
    theirs[5, 5], ours[5, 5] = 0.0, 0.5
    chosen = choose_share(Cosines(ours, theirs))
    assert Cosines(ours, theirs).own(chosen.share).mean() == pytest.approx(1.0)  # with all of them at hand
    assert chosen.left_out == pytest.approx(5 / 6)


def test_few_videos_are_refused() -> None:
    with pytest.raises(ExportError, match="3 videos with music, at least 4"):
        choose_share(Cosines(NOISE[:3], NOISE[:3]))


@pytest.mark.parametrize(("clips", "rows"), [(1, 1), (7, 1), (8, 2), (10, 2), (11, 2), (12, 3), (15, 3)])
def test_windows_cover_the_clips(clips: int, rows: int) -> None:
    vectors = np.arange(clips, dtype=np.float32)[:, None] + 1
    made = windows(vectors, [{"rhythm": np.full(3, at, np.float32)} for at in range(clips)], ("rhythm",))
    assert made["clips"].shape == (rows, 7, 1) and made["rhythm"].shape == (rows, 7, 3)
    assert made["mask"][0].sum() == min(clips, 7) and made["mask"].any(axis=1).all()
    assert np.array_equal(made["clips"][..., 0] > 0, made["mask"])
    assert made["clips"].max() == clips


def test_files_that_cannot_be_used_are_left_out(
    tmp_path: Path, write_music: Callable[..., Path], tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video without pictures is no pair; a text is no track."""
    bundle = load_bundle(tiny_bundle, FEATURES)
    monkeypatch.setitem(bundle.manifest.training, "imported", {"width": 3})  # type: ignore[index]
    (tmp_path / "text.ogg").write_text("no sound")
    said: list[str] = []
    sound = write_music(tmp_path / "sound.ogg", duration_s=5)
    cosines = measure_pairs(bundle, 0.5, [sound], [sound, tmp_path / "text.ogg"], said.append)
    assert cosines.ours.shape[0] == 0
    assert sum("is left out" in line for line in said) == 2
