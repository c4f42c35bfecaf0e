"""Peers and the rolling window: ways that are compared give the same, what is missing is told, none is left out."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.cli import PEERS, chosen_peers
from benchmarks.errors import BenchError
from benchmarks.harness import Row
from benchmarks.peers import peer_rows
from benchmarks.rolling import Costs, rolling_rows, sampled
from benchmarks.streams import SMALL, write_stream
from catalog.catalog import Catalog
from engines.base import Arrays
from engines.bundle import Bundle, load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES, MOTION_FPS, WINDOW_S
from stream.driver.runtime import Runtime


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stream(tmp_path_factory.mktemp("peers") / "film.mp4", 5, shape=SMALL)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture
def runtime(catalogue: Path, tiny: Bundle) -> Iterator[Runtime]:
    engine = OnnxEngine(tiny)
    with Catalog.open(catalogue, tiny) as catalog:
        yield Runtime(engine, catalog)
    engine.close()


def rows_by(rows: list[Row], metric: str) -> dict[tuple[str, str], Row]:
    return {(str(row.labels["of"]), str(row.labels.get("way", ""))): row for row in rows if row.metric == metric}


class Counting(OnnxEngine):
    """Notes how many clips each run of the clip tower has."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.clips: list[int] = []

    def run(self, graph: str, inputs: Arrays) -> dict[str, NDArray[Any]]:
        if graph == "video_clip":
            self.clips.append(len(next(iter(inputs.values()))))
        return super().run(graph, inputs)


def test_a_rolling_window_gives_what_a_window_embedded_afresh_gives(video: Path, tiny: Bundle) -> None:
    """Of ten hops over a film of five seconds that begins again and again."""
    engine = Counting(tiny)
    rows = rolling_rows(str(video), engine, hops=10, measured=2)
    (difference,) = (row for row in rows if row.metric == "rolling_difference")
    assert difference.value < 1e-6 and difference.n == 10
    assert engine.clips[:WINDOW_S] == [1] * WINDOW_S  # the window fills
    assert sorted(engine.clips[WINDOW_S:]) == [1] * 10 + [7] * 10
    assert engine.clips[WINDOW_S : WINDOW_S + 4] == [7, 1, 1, 7]  # in turns
    speedups = rows_by(rows, "rolling_speedup")
    assert {of: row.n for (of, _), row in speedups.items()} == {"graphs": 10, "pictures": 2, "pictures and graphs": 2}
    assert len(rows_by(rows, "hop_cpu_ms")) == 6


def test_a_speedup_is_the_median_of_the_hops_and_tells_their_spread() -> None:
    costs = Costs(rolling=[1.0, 2.0, 1.0, 1.0, 4.0], afresh=[4.0, 10.0, 6.0, 3.0, 80.0])
    ours, theirs, speedup = costs.rows("graphs")
    assert (ours.value, theirs.value, speedup.value, speedup.n) == (1.0, 6.0, 5.0, 5)
    assert speedup.labels == {"of": "graphs", "lower": 4.0, "upper": 6.0}


def test_pictures_are_eight_a_second_and_begin_again(video: Path) -> None:
    pictures = sampled(str(video), 7 * MOTION_FPS)
    assert len(pictures) == 7 * MOTION_FPS and pictures[0].shape == (90, 160, 3)
    np.testing.assert_array_equal(pictures[0], pictures[5 * MOTION_FPS])


def test_search_and_decoding_stand_beside_raw_faiss_and_decoding_alone(video: Path, runtime: Runtime) -> None:
    said: list[str] = []
    rows = peer_rows(str(video), runtime, runtime.catalog, 0.05, ("faiss", "decode"), said.append)  # type: ignore[arg-type]
    assert [text.split(":")[0] for text in said] == ["now in turns with faiss", "now in turns with decode"]
    ratios = {way for _, way in rows_by([row for row in rows if "of" in row.labels], "ratio")}
    assert ratios == {"decode only", "raw FAISS by catalogue"}
    assert {row.labels["way"] for row in rows if row.metric == "cost_cpu_s"} == {"whole path", "decode only"}
    assert all(row.n > 0 for row in rows)


@pytest.mark.parametrize(("peer", "extra"), [("torch", "train"), ("faiss", "cpu")])
def test_a_peer_that_is_missing_is_told_with_what_brings_it(
    video: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, peer: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, peer, None)
    said: list[str] = []
    (row,) = peer_rows(str(video), runtime, runtime.catalog, 0.05, (peer,), said.append)  # type: ignore[arg-type]
    assert (row.metric, row.value, row.labels["peer"]) == ("available", 0.0, peer)
    reason = str(row.labels["reason"])
    assert f'{peer} is not installed; pip install ".[{extra}]" brings it' in reason and reason in said[-1]


def test_torch_is_not_timed_on_a_bundle_of_another_recipe(video: Path, runtime: Runtime) -> None:
    (row,) = peer_rows(str(video), runtime, runtime.catalog, 0.05, ("torch",), lambda text: None)  # type: ignore[arg-type]
    assert row.value == 0 and "is not of the default recipe" in str(row.labels["reason"])


def test_the_names_of_peers() -> None:
    assert tuple(peers.PEERS) == PEERS == chosen_peers("all") and chosen_peers("none") == ()
    assert chosen_peers("torch, faiss") == ("torch", "faiss")
    with pytest.raises(BenchError, match="there is no tensorflow; there are afresh, torch"):
        chosen_peers("torch,tensorflow")
