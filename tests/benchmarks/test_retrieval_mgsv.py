"""MGSV-EC's form: a small release made here, its measures, and that what is hidden in it is found."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import retrieval_mgsv as bench
from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.mgsv_release import COLUMNS, STRIDE_S, Moment, read_release
from towers.batch import Sizes
from towers.fit import FitOptions
from towers.system import make

TRACKS, SEGMENTS, VIDEO, MUSIC = 12, 24, 16, 20


def made(folder: Path, seed: int = 0) -> Path:
    """Music wanders through a small space; a video shows, in other axes, what is heard in its moment."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(6, VIDEO)), rng.normal(size=(6, MUSIC))
    courses = rng.normal(size=(TRACKS, 1, 6)) * 2 + np.cumsum(rng.normal(size=(TRACKS, SEGMENTS, 6)), axis=1) * 0.8
    features = folder / "features" / "Kuai_feature"
    for number, course in enumerate(courses):
        save(features / "ast_feature2p5", "ast", f"m{number}", course @ axes[1], 30)
    for split, count in (("train", 150), ("val", 20), ("test", 24)):
        rows = []
        for row in range(count):
            track, length = row % TRACKS, int(rng.integers(3, 7))
            first = int(rng.integers(0, SEGMENTS - length))
            shown = np.repeat(courses[track, first : first + length], 3, axis=0)  # a picture a second, more or less
            save(features / "vit_feature1", "vit", f"{split}{row}", shown @ axes[0] + rng.normal(0, 0.05, VIDEO), 40)
            begin, length_s = first * STRIDE_S, length * STRIDE_S
            rows.append([f"{split}{row}", f"m{track}", 0.0, length_s, begin, begin + length_s, SEGMENTS * STRIDE_S])
        lists = folder / "dataset" / "MGSV-EC"
        lists.mkdir(parents=True, exist_ok=True)
        with (lists / f"{split}_data.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def save(folder: Path, net: str, name: str, rows: np.ndarray, padded: int) -> None:
    values = np.full((padded, rows.shape[1]), 9.0, np.float32)
    values[: len(rows)] = rows
    for kind, value in (("feature", values), ("mask", np.arange(padded) < len(rows))):
        (folder / f"{net}_{kind}").mkdir(parents=True, exist_ok=True)
        torch.save(torch.from_numpy(np.asarray(value, np.float32)), folder / f"{net}_{kind}" / f"{name}.pt")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("mgsv"))


