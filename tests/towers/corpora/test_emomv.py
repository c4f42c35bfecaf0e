"""EmoMV's release: read as it is, refused where it is not what it should be."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest

from towers.corpora import emomv
from towers.errors import CorpusError

REAL = Path(__file__).parents[4] / "shared" / "data" / "emomv"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    pairs = [
        ["train", "abc_1_02", "1", "Sad", "Sad", "1", "1"],
        ["train", "abc_1_03_PAIR_xy_z_01", "0", "Sad", "Relax", "1", "0"],
    ]
    gallery = [["val", "k_01", "Relax", "0"], ["val", "k_02", "Sad", "1"], ["val", "q_9", "Sad", "1"]]
    for name, rows in (
        ("DS3_TRAIN_MATCH_MISMATCH_labels.csv", pairs),
        ("DS3_VAL_MATCH_MISMATCH_labels.csv", pairs),
        ("DS3_VAL_labels_for_retrieval.csv", gallery),
    ):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    for part, count in ((emomv.TRAIN, 2), (emomv.VAL, 2), (emomv.GALLERY, 3)):
        for net, width in emomv.WIDTHS.items():
            with h5py.File(tmp_path / f"{net}_DS3_{part}.h5", "w") as file:
                file["whatever"] = rng.normal(size=(count, width)).astype(np.float32)
    return tmp_path


def test_rows_mean_what_the_columns_say(release: Path) -> None:
    found = emomv.read_emomv(release)
    assert found.emotions == ("Relax", "Sad")
    assert found.train.match.tolist() == [True, False]
    assert found.train.video_emotion.tolist() == [1, 1] and found.train.music_emotion.tolist() == [1, 0]
    assert found.train.source == ("abc_1", "abc_1")
    assert found.gallery.video.shape == (3, 2304) and found.gallery.music.shape == (3, 128)
    assert found.train.rows(found.train.match).source == ("abc_1",)


def test_broken_files_are_named(release: Path) -> None:
    labels = release / "DS3_VAL_MATCH_MISMATCH_labels.csv"
    labels.write_text("only,three,columns\n")
    with pytest.raises(CorpusError, match=r"line 1: has 3 columns, must have 7"):
        emomv.read_emomv(release)
    labels.write_text("t,a_1,yes,Sad,Sad,1,1\n")
    with pytest.raises(CorpusError, match="must be numbers"):
        emomv.read_emomv(release)
    labels.write_text("t,a_1,1,Sad,Sad,0,0\n")
    with pytest.raises(CorpusError, match="number 0 is 'Sad' here and 'Relax' before"):
        emomv.read_emomv(release)
    labels.unlink()
    with pytest.raises(CorpusError, match="fetch EmoMV's labels"):
        emomv.read_emomv(release)


def test_features_of_another_size_are_refused(release: Path) -> None:
    with h5py.File(release / "VGGish_DS3_TRAIN_MATCH_MISMATCH.h5", "w") as file:
        file["x"] = np.zeros((5, 128), np.float32)
    with pytest.raises(CorpusError, match=r"holds \[\(5, 128\)\], must hold one array \(2, 128\)"):
        emomv.read_emomv(release)
    (release / "VGGish_DS3_TRAIN_MATCH_MISMATCH.h5").write_bytes(b"no")
    with pytest.raises(CorpusError, match="fetch EmoMV's features"):
        emomv.read_emomv(release)


def test_the_real_release() -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    found = emomv.read_emomv(REAL)
    assert (len(found.train), len(found.val), len(found.gallery)) == (360, 96, 96)
    assert set(found.emotions) == {"Exciting", "Fear", "Tense", "Sad", "Relax"}
    for pairs in (found.train, found.val):
        assert pairs.match.mean() == 0.5
        assert (pairs.match == (pairs.video_emotion == pairs.music_emotion)).all()
    assert not set(found.train.source) & set(found.val.source)
