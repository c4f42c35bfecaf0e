"""Pairs of fewer than seven clips: what stands behind them in a corpus is never read, in either stage of training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from towers.corpora.corpus import THUMBS, Split, open_corpus
from towers.material import gather
from towers.recipes import recipe_of
from towers.run import load_run
from towers.train import TrainOptions, train

LENGTHS = (7, 3, 1, 5)


def shortened(source: Path, folder: Path, behind: int) -> Path:
    """``source`` with pairs of 7, 3, 1, 5, 7, ... clips, and ``behind`` in the places behind them."""
    shutil.copytree(source, folder)
    for shard in (path.parent for path in folder.glob("*/pairs.jsonl")):
        rows = [json.loads(line) for line in (shard / "pairs.jsonl").read_text().splitlines()]
        clips = [LENGTHS[row % len(LENGTHS)] for row in range(len(rows))]
        rows = [{**row, "clips": count} for row, count in zip(rows, clips, strict=True)]
        (shard / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        for path in shard.glob("*.npy"):
            values = np.load(path)
            for row, count in enumerate(clips):
                values[row, count * (4 if path.stem == THUMBS else 1) :] = behind
            np.save(path, values)
    return folder


def trained(corpus: Path, out: Path) -> Path:
    recipe = recipe_of("segue")
    options = TrainOptions(
        system="segue",
        setting=recipe.setting,
        video="conformer",
        music="conformer",
        scale="tiny",
        seed=0,
        fit=replace(recipe.fit, epochs=2, batch=8, every=1),
        backbone_epochs=1,
    )
    train(corpus, out, options, None, False, lambda stage, figures: None)
    return out


def test_what_stands_behind_a_window_changes_nothing(small_corpus: Path, tmp_path: Path) -> None:
    runs = []
    for behind in (0, 3):
        corpus = shortened(small_corpus, tmp_path / f"c{behind}", behind)
        runs.append(load_run(trained(corpus, tmp_path / f"r{behind}")))
    weights = [list(run.system.module().state_dict().values()) for run in runs]
    for one, other in zip(*weights, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    material = gather(open_corpus(tmp_path / "c3"), runs[0].video, runs[0].music, ("train",), None)
    side = material.splits["train"].video
    assert side.mask.sum(dim=1).tolist()[:4] == list(LENGTHS)
    assert (side.clips[~side.mask] == 0).all() and torch.isfinite(side.clips).all()


def test_clips_are_drawn_from_what_is_there(
    small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from towers import pretrain

    asked: list[tuple[int, int]] = []
    real = pretrain.clip_inputs

    def spy(backbone: object, split: Split, rows: list[int], starts: list[int], *rest: object) -> object:
        asked.extend((split.pairs[row].clips, start) for row, start in zip(rows, starts, strict=True))
        return real(backbone, split, rows, starts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pretrain, "clip_inputs", spy)
    trained(shortened(small_corpus, tmp_path / "c", 0), tmp_path / "r")
    assert asked and all(0 <= start <= 4 * clips - 4 for clips, start in asked)
    assert {start for clips, start in asked if clips == 1} == {0}