def test_what_is_hidden_is_found_and_stands_beside_the_published(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.json"
    words = ["retrieval", "--corpus", "mgsv", "--data", str(release), "--only", "linear", "--seeds", "1"]
    assert main("bench", [*words, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["env"]["gallery"] == TRACKS and report["env"]["test"] == 24
    rows = {(row["system"], row["metric"]): row for row in report["rows"]}
    ours, chance = rows["linear/cca", "r1"], rows["chance", "r1"]
    assert ours["value"] > 60 and ours["low"] <= ours["value"] <= ours["high"]
    assert chance["value"] == pytest.approx(100 / 12)
    assert rows["linear/cca", "miou"]["value"] > 2 * rows["chance", "miou"]["value"] > 0
    assert rows["linear/cca", "mor1"]["value"] <= ours["value"]
    assert rows["begin", "miou"]["value"] < 0.5
    text = capsys.readouterr().out
    assert "| MaDe, published | 8.9 | 16.7 | 18.9 | 0.725 | 8.3 | 17.5 | 30.9 |" in text
    assert "| HarmoNet, published | 10.7 | 19.5 | 22.8 | 0.735 |" in text


def test_a_network_learns_from_stored_vectors_and_ours_stands_on_them(release: Path) -> None:
    options = FitOptions(epochs=6, batch=32, every=6)
    rows, _ = bench.measure(release, ["two-branch/b-content"], [0], lambda _: None, options)
    r5 = next(row for row in rows if row.metric == "r5" and row.labels["system"] == "two-branch/b-content")
    assert r5.value > 60, "chance is 42"
    shelf, test = bench.FeatureCache(read_release(release)), read_release(release).moments("test")[:6]
    found = bench.judge(make("segue", "clips", Sizes(VIDEO, MUSIC, 0, 0), "tiny"), shelf.videos(test), test, shelf)
    assert ((found.ranks >= 1) & (found.ranks <= 6)).all() and (found.overlaps <= 1).all()


def test_padding_is_left_out(release: Path) -> None:
    found = read_release(release).vectors("music", "m3")
    assert found.shape == (SEGMENTS, MUSIC) and not (found == 9.0).all(axis=1).any()


def test_parts_are_means_of_even_stretches() -> None:
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    assert bench.parts(bench.sums(rows), 0, None).shape == (7, 2)
    assert bench.parts(bench.sums(rows), 2, 3) == pytest.approx(rows[2:5])
    whole = bench.windows(bench.sums(rows), np.array([0, 1]), 9)
    assert whole.shape == (2, 7, 2)
    edges = np.round(np.linspace(0, 9, 8)).astype(int)
    assert whole[1, 3] == pytest.approx(rows[1 + edges[3] : 1 + edges[4]].mean(axis=0))


def test_the_measures_are_the_papers() -> None:
    """MoR@k counts what is in the right track among the first k and overlaps by more than 0.7."""
    found = bench.QueryResults(np.array([1.0, 1.0, 7.0, 300.0]), np.array([0.9, 0.7, 0.8, 1.0]))
    value = {row.metric: row.value for row in bench.report("x", [found])}
    assert value["r1"] == 50 and value["r5"] == 50 and value["r10"] == 75
    assert value["mor1"] == 25 and value["mor10"] == 50 and value["mor100"] == 50
    assert value["miou"] == pytest.approx(0.85)
    one = Moment("v", "m", 10.0, 20.0, 30.0, 35.0)
    assert bench.iou(one, 20.0) == 1.0 and bench.iou(one, 25.0) == pytest.approx(5 / 15)
    assert bench.iou(one, 28.0) == pytest.approx(2 / 15), "it ends with the track"
    assert bench.iou(one, 0.0) == 0.0


def test_what_is_wrong_with_a_release_is_told(release: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no test_data\.csv"):
        read_release(tmp_path)
    (tmp_path / "test_data.csv").write_text("video_id,music_id\nv,m\n")
    with pytest.raises(BenchError, match=r"unpack MGSV_feature\.zip"):
        read_release(tmp_path)
    (tmp_path / "vit_feature1").mkdir()
    broken = read_release(tmp_path)
    with pytest.raises(BenchError, match="must name the columns"):
        broken.moments("test")
    with pytest.raises(BenchError, match=r"val_data\.csv: cannot be read"):
        broken.moments("val")
    line = ["v", "m", "0", "10", "20", "later", "60"]
    (tmp_path / "train_data.csv").write_text(",".join(COLUMNS) + "\n" + ",".join(line) + "\n")
    with pytest.raises(BenchError, match=r"line 2: .*must be seconds"):
        broken.moments("train")
    (tmp_path / "train_data.csv").write_text(",".join(COLUMNS) + "\nv,m,0,10,20,20,60\n")
    with pytest.raises(BenchError, match="line 2: a moment must end behind its begin"):
        broken.moments("train")
    with pytest.raises(BenchError, match=r"none\.pt: cannot be read"):
        read_release(release).vectors("music", "none")
    save(tmp_path / "vit_feature1", "vit", "empty", np.zeros((0, 4)), 5)
    with pytest.raises(BenchError, match="not all 0"):
        broken.vectors("video", "empty")
    with pytest.raises(BenchError, match="no such system; there are linear"):
        main("bench", ["retrieval", "--corpus", "mgsv", "--data", str(release), "--only", "none"])
