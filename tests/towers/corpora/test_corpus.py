"""The corpus format: what is written is read, what contradicts is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from towers.corpora.corpus import open_corpus
from towers.errors import CorpusError


def test_columns_read_across_shards(small_corpus: Path) -> None:
    split = open_corpus(small_corpus).split("train")
    assert len(split) == len(split.thumbs) == 32
    whole = np.concatenate(
        [np.load(small_corpus / name / "rhythm.npy") for name in open_corpus(small_corpus).shards["train"]]
    )
    rows = [31, 0, 20, 19]
    np.testing.assert_array_equal(split.rhythm[rows], whole[rows])
    assert split.mels[[0, 1]].shape == (2, 7, 398, 80)
    assert split.pairs[20].id == "train-000000"  # the second shard's first


def test_a_missing_corpus_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="segue corpus synth"):
        open_corpus(tmp_path / "nothing")


def test_other_features_are_refused_with_both_sides(small_corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(small_corpus, tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["features"]["clip_mel"]["fft"] = 1024
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorpusError, match=r"clip_mel.*1024.*512"):
        open_corpus(folder)


def test_a_damaged_manifest_and_a_damaged_array_are_named(small_corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(small_corpus, tmp_path / "copy")
    np.save(folder / "val-0" / "rhythm.npy", np.zeros((12, 7, 2), np.float32))
    with pytest.raises(CorpusError, match=r"rhythm\.npy is float32"):
        open_corpus(folder).split("val")
    (folder / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(CorpusError, match="damaged"):
        open_corpus(folder)


def test_a_split_without_pairs_is_refused(small_corpus: Path) -> None:
    with pytest.raises(CorpusError, match="'other'"):
        open_corpus(small_corpus).split("other")
