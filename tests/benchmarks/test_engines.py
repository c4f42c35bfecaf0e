"""``segue bench engines`` and ``search``: what becomes of times and answers by value, the whole on a tiny bundle."""

import json
import subprocess
import sys
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.cli import main
from benchmarks.engines import gpu, timing
from benchmarks.engines.batching import by_batcher, by_hand, hop_inputs, join_requests, one_by_one, run_each
from benchmarks.engines.bench import EngineBenchOptions, measure
from benchmarks.engines.cli import parse_batches
from benchmarks.engines.cold import start
from benchmarks.engines.cold_start import RUNTIMES
from benchmarks.engines.contenders import KINDS, Setting, choose_kinds, open_contenders
from benchmarks.engines.material import draw_inputs, trained_twins
from benchmarks.engines.overlap import draw_scenes, embeddings
from benchmarks.engines.parity import parity_rows
from benchmarks.engines.report import grids, markdown, show
from benchmarks.engines.timing import Times, in_turns, median_row, on_one_core, ratio_of, rows_of
from benchmarks.errors import BenchError
from benchmarks.harness import Row
from benchmarks.search import clustered, exact, near, recall, ways
from engines.base import check_inputs
from engines.batcher import MicroBatcher
from engines.bundle import Bundle, default_bundle, load_bundle
from engines.choose import OPENERS
from engines.errors import EngineFailed
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle, FEATURES)


@pytest.fixture
def engine(bundle: Bundle) -> OnnxEngine:
    return OnnxEngine(bundle)


class Counting:
    """An engine that notes what it is asked for."""

    def __init__(self, engine: OnnxEngine) -> None:
        self.engine, self.bundle, self.name, self.asked = engine, engine.bundle, "counting", []

    def spec(self, graph: str) -> Any:
        return self.engine.spec(graph)

    def run(self, graph: str, inputs: Any) -> Any:
        self.asked.append((graph, len(next(iter(inputs.values())))))
        return self.engine.run(graph, inputs)

    def close(self) -> None: ...


def test_every_cell_runs_once_untimed_and_once_a_round() -> None:
    runs: list[str] = []
    cells = {name: lambda name=name: runs.append(name) for name in "abc"}
    times = in_turns(cells, 0.0, least=4)
    assert runs[:3] == ["a", "b", "c"] and len(runs) == 15
    rounds = ["".join(sorted(runs[at : at + 3])) for at in range(0, 15, 3)]
    assert rounds == ["abc"] * 5 and len(set(zip(*[iter(runs)] * 3, strict=True))) > 1
    assert all(len(of.wall) == len(of.cpu) == 4 for of in times.values())


def test_rounds_end_at_the_most() -> None:
    assert len(in_turns({"a": lambda: None}, 60.0, most=7)["a"].wall) == 7


def test_each_clock_times_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, cpu = count(0.0, 0.5), count(0.0, 0.25)  # each look at a clock moves it
    monkeypatch.setattr(
        timing, "time", SimpleNamespace(perf_counter=lambda: next(wall), process_time=lambda: next(cpu))
    )
    times = in_turns({"a": lambda: None}, 0.0, least=3)["a"]
    assert times.wall == [500.0] * 3 and times.cpu == [250.0] * 3


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=50), st.floats(0.1, 10))
def test_a_ratio_is_that_of_medians_by_the_clock_that_is_asked_for(samples: list[float], factor: float) -> None:
    reference = Times(wall=samples, cpu=[1.0])
    times = Times(wall=[sample * factor for sample in samples], cpu=[3.0])
    assert ratio_of(times, reference, "wall") == pytest.approx(factor)
    assert ratio_of(times, reference) == 3.0


def test_rows_hold_median_tail_and_count() -> None:
    rows = rows_of(Times(wall=[1.0, 2.0, 3.0] * 200, cpu=[5.0, 6.0, 100.0] * 200), {"graph": "mood"})
    found = {row.metric: (row.value, row.n) for row in rows}
    assert found == {"p50_ms": (2.0, 600), "p99_ms": (3.0, 600), "cpu_p50_ms": (6.0, 600)}
    few = rows_of(Times(wall=[1.0, 2.0, 3.0], cpu=[5.0, 6.0, 100.0]), {"graph": "mood"})
    assert [(row.metric, row.n) for row in few] == [("p50_ms", 3), ("cpu_p50_ms", 3)]
    assert median_row("cold_open_ms", [3.0, 1.0, 9.0], {}).value == 3.0


