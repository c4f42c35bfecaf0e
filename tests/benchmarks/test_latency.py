"""The latency benchmark on a real file: every stage timed, counts that add up, nothing from nothing."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.cli import main
from benchmarks.errors import BenchError
from benchmarks.latency import STAGES, Durations

FPS, SECONDS = 12, 3


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "noise.mp4"
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for _ in range(FPS * SECONDS):
            picture = rng.integers(0, 255, (96, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def test_every_stage_of_the_path_is_timed(video: Path, catalogue: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "latency.json"
    words = ["latency", str(video), "-c", str(catalogue), "--bundle", str(tiny_bundle), "--seconds", "0.1"]
    words += ["--peers", "none"]
    assert main("bench", [*words, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    counts = {row["stage"]: row["n"] for row in report["rows"] if row["metric"] == "p50_ms"}
    assert set(counts) == set(STAGES)
    assert counts["decode"] == FPS * SECONDS
    assert counts["convert"] == counts["flow"] == counts["appearance"] == 8 * SECONDS
    assert counts["end to end"] == counts["sequence tower"] == counts["search"] == SECONDS
    assert all(row["value"] > 0 for row in report["rows"])
    assert report["env"]["source"] == "noise.mp4" and report["env"]["passes"] == 1


def test_stages_are_reported_in_the_path_s_order_and_unknown_ones_last() -> None:
    watch = Durations()
    watch.probe("elsewhere", 0.001)
    watch.probe("search", 0.002)
    rows = watch.rows()
    assert [(row.labels["stage"], row.metric) for row in rows] == [("search", "p50_ms"), ("elsewhere", "p50_ms")]
    assert rows[0].value == pytest.approx(2.0)


def test_json_into_a_folder_that_is_not_there(video: Path, catalogue: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    words = [
        "latency",
        str(video),
        "-c",
        str(catalogue),
        "--bundle",
        str(tiny_bundle),
        "--json",
        str(tmp_path / "no" / "x"),
    ]
    with pytest.raises(BenchError, match="its folder does not exist"):
        main("bench", words)
