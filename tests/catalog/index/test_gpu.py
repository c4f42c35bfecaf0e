"""Search on a GPU, through a stand-in for FAISS that knows the real one's names alone and minds its rules."""

import ast
import inspect
import json
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog.index.gpu as gpu_search
from catalog.catalog import Catalog
from catalog.errors import SearchDeviceError
from catalog.index.base import EVERYWHERE, IndexOptions, SearchState, Segments, Where
from catalog.index.flat import FlatIndex
from catalog.index.gpu import AUTO_ROWS, MAX_ROWS, MAX_WAITING, GpuSearcher, open_searcher, probe
from catalog.index.rows import Rows
from catalog.records import Analysis, Filters, Track
from catalog.store import Store
from catalog.stored import Entry, FileStamp
from engines.bundle import Bundle

API = json.loads(Path(__file__).with_name("faiss_gpu_api.json").read_text())


def of(name: str) -> set[str]:
    return set(API["classes"][name]["names"])


class OneThread:
    """Every call of what lives on the device must come from one thread."""

    def __init__(self) -> None:
        self.thread: int | None = None

    def touch(self) -> None:
        here = threading.get_ident()
        assert self.thread in (None, here), "the device was touched by two threads"
        self.thread = here


class FakeFaiss:
    """``GpuIndexFlatIP`` and what it needs, as recorded from the real module; it computes in float64, so that its
    last bits differ from the CPU's. ``broken(call)`` may raise at the call's number."""

    __version__ = "stand-in"

    def __init__(self, gpus: int = 1, broken: Callable[[int], None] = lambda call: None) -> None:
        self.gpus = gpus
        self.broken = broken
        self.calls = 0
        self.sizes: list[int] = []
        self.hold, self.entered = threading.Event(), threading.Event()
        self.hold.set()
        one = OneThread()
        fake = self

        class StandardGpuResources:
            def __init__(self) -> None:
                one.touch()

            def setTempMemory(self, size: int) -> None:
                assert "setTempMemory" in of("StandardGpuResources")
                one.touch()
                assert type(size) is int and size >= 0

        class GpuIndexFlatConfig:
            def __init__(self) -> None:
                self.__dict__.update(device=0, useFloat16=False)

            def __setattr__(self, name: str, value: object) -> None:
                assert name in of("GpuIndexFlatConfig"), f"GpuIndexFlatConfig has no {name}"
                self.__dict__[name] = value

        class GpuIndexFlatIP:
            def __init__(self, resources: Any, dim: int, config: Any) -> None:
                assert (
                    "faiss::gpu::GpuIndexFlatIP::GpuIndexFlatIP"
                    "(faiss::gpu::GpuResourcesProvider *,int,faiss::gpu::GpuIndexFlatConfig)"
                ) in API["classes"]["GpuIndexFlatIP"]["prototypes"]
                one.touch()
                assert isinstance(resources, StandardGpuResources) and type(dim) is int
                assert isinstance(config, GpuIndexFlatConfig) and config.device < fake.gpus
                self.vectors = np.zeros((0, dim))

            def add(self, x: Any) -> None:
                one.touch()
                fake.broken(-1)
                assert x.dtype == np.float32 and x.flags.c_contiguous and x.shape[1] == self.vectors.shape[1]
                self.vectors = np.concatenate([self.vectors, x.astype(np.float64)])

            def search(self, x: Any, k: int) -> Any:
                one.touch()
                assert x.dtype == np.float32 and x.flags.c_contiguous
                fake.entered.set()
                fake.hold.wait(10)
                fake.calls += 1
                fake.sizes.append(len(x))
                fake.broken(fake.calls)
                assert k <= MAX_ROWS, "FAISS selects at most 2048 on a GPU"
                scores = x.astype(np.float64) @ self.vectors.T
                rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
                return np.take_along_axis(scores, rows, 1).astype(np.float32), rows

        self.StandardGpuResources = StandardGpuResources
        self.GpuIndexFlatConfig = GpuIndexFlatConfig
        self.GpuIndexFlatIP = GpuIndexFlatIP

    def get_num_gpus(self) -> int:
        return self.gpus


