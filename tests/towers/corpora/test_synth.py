"""Synthesised corpora: the same bytes for any number of jobs, resumed, extended, never mixed up."""

import json
from pathlib import Path

import numpy as np
import pytest

import segue
from features import spec
from towers.corpora import synth
from towers.corpora.columns import COLUMNS
from towers.corpora.corpus import Pair, open_corpus
from towers.errors import CorpusError


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.usefixtures("two_threads")
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


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that cost nothing, for what is about shards and numbers."""
    arrays = {name: np.zeros(column.shape, column.dtype) for name, column in COLUMNS.items()}
    monkeypatch.setattr(synth, "make_pair", lambda seed, split, number: (Pair(f"{split}-{number:06d}"), arrays))


def test_a_corpus_is_not_replaced_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    list(synth.synthesise(tmp_path / "c", {"train": 30, "val": 3, "test": 3}, 0, 1))
    before = files(tmp_path / "c")
    for counts in ({"train": 10, "val": 2, "test": 2}, {"train": 40, "val": 2, "test": 3}):
        with pytest.raises(CorpusError, match=r"holds pairs up to 30 train, 3 val, 3 test.*--replace"):
            list(synth.synthesise(tmp_path / "c", counts, 0, 1))
    assert files(tmp_path / "c") == before
    list(synth.synthesise(tmp_path / "c", {"train": 30, "val": 3, "test": 5}, 0, 1))  # grows, and nothing else
    assert open_corpus(tmp_path / "c").pairs("test") == 5
    list(synth.synthesise(tmp_path / "c", {"train": 10, "val": 2, "test": 2}, 0, 1, anew=True))
    names = sorted(path.name for path in (tmp_path / "c").iterdir() if path.is_dir())
    assert names == ["test-000000-000002", "train-000000-000010", "val-000000-000002"]  # no dead weight
    with pytest.raises(CorpusError, match="--replace"):
        list(synth.synthesise(tmp_path / "c", {"train": 10, "val": 2, "test": 2}, 1, 1))
    list(synth.synthesise(tmp_path / "c", {"train": 10, "val": 2, "test": 2}, 1, 1, anew=True))
    assert open_corpus(tmp_path / "c").name == "world-14-s1"


def test_a_corpus_of_an_earlier_studio_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    counts = {"train": 1, "val": 1, "test": 1}
    list(synth.synthesise(tmp_path / "c", counts, 3, 1))
    plan = json.loads((tmp_path / "c" / synth.PLAN).read_text())
    assert plan.pop("studio") == "world" and open_corpus(tmp_path / "c").name == "world-3-s3"
    (tmp_path / "c" / synth.PLAN).write_text(json.dumps(plan))  # the first studio's said nothing of it
    with pytest.raises(CorpusError, match="--replace"):
        list(synth.synthesise(tmp_path / "c", counts, 3, 1))


def test_progress_comes_with_each_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    told = list(synth.synthesise(tmp_path / "c", {"train": 3, "val": 1, "test": 1}, 0, 1))
    assert told == [(done, 5) for done in range(6)]


def test_the_command_keeps_proportions_and_says_what_will_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick(monkeypatch)
    assert segue.main(["corpus", "synth", str(tmp_path / "c"), "--pairs", "2"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("6 pairs (2 train, 2 val, 2 test), 0 of them there; about ")
    assert lines[1].startswith("6/6 pairs")
    assert segue.main(["corpus", "synth", str(tmp_path / "c"), "--pairs", "2", "--val", "1"]) == 2
    assert "--replace" in capsys.readouterr().err


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