def test_kept_memory_costs_no_pages() -> None:
    """In a process of its own, since it holds for the rest of one."""
    program = """
import numpy as np
from benchmarks.engines.timing import in_turns, keep_memory
take = {"take": lambda: [np.ones(40_000_000 // 8) for _ in range(3)]}
before = in_turns(take, 0.0)["take"].faults
print(sorted(before)[2], keep_memory(), sorted(in_turns(take, 0.0)["take"].faults)[2])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, kept, after = said.stdout.split()
    if kept == "False":
        pytest.skip("another C library than glibc")
    assert int(before) > 1000 and int(after) < 10


def test_one_core_is_given_back() -> None:
    import os

    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("no affinity on this system")
    before = os.sched_getaffinity(0)
    with on_one_core() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("rows", [1, 5])
def test_drawn_inputs_are_valid_for_every_graph(bundle: Bundle, rows: int) -> None:
    for spec in (*bundle.manifest.graphs.values(), *load_bundle(default_bundle(), FEATURES).manifest.graphs.values()):
        assert check_inputs(spec, draw_inputs(spec, rows, np.random.default_rng(0))) == rows


def test_the_three_ways_of_a_hop_ask_for_the_same_rows(engine: OnnxEngine) -> None:
    asked = hop_inputs(engine.bundle, 3, candidates=4)
    assert list(asked) == ["video_clip", "video_sequence", "mood", "matcher"]
    counting: Any = Counting(engine)
    one_by_one(counting, asked)
    assert counting.asked == [("video_clip", 1), ("video_sequence", 1), ("mood", 1), ("matcher", 4)] * 3
    counting.asked.clear()
    by_hand(counting, join_requests(asked), largest=8)
    assert counting.asked == [("video_clip", 3), ("video_sequence", 3), ("mood", 3), ("matcher", 8), ("matcher", 4)]
    counting.asked.clear()
    run_each(counting, "mood", asked["mood"])
    assert counting.asked == [("mood", 1)] * 3
    counting.asked.clear()
    batcher = MicroBatcher(counting, window_ms=1000, sizes=(1, 3, 12))
    by_batcher(batcher, {"mood": asked["mood"]})
    batcher.close()
    assert sum(rows for _, rows in counting.asked) >= 3


def test_parity_finds_what_was_changed(engine: OnnxEngine) -> None:
    class Off(Counting):
        def run(self, graph: str, inputs: Any) -> Any:
            if graph == "mood":
                raise EngineFailed("graph mood: holds NaN")
            found = super().run(graph, inputs)
            return {name: value + 0.25 * (graph == "matcher") for name, value in found.items()}

    field = open_contenders(choose_kinds("onnx-cpu"), Setting(engine.bundle))
    same = {(row.metric, row.labels["graph"]): row.value for row in parity_rows(field[0], engine)}
    assert {value for (metric, _), value in same.items() if metric == "difference"} == {0.0}
    other = next(one for one in field if one.precision == "float32")
    rows = list(parity_rows(type(other)("off", "float32", Off(engine)), engine))  # type: ignore[arg-type]
    by = {(row.metric, row.labels["graph"]): row for row in rows}
    assert by["difference", "matcher"].value == pytest.approx(0.25)
    assert by["difference", "video_clip"].value == 0.0 and by["cosine", "video_clip"].value == pytest.approx(1)
    assert "holds NaN" in str(by["failed", "mood"].labels["reason"])


def test_engines_that_cannot_be_had_are_listed_with_the_reason(bundle: Bundle) -> None:
    field = open_contenders(KINDS, Setting(bundle))
    assert {one.name for one in field} == {kind.name for kind in KINDS}
    for one in field:
        assert (one.engine is None) == bool(one.reason), one
    reasons = {one.name: one.reason for one in field if one.precision == "float32"}
    assert reasons["onnx-cpu"] == "" and "--run" in reasons["torch-eager"] and "--triton" in reasons["triton"]
    assert len(reasons["tensorrt"]) > 20


def test_names_and_numbers_that_there_are_not() -> None:
    assert [kind.name for kind in choose_kinds("torch-eager, onnx-cpu")] == ["torch-eager", "onnx-cpu"]
    with pytest.raises(BenchError, match="no engine cuda; there are onnx-cpu"):
        choose_kinds("onnx-cpu,cuda")
    assert parse_batches("8,1,8") == (1, 8)
    for wrong in ("", "a", "0,1", "-1", "2000"):
        with pytest.raises(BenchError, match="whole numbers"):
            parse_batches(wrong)


def test_a_run_of_other_weights_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    from benchmarks.engines.material import untrained_run
    from towers.run import save_run

    run = untrained_run(tmp_path)
    save_run(tmp_path / "run", run.system, run.video, run.music, run.training)
    with pytest.raises(BenchError, match="differs from that of"):
        trained_twins(tmp_path / "run", load_bundle(default_bundle(), FEATURES))


def test_scenes_become_unit_embeddings() -> None:
    bundle = load_bundle(default_bundle(), FEATURES)
    engine = OnnxEngine(bundle)
    found = embeddings(engine, draw_scenes(bundle, 2))
    assert found.shape == (2, bundle.manifest.embedding_dim)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert abs(float(found[0] @ found[1])) < 0.999


def test_a_cold_start_tells_its_steps_or_why_not(bundle: Bundle) -> None:
    asked = {"bundle": str(bundle.path), "engine": "onnx-cpu", "precision": "float32", "run": "", "plans": ""}
    steps, reason = start(asked)
    assert reason == "" and set(steps) == {"import", "open", "first", "steady"} and min(steps.values()) > 0
    steps, reason = start({**asked, "bundle": "/nowhere"})
    assert steps == {} and "/nowhere" in reason


def test_the_whole_on_a_tiny_bundle(bundle: Bundle, catalogue: Path, tmp_path: Path) -> None:
    options = EngineBenchOptions(bundle.path, None, catalogue, "onnx-cpu,tensorrt", (1, 4), 0.01, quick=True, scenes=1)
    said: list[str] = []
    report = measure(options, said.append)
    metrics = {row.metric for row in report.rows}
    assert {"available", "p50_ms", "ratio", "batch8_cost_ratio", "hop_ms", "difference", "cold_open_ms"} <= metrics
    assert {row.value for row in report.rows if row.metric == "top10_overlap_lowest"} == {3.0}  # three tracks
    ratios = [row for row in report.rows if row.metric == "ratio"]
    assert len(ratios) == 6 * 2 and {row.value for row in ratios} == {1.0}
    assert {row.labels["sessions"] for row in report.rows if row.metric == "hop_ms"} == {8}
    for metric, how_many in (("batch8_wall_ratio", 6), ("hop_wall_ratio", 2)):  # graphs; by hand and by the batcher
        found = [row.labels["threads"] for row in report.rows if row.metric == metric]
        assert (found.count(1), found.count(2)) == (how_many, how_many), metric
    batching = next(grid for grid in grids(report.rows) if grid.title.startswith("One batch"))
    assert len(batching.lines) == 12 and all(len(line) == len(batching.head) == 7 for line in batching.lines)
    titles = [grid.title for grid in grids(report.rows)]
    assert titles[0] == "Engines" and sum("mood:" in title for title in titles) == 1
    text = markdown(report.rows, {"cpu": "one"})
    assert "- cpu: one" in text and "tensorrt" in text and "| batch 1 | batch 4 |" in text
    json.dumps(report.to_json())


def test_page_faults_are_told_where_there_are_any() -> None:
    labels = {"graph": "mood", "engine": "torch-eager", "precision": "float32", "batch": 8}
    figures = {"p50_ms": 2.0, "p99_ms": 3.0, "cpu_p50_ms": 1.5, "ratio": 1.25, "wall_ratio": 1.3}
    told = {
        faults: grids([Row(name, value, 9, "", labels) for name, value in (figures | {"page_faults": faults}).items()])
        for faults in (0.0, 1504.0)
    }
    assert told[0.0][0].lines == [["torch-eager", "1.5, 2 (3), x1.25"]]
    assert told[1504.0][0].lines == [["torch-eager", "1.5, 2 (3), x1.25, 1504 faults"]]


def test_every_engine_of_the_program_takes_part_and_starts_cold() -> None:
    named = {kind.name for kind in KINDS if not kind.torch}
    assert named == set(OPENERS) and named - {"triton"} <= set(RUNTIMES)
    for module in RUNTIMES.values():
        assert find_spec(f"engines.{module}") is not None


def test_brackets_of_a_reason_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"engine": "tensorrt", "precision": "float32", "reason": 'pip install ".[tensorrt]" brings it'}
    show([Row("available", 0.0, 1, "", labels)], Console(width=200))
    assert '".[tensorrt]"' in capsys.readouterr().out


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "keep_memory", lambda: False)  # which would last until all tests are over
    with pytest.raises(BenchError, match="folder does not exist"):
        main("bench", ["engines", "-b", str(bundle.path), "--json", str(tmp_path / "no" / "x.json")])
    with pytest.raises(BenchError, match="--threads 0: give a number from 1"):
        main("bench", ["engines", "-b", str(bundle.path), "--threads", "0"])
    with pytest.raises(BenchError, match="no engine"):
        main("bench", ["engines", "-b", str(bundle.path), "--engines", "abacus"])
    with pytest.raises(BenchError, match="--dim"):
        main("bench", ["search", "--dim", "0"])


def test_the_floor_counts_weights_activations_and_products() -> None:
    import torch

    from towers.system import GraphModule

    net = torch.nn.Sequential(torch.nn.Linear(4, 8, bias=False), torch.nn.ReLU()).eval()
    module = GraphModule(net, {"x": torch.zeros(3, 4)}, ("y",), ())
    inputs = gpu.draw_tensors(module, 5)
    assert [tuple(value.shape) for value in inputs] == [(5, 4)]
    moved, operations = gpu.demand(module, inputs)
    assert moved == 4 * (4 * 8 + 5 * 4 + 2 * 5 * 8) and operations == 2 * 5 * 4 * 8
    peaks = {"copy": Row("", 1.0, 1, "GB/s"), "float32": Row("", 2.0, 1, "TFLOP/s")}
    floors = {row.metric: row.value for row in gpu.floor_rows("g", module, 5, peaks)}
    assert floors == {"floor_bytes_ms": pytest.approx(moved / 1e6), "floor_ops_ms": pytest.approx(operations / 2e9)}


def test_a_mode_of_torch_that_nobody_asked_for_is_not_timed() -> None:
    """Compiling takes minutes, and there is no GPU here to do anything else by mistake."""
    assert list(gpu.event_rows("mood", None, 1, 1.0, ["tensorrt", "onnx-cuda"])) == []  # type: ignore[arg-type]


def test_a_profile_is_split_by_what_moves_and_what_computes() -> None:
    assert gpu.split_times([("Memcpy HtoD (Pinned -> Device)", 2.0), ("gemm", 5.0), ("Memset (Device)", 1.0)]) == (5, 3)
    assert gpu.parts("NVIDIA X, 1.0, 3 MHz\n") == ["NVIDIA X", "1.0", "3 MHz"] and gpu.parts("") == []


def test_vectors_are_of_unit_norm_and_near_their_track() -> None:
    rng = np.random.default_rng(0)
    vectors = clustered(rng, 400, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert float(vectors[0] @ vectors[1]) > 0.5 > float(vectors[0] @ vectors[300])
    assert near(rng, vectors, 7).shape == (7, 32)


def test_every_exact_way_finds_what_brute_force_finds() -> None:
    rng = np.random.default_rng(1)
    vectors = clustered(rng, 3000, 16)
    queries = near(rng, vectors, 5)
    truth = exact(vectors, queries, block=700)
    assert truth.shape == (5, 100)
    every = ways()
    assert [way.name for way in every] == ["faiss-cpu-flat", "torch-cpu", "torch-cuda", "faiss-gpu-flat"]
    for way in every:
        if not way.reason:
            assert recall(way.open(vectors)(queries, 100), truth) > 0.995, way.name
    assert recall(np.array([[1, 2]]), np.array([[2, 3]])) == 0.5


def test_search_as_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import benchmarks.search as bench

    monkeypatch.setattr(bench, "SIZES", (200,))
    target = tmp_path / "search.json"
    assert main("bench", ["search", "--dim", "8", "--seconds", "0.01", "--json", str(target)]) == 0
    rows = json.loads(target.read_text())["rows"]
    flat = [row for row in rows if row.get("way") == "faiss-cpu-flat"]
    shown = {"available", "p50_ms", "cpu_p50_ms", "ratio", "recall"}
    runs = max(row["n"] for row in flat if row["metric"] == "p50_ms")
    assert {row["metric"] for row in flat} == shown | ({"p99_ms"} if runs >= 500 else set())
    assert {row["value"] for row in flat if row["metric"] == "recall"} == {1.0}