def unit(rng: np.random.Generator, rows: int, dim: int = 24) -> Any:
    vectors = rng.normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def segments(vectors: Any, owners: Any) -> Segments:
    """The track of owner n is called n and has a tempo of n."""
    counts = np.bincount(owners)
    tracks = [Track(f"{n:04}", "", "", Path("a"), 60.0, float(n), "", ()) for n in range(len(counts))]
    return Segments(tracks, counts, vectors)


def on_cpu(vectors: Any, owners: Any) -> Rows:
    return Rows(segments(vectors, owners))


def on_gpu(vectors: Any, owners: Any, fake: FakeFaiss) -> tuple[Rows, GpuSearcher]:
    rows = on_cpu(vectors, owners)
    rows.proposer = GpuSearcher(rows.vectors, library=fake)
    return rows, rows.proposer


def raising(at: int, text: str = "CUDA error 700 an illegal memory access was encountered") -> Callable[[int], None]:
    def broken(call: int) -> None:
        if call == at:
            raise RuntimeError(f"Error in void faiss::gpu::something:\n{text}")

    return broken


def test_every_name_of_faiss_that_is_used_is_the_real_one() -> None:
    """On the syntax tree: ``self._library.NAME``, and what is called on what those make."""
    tree = ast.parse(inspect.getsource(gpu_search))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("library", "self._library")
    }
    assert used == {"StandardGpuResources", "GpuIndexFlatConfig", "GpuIndexFlatIP", "get_num_gpus"}
    assert used <= {*API["classes"], *API["signatures"]}
    methods = {
        (ast.unparse(node.value), node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("resources", "config", "index")
    }
    kinds = {"resources": "StandardGpuResources", "config": "GpuIndexFlatConfig", "index": "GpuIndexFlatIP"}
    assert methods, "the names changed; look again"
    for owner, name in methods:
        assert name in of(kinds[owner]), f"{kinds[owner]} has no {name}"
    assert API["signatures"]["get_num_gpus"] == "()"
    assert API["signatures"]["GpuIndexFlatIP.search"].startswith("(self, x, k, *")
    assert API["signatures"]["GpuIndexFlatIP.add"].startswith("(self, x")


def test_the_installed_faiss_is_as_recorded_where_it_has_gpus() -> None:
    import faiss

    if not hasattr(faiss, "StandardGpuResources"):
        assert "built without GPUs" in str(probe())
        return
    for name in API["classes"]:
        assert of(name) - {"use_cuvs"} <= set(dir(getattr(faiss, name)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 40), share=st.sampled_from([None, 0.5, 0.05]))
def test_the_same_hits_in_the_same_order_with_the_same_scores(seed: int, n: int, share: float | None) -> None:
    rng = np.random.default_rng(seed)
    vectors, owners = unit(rng, 600), np.sort(rng.integers(0, 50, 600))
    where = EVERYWHERE if share is None else Where(condition=Filters(min_bpm=1.0, max_bpm=50 * share))
    fake = FakeFaiss()
    (gpu, searcher), cpu = on_gpu(vectors, owners, fake), on_cpu(vectors, owners)
    for query in unit(rng, 3):
        assert gpu.search(query, n, where) == cpu.search(query, n, where)
    assert fake.calls or share == 0.05
    searcher.close()


def test_many_threads_share_one_and_what_waits_is_asked_together() -> None:
    rng = np.random.default_rng(1)
    vectors, owners = unit(rng, 500), np.arange(500) // 10
    fake = FakeFaiss()
    (gpu, searcher), cpu = on_gpu(vectors, owners, fake), on_cpu(vectors, owners)
    queries = unit(rng, 40)
    fake.hold.clear()
    with ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(gpu.search, query, 5, EVERYWHERE) for query in queries]
        assert fake.entered.wait(5)
        fake.hold.set()
        assert [answer.result() for answer in answers] == [cpu.search(query, 5, EVERYWHERE) for query in queries]
    assert sum(fake.sizes) >= 40 and fake.calls <= sum(fake.sizes)
    searcher.close()
    searcher.close()


