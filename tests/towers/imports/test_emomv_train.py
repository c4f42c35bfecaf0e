"""Heads from a made-up release in which emotions are seen and heard: they are found, and folds keep sources apart."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest

from towers.corpora import emomv as corpus
from towers.corpora.emomv import EmoMvPairs
from towers.emotion_head import EmotionHead
from towers.errors import CorpusError
from towers.imports import emomv_train
from towers.imports.emomv import heads_bytes, read_heads
from towers.imports.emomv_train import in_folds, logit_of, train_heads

NAMES = ("Exciting", "Fear", "Tense", "Sad", "Relax")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both widths are the release's; every emotion lifts twenty numbers of either side."""
    folder = tmp_path_factory.mktemp("emomv")
    rng = np.random.default_rng(0)

    def features(emotions: list[int], width: int) -> np.ndarray:
        rows = rng.uniform(0, 1, (len(emotions), width))
        for row, emotion in zip(rows, emotions, strict=True):
            row[20 * emotion : 20 * emotion + 20] += 4
        return rows.astype(np.float32)

    def write(part: str, seen: list[int], heard: list[int]) -> None:
        for net, emotions in ((corpus.VIDEO, seen), (corpus.MUSIC, heard)):
            with h5py.File(folder / f"{net}_DS3_{part}.h5", "w") as file:
                file["x"] = features(emotions, corpus.WIDTHS[net])

    for part, count in ((corpus.TRAIN, 60), (corpus.VAL, 20)):
        seen = [at % 5 for at in range(count)]
        heard = [at if k < count // 2 else (at + 1) % 5 for k, at in enumerate(seen)]
        rows = []
        for k, (video, music) in enumerate(zip(seen, heard, strict=True)):
            name = f"v{k}_01" if video == music else f"v{k}_01_PAIR_m{k}_02"
            rows.append([part, name, int(video == music), NAMES[video], NAMES[music], video, music])
        with (folder / corpus.LABELS[part].format("DS3")).open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        write(part, seen, heard)
    gallery = [at % 5 for at in range(15)]
    with (folder / corpus.GALLERY_LABELS.format("DS3")).open("w", newline="") as file:
        csv.writer(file).writerows([["g", f"g{k}_01", NAMES[at], at] for k, at in enumerate(gallery)])
    write(corpus.GALLERY, gallery, gallery)
    return folder


def test_emotions_that_are_there_are_learned(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emomv_train, "SPLITS", 1)
    monkeypatch.setattr(emomv_train, "FOLDS", 2)
    said: list[str] = []
    heads = train_heads(release, said.append, epochs=60)
    assert heads.emotions == NAMES and heads.slope > 0 and 1 <= heads.record["epochs"] <= 60
    validation = heads.record["validation"]
    assert validation["v2m_map"] > 60 and validation["auc"] > 0.8, heads.record  # chance: about 28 and 0.5
    assert said[0] == "fold 1 of 2" and said[-1].startswith("epoch ")
    (tmp_path / "h").write_bytes(heads_bytes(heads))
    assert read_heads(tmp_path / "h").record == heads.record


def test_a_fold_learns_nothing_of_the_sources_that_it_is_judged_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    count = 40
    # The first number of a row is the source's own, on either side.
    seen, heard = rng.integers(0, 20, count), rng.integers(0, 20, count)
    heard[: count // 2] = seen[: count // 2]
    video, music = rng.normal(size=(count, 6)).astype(np.float32), rng.normal(size=(count, 4)).astype(np.float32)
    video[:, 0], music[:, 0] = seen, heard
    emotion = rng.integers(0, 2, count)
    pairs = EmoMvPairs(video, music, seen == heard, emotion, emotion, tuple(map(str, seen)))
    learned: list[set[float]] = []

    class Watched(emomv_train.Lessons):
        def __init__(self, net: EmotionHead, pairs: EmoMvPairs) -> None:
            learned.append({*pairs.video[:, 0].tolist(), *pairs.music[:, 0].tolist()})
            super().__init__(net, pairs)

    judged: list[set[float]] = []
    real = emomv_train.similarity

    def watched(net: object, pairs: EmoMvPairs) -> np.ndarray:
        judged.append({*pairs.video[:, 0].tolist(), *pairs.music[:, 0].tolist()})
        return real(net, pairs)  # type: ignore[arg-type]

    monkeypatch.setattr(emomv_train, "Lessons", Watched)
    monkeypatch.setattr(emomv_train, "similarity", watched)
    in_folds(pairs, tuple(map(str, heard)), 2, 1, lambda line: None)
    assert len(learned) == 10 and len(judged) == 20
    for fold, sources in enumerate(learned):
        assert not sources & (judged[2 * fold] | judged[2 * fold + 1])
    assert set.union(*judged) == {*video[:, 0].tolist()} & set.union(*judged)  # and something was judged
    assert any(judged)


def test_a_logit_is_fitted() -> None:
    scores = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0] * 10)
    match = np.array([0, 0, 1, 0, 1, 1] * 10, bool)
    slope, offset = logit_of(scores, match)
    assert slope > 1 and abs(slope * 0.5 + offset) < 0.1


def test_a_folder_without_the_release_says_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="fetch EmoMV's labels"):
        train_heads(tmp_path)
