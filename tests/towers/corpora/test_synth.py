"""Synthesised corpora: the same bytes for any number of jobs, resumed, extended, never mixed up."""

from pathlib import Path

import numpy as np
import pytest

from features import spec
from towers.corpora import synth
from towers.corpora.columns import COLUMNS
from towers.corpora.corpus import open_corpus
from towers.errors import CorpusError


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_any_number_of_jobs_writes_the_same_bytes(tmp_path: Path) -> None:
    counts = {"train": 1, "val": 1, "test": 1}
    assert list(synth.synthesise(tmp_path / "one", counts, 5, 1))[-1] == (3, 3)
    assert list(synth.synthesise(tmp_path / "two", counts, 5, 2))[-1] == (3, 3)
    one = files(tmp_path / "one")
    assert one == files(tmp_path / "two")
    assert len(one) == 3 * (1 + len(COLUMNS)) + 2
    split = open_corpus(tmp_path / "one").split("test")
    assert split.column("thumbs")[[0]].shape == (1, 28, 64, 64)
    assert split.column("displacement")[[0]].max() > 0.0
    assert (split.column("clip_mel")[[0]] >= np.float16(np.log(spec.MEL_FLOOR))).all()
    # Finished shards are left alone; a larger corpus adds to them.
    shard = tmp_path / "one" / "train-000000-000001" / "rhythm.npy"
    before = shard.stat().st_mtime_ns
    assert list(synth.synthesise(tmp_path / "one", counts, 5, 1)) == [(3, 3)]
    assert shard.stat().st_mtime_ns == before
    with pytest.raises(CorpusError, match="another folder"):
        list(synth.synthesise(tmp_path / "one", counts, 6, 1))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CorpusError, match="no corpus of ours"):
        list(synth.synthesise(tmp_path, {"train": 1}, 0, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        ((0.9, 0.9, 0.1), "excited"),
        ((0.1, 0.9, 0.1), "calm"),
        ((0.1, 0.1, 0.1), "gloomy"),
        ((0.9, 0.1, 0.1), "angry"),
        ((0.1, 0.9, 0.9), "tense"),
    ],
)
def test_emotion_is_a_quadrant_or_tension(mood: tuple[float, float, float], expected: str) -> None:
    assert synth.emotion(*mood) == expected