def test_a_failure_is_answered_by_the_cpu_and_remembered(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(2)
    vectors, owners = unit(rng, 300), np.arange(300)
    fake = FakeFaiss(broken=raising(2))
    index, searcher = on_gpu(vectors, owners, fake)
    wanted = [on_cpu(vectors, owners).search(query, 4, EVERYWHERE) for query in vectors[:5]]
    assert [index.search(query, 4, EVERYWHERE) for query in vectors[:5]] == wanted
    assert fake.calls == 2
    assert searcher.state.device == "cpu" and "gpu-0 failed (CUDA error 700" in searcher.state.reason
    assert [searcher.state.reason in said for said in caplog.messages] == [True]


def test_one_that_hangs_is_given_up() -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng, 50)
    fake = FakeFaiss()
    searcher = GpuSearcher(vectors, library=fake, answer_s=0.05)
    fake.hold.clear()
    assert searcher.propose(vectors[0], 3) is None
    assert "did not answer within 0.05 s" in searcher.state.reason
    assert searcher.propose(vectors[0], 3) is None
    fake.hold.set()
    searcher.close()


@pytest.mark.parametrize("given_back", [np.full((1, 3), -1), np.full((1, 3), 50), np.zeros((1, 2), int)])
def test_rows_that_cannot_be_are_a_failure(given_back: Any) -> None:
    fake = FakeFaiss()
    fake.GpuIndexFlatIP.search = lambda self, x, k: (np.zeros((1, 3), np.float32), given_back)  # type: ignore[method-assign]
    searcher = GpuSearcher(unit(np.random.default_rng(4), 50), library=fake)
    assert searcher.propose(np.zeros(24, np.float32), 3) is None
    assert "it gave rows" in searcher.state.reason


def test_more_than_a_gpu_selects_is_for_the_cpu() -> None:
    rng = np.random.default_rng(5)
    vectors, owners = unit(rng, 5000, 8), np.arange(5000) // 4
    fake = FakeFaiss()
    gpu, searcher = on_gpu(vectors, owners, fake)
    assert gpu.search(vectors[0], 1250, EVERYWHERE) == on_cpu(vectors, owners).search(vectors[0], 1250, EVERYWHERE)
    assert fake.calls == 0
    searcher.close()


def test_a_full_queue_sends_callers_to_the_cpu() -> None:
    vectors = unit(np.random.default_rng(6), 50)
    fake = FakeFaiss()
    searcher = GpuSearcher(vectors, library=fake, answer_s=5)
    fake.hold.clear()
    with ThreadPoolExecutor(MAX_WAITING + 8) as pool:
        asked = [pool.submit(searcher.propose, vectors[0], 3)]
        assert fake.entered.wait(5)  # the worker is busy with that one, all others wait
        asked += [pool.submit(searcher.propose, vectors[0], 3) for _ in range(MAX_WAITING + 7)]
        done, _ = wait(asked, 5, FIRST_COMPLETED)
        fake.hold.set()
        answers = [future.result() for future in asked]
    state = searcher.state
    assert done and state.reason == "" and state.passed_on + state.proposed == len(answers)
    assert sum(answer is None for answer in answers) == state.passed_on >= 1
    searcher.close()


def test_no_gpu_is_told_with_its_cure() -> None:
    vectors = unit(np.random.default_rng(7), 10)
    with pytest.raises(SearchDeviceError, match=r"sees 0 GPUs.*nvidia-smi"):
        open_searcher("gpu", vectors, FakeFaiss(gpus=0))
    with pytest.raises(SearchDeviceError, match=r"built without GPUs.*faiss-gpu-cu12"):
        open_searcher("gpu", vectors, object())
    with pytest.raises(SearchDeviceError, match=r"out of memory.*free its memory"):
        open_searcher("gpu", vectors, FakeFaiss(broken=raising(-1, "out of memory")))
    with pytest.raises(SearchDeviceError, match="must be one of cpu, gpu, auto"):
        open_searcher("tpu", vectors)


