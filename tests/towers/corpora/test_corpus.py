"""The corpus format: what is written is read, what contradicts is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from towers.corpora.corpus import ColumnSpec, Pair, open_corpus, write_manifest, write_shard
from towers.errors import CorpusError


def test_columns_read_across_shards(small_corpus: Path) -> None:
    split = open_corpus(small_corpus).split("train")
    assert len(split) == len(split.column("thumbs")) == 32
    whole = np.concatenate(
        [np.load(small_corpus / name / "rhythm.npy") for name in open_corpus(small_corpus).shards["train"]]
    )
    rows = [31, 0, 20, 19]
    np.testing.assert_array_equal(split.column("rhythm")[rows], whole[rows])
    assert split.column("clip_mel")[[0, 1]].shape == (2, 7, 398, 80)
    assert split.pairs[20].id == "train-000020"  # the second shard's first


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
    (folder / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(CorpusError, match="damaged"):
        open_corpus(folder)


def test_a_split_without_pairs_is_refused(small_corpus: Path) -> None:
    with pytest.raises(CorpusError, match="'other'"):
        open_corpus(small_corpus).split("other")


def test_a_column_that_is_not_there_is_named(small_corpus: Path) -> None:
    with pytest.raises(CorpusError, match=r"no column slowfast; it has .*thumbs"):
        open_corpus(small_corpus).split("val").column("slowfast")


def test_an_older_format_is_refused(small_corpus: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(small_corpus, tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    with pytest.raises(CorpusError, match="has format 1, this code reads 2"):
        open_corpus(folder)


def test_what_a_pair_does_not_tell_is_unknown(small_corpus: Path, tmp_path: Path) -> None:
    columns = {"voice": ColumnSpec((1, 4), "float32")}
    write_shard(tmp_path / "train-0", [Pair("a", music="x")], {"voice": np.ones((1, 1, 4), np.float32)}, columns)
    write_manifest(tmp_path, "stored", {"train": ["train-0"]}, columns)
    corpus = open_corpus(tmp_path)
    split = corpus.split("train")
    assert corpus.columns == columns and corpus.emotions == ()
    assert np.isnan(split.mood()).all() and split.pairs[0].emotion is None and split.pairs[0].match
    np.testing.assert_array_equal(split.column("voice").all(), np.ones((1, 1, 4), np.float32))