def test_a_catalogue_searches_where_it_is_told_and_says_so(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalog.create(tmp_path / "new", bundle).close()
    store = Store(tmp_path / "new", write=True)
    for number in range(3):
        track, analysis = made_up(number)
        store.put(track.path, FileStamp(1, 1), [Entry(track, analysis)])
    store.close()
    fake = FakeFaiss()
    monkeypatch.setattr(gpu_search, "gpu_library", lambda: fake)
    monkeypatch.setattr(gpu_search, "OPEN_S", 5.0)
    query = made_up(1)[1].vectors[0]
    with Catalog.open(tmp_path / "new", bundle) as cpu, Catalog.open(tmp_path / "new", bundle, "gpu") as gpu:
        wanted = [(found.track.id, found.similarity) for found in cpu.search(query, 3)]
        assert [(found.track.id, found.similarity) for found in gpu.search(query, 3)] == wanted
        assert cpu.search_state == SearchState("cpu")
        assert gpu.search_state == SearchState("gpu-0", proposed=1)
    with Catalog.open(tmp_path / "new", bundle, "auto") as small:
        assert small.search_state.device == "cpu" and "3 segments" in small.search_state.reason
    fake.gpus = 0
    with pytest.raises(SearchDeviceError, match="sees 0 GPUs"):
        Catalog.open(tmp_path / "new", bundle, "gpu")


def test_what_is_written_later_is_searched_on_the_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes: list[FakeFaiss] = []
    monkeypatch.setattr(gpu_search, "gpu_library", lambda: fakes.append(FakeFaiss()) or fakes[-1])
    vectors = unit(np.random.default_rng(9), 20)
    index = FlatIndex(IndexOptions(Path("/nowhere"), 24, "gpu"))
    assert index.state == SearchState("cpu", "the catalogue is empty")
    index.upsert(segments(vectors[:10], np.arange(10)))
    searcher = index._current.searcher
    index.upsert(Segments([Track("new", "", "", Path("a"), 60.0, 0.0, "", ())], np.array([10]), vectors[10:]))
    assert [hit.track for hit in index.search(vectors[15], 1)] == ["new"]
    assert index.state == SearchState("gpu-0", proposed=1) and fakes[-1].calls == 1
    assert searcher is not None and searcher.propose(vectors[0], 3) is None  # it was closed
    monkeypatch.setattr(gpu_search, "gpu_library", lambda: FakeFaiss(broken=raising(-1, "out of memory")))
    with pytest.raises(SearchDeviceError, match="out of memory"):
        index.remove(["new"])
    assert [hit.track for hit in index.search(vectors[15], 1)] == ["new"]
    index.close()
    index.close()
    assert [hit.track for hit in index.search(vectors[15], 1)] == ["new"]


def made_up(number: int) -> tuple[Track, Analysis]:
    """A track of one segment."""
    rng = np.random.default_rng(number)
    analysis = Analysis(
        duration_s=28.0,
        tempo_bpm=100.0,
        beats=np.arange(0.25, 28, 0.5, dtype=np.float32),
        clips=rng.normal(size=(7, 16)).astype(np.float32),
        rhythm=rng.random((7, 3), dtype=np.float32),
        first_clips=np.arange(1),
        starts_s=np.full(1, 0.25, np.float32),
        vectors=unit(rng, 1, 32),
        moods=rng.random((1, 3), dtype=np.float32),
    )
    path = Path(f"/music/{number}.ogg")
    return Track(f"{number:016x}", f"Song {number}", "Somebody", path, 28.0, 100.0, "CC0", ()), analysis


def test_auto_uses_a_gpu_that_is_worth_it_and_says_why_not() -> None:
    vectors = unit(np.random.default_rng(8), 100)
    assert open_searcher("cpu", vectors, FakeFaiss())[0] is None
    none, state = open_searcher("auto", vectors, FakeFaiss())
    assert none is None and str(AUTO_ROWS) in state.reason
    none, state = open_searcher("auto", vectors, FakeFaiss(gpus=0), auto_rows=100)
    assert none is None and state.device == "cpu" and "sees 0 GPUs" in state.reason
    searcher, state = open_searcher("auto", vectors, FakeFaiss(), auto_rows=100)
    assert searcher is not None and (state.device, state.reason) == ("gpu-0", "")
    searcher.close()
    assert searcher.propose(vectors[0], 3) is None
